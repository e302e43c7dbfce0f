"""The demo: its table, and how it ends when a program fails, differs, or nothing is built."""
# ctest: timeout=120
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo" / "run.py"


def demo(*arguments, tidemark, **more):
    environment = {**os.environ, "TIDEMARK": str(tidemark), **more}
    return subprocess.run([sys.executable, str(DEMO), *arguments], env=environment,
                          capture_output=True, text=True, timeout=100, check=False)


class Demo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def pretender(self, script):
        """A `tidemark run -- COMMAND...` that is a shell script."""
        path = self.folder / "tidemark"
        path.write_text(f"#!/bin/sh\nshift 2\n{script}\n", encoding="ascii")
        path.chmod(0o755)
        return path

    def test_the_table(self):
        done = demo("--runs", "1", "caches", tidemark=self.pretender('exec "$@"'))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = [line for line in done.stdout.splitlines() if line.startswith("caches")]
        self.assertEqual(len(rows), 1)
        # three times stock, tidemark, ratio; then young+full of both
        self.assertRegex(rows[0], r"caches( +[\d.]+){9} +\d+\+\d+ +\d+\+\d+$")
        self.assertIn("All outputs are equal", done.stdout)
        self.assertEqual(len(re.findall(r" run .*-- python3 your_app.py", done.stdout)), 3)
        self.assertLessEqual(max(map(len, done.stdout.splitlines()[3:6])), 100)
        self.assertNotIn("\x1b", done.stdout)

    def test_a_difference_is_an_error(self):
        done = demo("--runs", "1", "caches", tidemark=self.pretender('"$@"; echo more'))
        self.assertEqual(done.returncode, 1)
        self.assertIn("the output differs: caches", done.stderr)

    def test_a_program_that_fails_is_an_error(self):
        done = demo("--runs", "1", "caches", tidemark=self.pretender("echo broken >&2; exit 3"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("ended with 3: broken", done.stderr)

    def test_nothing_to_run(self):
        done = demo(tidemark=self.folder / "absent")
        self.assertEqual(done.returncode, 2)
        self.assertIn("absent", done.stderr)

    def test_a_wrong_name(self):
        done = demo("nonsense", tidemark=self.pretender('exec "$@"'))
        self.assertEqual(done.returncode, 2)
        self.assertIn("cycles", done.stderr)


if __name__ == "__main__":
    unittest.main()
