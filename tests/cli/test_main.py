#!/usr/bin/env python3
"""The door of the command: subcommands that are missing or misspelt."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import Case, main


class Main(Case):
    def test_no_or_unknown_subcommand(self):
        self.assertComplains(self.tidemark(), 2, "say what to do")
        self.assertComplains(self.tidemark("rum"), 2, "did you mean 'run'?")
        self.assertComplains(self.tidemark("python3"), 2, "write 'tidemark run -- python3'")
        self.assertComplains(self.tidemark("help", "frob"), 2, "no command 'frob'")


if __name__ == "__main__":
    main()
