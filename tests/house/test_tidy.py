"""tidy.py finds what it should, also in a build that gcc made, and forgets nothing that changed."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from source import ROOT

GOOD = "int twice(int a);\n\nint twice(int a)\n{\n  return 2 * a;\n}\n"
# else after return
BAD = ("int sign(int a);\n\nint sign(int a)\n{\n  if (a < 0)\n    return -1;\n  else\n"
       "    return 1;\n}\n")


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "src").mkdir()
        shutil.copy(ROOT / ".clang-tidy", self.root)

    def run_on(self, text):
        file = self.root / "src" / "file.c"
        file.write_text(text)
        command = f"gcc -std=c11 -Wall -mstringop-strategy=libcall -o file.o -c {file}"
        (self.root / "compile_commands.json").write_text(
            json.dumps([{"directory": str(self.root), "file": str(file), "command": command}]))
        run = subprocess.run(
            [sys.executable, str(ROOT / "tests/house/tidy.py"), str(self.root), "src"],
            env={**os.environ, "TIDEMARK_SOURCE": str(self.root)}, capture_output=True, text=True)
        return run.returncode, run.stdout

    def test_finding(self):
        code, said = self.run_on(BAD)
        self.assertEqual(code, 1, said)
        self.assertIn("readability-else-after-return", said)
        self.assertIn("1 looked at, 1 with findings", said)
        # what was found is looked at again
        self.assertIn("1 looked at, 1 with findings", self.run_on(BAD)[1])

    def test_clean_is_remembered_until_it_changes(self):
        self.assertEqual(self.run_on(GOOD), (0, "clang-tidy: 1 files, 1 looked at, 0 with findings\n"))
        self.assertEqual(self.run_on(GOOD), (0, "clang-tidy: 1 files, 0 looked at, 0 with findings\n"))
        self.assertEqual(self.run_on(BAD)[0], 1)

    def test_no_file(self):
        (self.root / "compile_commands.json").write_text("[]")
        run = subprocess.run(
            [sys.executable, str(ROOT / "tests/house/tidy.py"), str(self.root), "src"],
            env={**os.environ, "TIDEMARK_SOURCE": str(self.root)}, capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)


if __name__ == "__main__":
    unittest.main()
