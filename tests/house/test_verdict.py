"""verdict.py must not call a run good that is not, and example.py must see each difference."""
import contextlib
import io
import stat
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import verdict
from source import ROOT


def run_of(*cases):
    text = "<testsuite>" + "".join(cases) + "</testsuite>"
    return verdict.judge(ElementTree.fromstring(text))


def case(status, output="", inside=""):
    return (f'<testcase name="t" status="{status}">{inside}'
            f"<system-out>{output}</system-out></testcase>")


class Verdict(unittest.TestCase):
    def test_passed(self):
        self.assertEqual(run_of(case("run"), case("run")), (2, [], []))

    def test_failed(self):
        self.assertEqual(run_of(case("run"), case("fail"))[1], ["t: failed"])

    def test_not_run(self):
        self.assertEqual(len(run_of(case("notrun"))[1]), 1)
        self.assertEqual(len(run_of(case("disabled"))[1]), 1)

    def test_skips_need_a_reason(self):
        self.assertEqual(len(run_of(case("notrun", "", "<skipped/>"))[1]), 1)
        self.assertEqual(len(run_of(case("notrun", "SKIP: ", "<skipped/>"))[1]), 1)
        self.assertEqual(run_of(case("notrun", "SKIP: no swap here", "<skipped/>")),
                         (1, [], ["t: SKIP: no swap here"]))
        self.assertEqual(len(run_of(case("run", "[  SKIPPED ] test_x"))[1]), 1)
        self.assertEqual(len(run_of(case("run", "OK (skipped=1)"))[1]), 1)
        self.assertEqual(run_of(case("run", "SKIP: why\n[  SKIPPED ] test_x"))[1], [])

    def test_nothing_at_all(self):
        self.assertEqual(len(run_of()[1]), 1)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(verdict.main(["dev=/does/not/exist.xml"]), 1)
            self.assertEqual(verdict.main([]), 1)


class Example(unittest.TestCase):
    """tests/support/example.py on a program that prints what it is told."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def compare(self, script, expected):
        program = self.folder / "program"
        program.write_text("#!/bin/sh\n" + script + "\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        (self.folder / "program.expected").write_text(expected)
        run = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "support" / "example.py"), str(program),
             str(self.folder / "program.expected")], capture_output=True, text=True)
        return run.returncode

    def test_same(self):
        self.assertEqual(self.compare("echo one; echo 12 bytes", "one\n~ \\d+ bytes\n"), 0)
        self.assertEqual(self.compare("echo a >&2; exit 3", "! exit 3\n& a\n"), 0)
        self.assertEqual(self.compare("kill -ABRT $$", "! signal SIGABRT\n"), 0)

    def test_different(self):
        for script, expected in (("echo one", "two\n"), ("echo one; echo two", "one\n"),
                                 ("echo one", "one\ntwo\n"), ("echo 1x", "~ \\d\n"),
                                 ("echo one; exit 1", "one\n"), ("echo one", "! exit 1\none\n"),
                                 ("echo one; echo bad >&2", "one\n"), ("true", "& a\n")):
            self.assertEqual(self.compare(script, expected), 1, (script, expected))


if __name__ == "__main__":
    unittest.main()
