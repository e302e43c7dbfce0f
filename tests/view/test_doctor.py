#!/usr/bin/env python3
"""`tidemark doctor` on real programs that are ill, and its page in the documentation."""
# ctest: timeout=120
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from command import environment, main
from served import IDLE, ServedCase

FULL = IDLE.replace("import sys;", "import sys; kept = bytearray(62_000_000);")


def read(name):
    with open(os.path.join(HERE, "../..", name), encoding="utf-8") as file:
        return file.read()


class Doctor(ServedCase):
    def test_well(self):
        process = self.serve(IDLE, "--hard", "60M")
        self.assertEqual(self.view("doctor", str(process.pid)), "The doctor has nothing to say.\n")
        self.assertEqual(json.loads(self.view("doctor", "--json", process.url)), {"findings": []})

    def test_ill(self):
        process = self.serve(FULL, "--hard", "64M")
        found = json.loads(self.view("doctor", "--json", str(process.pid), status=1))["findings"]
        self.assertEqual([(one["id"], one["level"], one["heap"]) for one in found],
                         [("near-limit", "warning", "default")])
        text = self.view("doctor", str(process.pid), status=1, env=environment(COLUMNS="60"))
        self.assertTrue(text.startswith("warning: near-limit  heap default\n  The footprint of "))
        words = " ".join(text.split())
        self.assertIn(found[0]["what"], words)
        self.assertIn("What to do: " + found[0]["do"], words)
        self.assertLessEqual(max(map(len, text.splitlines())), 60)
        self.assertIn("near-limit", self.view("top", "--once", str(process.pid)))

    def test_memory_that_malloc_does_not_see(self):
        process = self.serve("import mmap, sys; kept = mmap.mmap(-1, 300_000_000)\n"
                             "for _ in range(300): kept.write(b'x' * 1_000_000)\n"
                             "print('ready', flush=True); sys.stdin.read()")
        text = self.view("doctor", str(process.pid), status=1)
        self.assertIn("outside  the process\n", text)
        self.assertIn("tm_inform", text)

    def test_trouble_is_not_a_finding(self):
        self.assertComplains(self.tidemark("doctor", ":1"), 125, "nobody listens")
        self.assertComplains(self.tidemark("doctor", "--jsn"), 2, "did you mean --json")

    def test_the_page_has_the_rules(self):
        rules = re.findall(r"X\(TM_FINDING_\w+, \"([a-z-]+)\", ([\d.]+), (\d+) << (\d+),",
                           read("include/tidemark/doctor.h"))
        self.assertGreaterEqual(len(rules), 10)
        page = read("docs/doctor.md")
        rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
        self.assertEqual([row[0] for row in rows], [rule[0] for rule in rules])
        for (_, percent, number, shift), (_, when, amount) in zip(rules, rows):
            self.assertIn(f"{percent} %", when)
            self.assertIn(f"{number} {'MiB' if shift == '20' else 'KiB'}", amount)


if __name__ == "__main__":
    main()
