#!/usr/bin/env python3
"""`tidemark report`: a real recording as text and as a page that needs nothing else."""
# ctest: timeout=120
import html.parser
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import Case, main

WORK = """
kept = bytearray(3_000_000)
for i in range(2000):
    a, b = [bytearray(20_000)], []
    a.append(b), b.append(a)
"""
VOID = {"meta", "line", "path", "br"}


class Page(html.parser.HTMLParser):
    """Tags that are opened and not closed, references to elsewhere, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.outside, self.words, self.count = [], [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.outside += [value for name, value in attributes if name in ("href", "src", "style")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words.append(data)


class Report(Case):
    def record(self, name="run.trace"):
        result = self.python(WORK, "--soft", "30M", "--record", self.path(name))
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.path(name)

    def report(self, *arguments):
        result = self.tidemark("report", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
        return result.stdout.decode()

    def test_text(self):
        text = self.report(self.record())
        self.assertRegex(text, r"run\.trace: heap default of process \d+, recorded \d{4}-")
        self.assertRegex(text, r"\npeak footprint [\d.]+ MiB, peak committed [\d.]+ MiB, allocated ")
        self.assertRegex(text, r"\nminor +[1-9]\d* +[\d.]+ MiB +[\d.]+ \w+ +[\d.]+ \w+\n")

    def test_page(self):
        file = self.record("a<b.trace")
        text = self.report(file, "--html")
        page = Page(text)
        self.assertEqual((page.open, page.outside), ([], []))
        self.assertNotIn("script", page.count)
        self.assertEqual(page.count["svg"], 3)
        self.assertNotRegex(text, r"https?:|url\(|@import")
        words = "".join(page.words)
        self.assertIn("a<b.trace", words)
        self.assertIn("soft limit30.0 MiB", re.sub(r"\s*\n\s*", "", words))
        self.assertRegex(words, r"minor[1-9]")
        self.assertIn("prefers-color-scheme:dark", text)
        self.assertEqual(self.report(file, f"--html={self.path('out.html')}"), "")
        self.assertEqual(self.read("out.html").decode(), text)

    def test_what_goes_wrong(self):
        file = self.record()
        for words, code, said in (
                ([], 2, "report needs the FILE"), ([file, "other"], 2, "reads one FILE"),
                ([file, "--htm"], 2, "did you mean --html?"), ([file, "-x"], 2, "no option -x"),
                ([file, "--html="], 2, "no option --html="),
                ([self.path("no")], 125, "No such file"),
                ([self.write("text", "something else")], 125, "is not a recording"),
                ([file, "--html=/no/such"], 125, "--html: cannot write '/no/such'")):
            self.assertComplains(self.tidemark("report", *words), code, said)
        with open("/dev/full", "w", encoding="ascii") as full:
            result = self.tidemark("report", file, "--html", stdout=full)
        self.assertEqual(result.returncode, 1)


if __name__ == "__main__":
    main()
