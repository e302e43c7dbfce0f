"""The manual's two errors where malloc is on the heap too: free() of a PyMem block has a name then.

Runs the example under the preload library; without it, examples/02_two_errors is tested as it is.
"""
import os
import subprocess
import sys
import unittest

EXAMPLE = os.path.join(os.environ["TIDEMARK_BUILD"], "examples", "02_two_errors")
PRELOAD = os.environ["TIDEMARK_PRELOAD"]
SENTENCE = "family mismatch: allocated by PyMem_Malloc, freed by free"


def run(**environment):
    return subprocess.run([EXAMPLE], env={**os.environ, "LD_PRELOAD": PRELOAD, **environment},
                          capture_output=True, text=True, timeout=60)


class TwoErrors(unittest.TestCase):
    def test_free_of_a_pymem_block_is_named(self):
        done = run()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        # the preload library reports to the standard error that the program was started with
        reports = [line for line in done.stderr.splitlines() if SENTENCE in line]
        self.assertEqual(len(reports), 1, done.stderr)
        self.assertIn("2 families were mixed up", lines)
        for family in "raw", "mem", "obj":
            self.assertIn(f"{family}: 0 blocks are left", lines)


if __name__ == "__main__":
    for needed in EXAMPLE, PRELOAD:
        if not os.path.exists(needed):
            print(f"SKIP: {os.path.basename(needed)} is not built")
            sys.exit(77)
    unittest.main()
