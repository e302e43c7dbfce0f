#!/usr/bin/env python3
"""The help of each command, against the manual page: what one knows the other one does."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from command import Case, main

COMMANDS = ("run", "groups", "replay", "report", "top", "stat", "log", "doctor")


def options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


class HelpView(Case):
    def help(self, *arguments):
        result = self.tidemark(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
        return result.stdout.decode()

    def test_three_ways_to_ask(self):
        for command in COMMANDS:
            text = self.help("help", command)
            self.assertTrue(text.startswith(f"Usage: tidemark {command} "), command)
            self.assertEqual(self.help(command, "--help"), text)
            self.assertEqual(self.help(command, "-h"), text)
            self.assertIn(f"  {command} ", self.help("help"))
            self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_the_manual_has_every_option(self):
        with open(os.path.join(HERE, "../../docs/man/tidemark.1"), encoding="utf-8") as file:
            manual = file.read().replace("\\-", "-")
        for command in COMMANDS:
            self.assertEqual(options(self.help("help", command)) - options(manual), set(), command)
        everything = set().union(*(options(self.help("help", command)) for command in COMMANDS))
        self.assertEqual(options(manual) - everything - {"--version", "--workers"}, set())

    def test_an_unknown_command(self):
        self.assertComplains(self.tidemark("tpo"), 2, "did you mean 'top'?")
        self.assertComplains(self.tidemark("help", "tpo"), 2, "'tidemark help' lists them")


if __name__ == "__main__":
    main()
