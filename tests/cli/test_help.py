#!/usr/bin/env python3
"""What the command says about itself."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import TIDEMARK, Case, main


class Help(Case):
    def test_version_and_help(self):
        version = self.tidemark("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout.decode(), r"^tidemark \d+\.\d+\.\d+\n$")
        self.assertEqual(version.stderr, b"")
        for arguments in (["help"], ["--help"], ["-h"], ["help", "help"]):
            self.assertIn(b"Usage: tidemark run", self.tidemark(*arguments).stdout)
        for arguments in (["help", "run"], ["run", "--help"], ["run", "-h", "nonsense"]):
            result = self.tidemark(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn(b"--hard SIZE", result.stdout)

        for arguments in (["help", "groups"], ["groups", "--help"], ["groups", "-h"]):
            self.assertIn(b"Usage: tidemark groups", self.tidemark(*arguments).stdout)

    def test_help_fits_a_terminal(self):
        for arguments in (["help"], ["help", "run"], ["help", "groups"]):
            for line in self.tidemark(*arguments).stdout.decode().splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_help_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([TIDEMARK, "--help"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot write to standard output", result.stderr)


if __name__ == "__main__":
    main()
