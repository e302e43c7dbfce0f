"""The command in the comment at the top of each example builds it against an installed Tidemark,
and so does the examples folder's own CMake project.
"""
# ctest: timeout=240
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["TIDEMARK_BUILD"])
EXAMPLES = sorted((Path(os.environ["TIDEMARK_SOURCE"]) / "examples").glob("[0-9][0-9]_*.c"))
CHECK = Path(os.environ["TIDEMARK_SOURCE"]) / "tests" / "support" / "example.py"


def build_line(source):
    """The shell command that the comment gives, its lines joined; None when there is none."""
    comment = source.read_text(encoding="utf-8").split("*/")[0]
    found = re.search(r"^ \*   (cc (?:.*\\\n)*.*)$", comment, re.MULTILINE)
    return re.sub(r"\\\n \*\s*", "", found.group(1)) if found else None


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=200, **more)


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.prefix = cls.folder / "installed"
        done = run(["cmake", "--install", BUILD, "--prefix", cls.prefix])
        assert done.returncode == 0, done.stderr
        lib = next(cls.prefix.rglob("libtidemark.so")).parent
        cls.env = {**os.environ, "PKG_CONFIG_PATH": str(lib / "pkgconfig"),
                   "LD_LIBRARY_PATH": str(lib)}
        cls.monitor = (lib / "libtidemark-monitor.so").exists()

    def buildable(self):
        return [one for one in EXAMPLES
                if self.monitor or "<tidemark/monitor.h>" not in one.read_text(encoding="utf-8")]

    def test_each_says_what_it_shows_and_how_to_build_it(self):
        self.assertGreaterEqual(len(EXAMPLES), 9)
        for source in EXAMPLES:
            text = source.read_text(encoding="utf-8")
            self.assertTrue(text.startswith(f"/*\n * {source.name} - "), source.name)
            self.assertIn("\n * Shows: ", text, source.name)
            self.assertIsNotNone(build_line(source), source.name)

    def test_the_line_builds_it(self):
        for source in self.buildable():
            line = build_line(source)
            self.assertIn(f" {source.name} -o {source.stem} ", line)
            strict = line.replace("cc ", "cc -std=c11 -Wall -Wextra -Wpedantic -Werror ", 1)
            link = self.folder / source.name
            link.symlink_to(source)
            done = run(["sh", "-c", strict], cwd=self.folder, env=self.env)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr}")
            done = run([sys.executable, CHECK, self.folder / source.stem,
                        source.with_suffix(".expected")], env=self.env)
            self.assertEqual(done.returncode, 0, f"{source.name}\n{done.stdout}")

    def test_the_folder_is_a_project_of_its_own(self):
        build = self.folder / "alone"
        done = run(["cmake", "-S", EXAMPLES[0].parent, "-B", build,
                    f"-DCMAKE_PREFIX_PATH={self.prefix}"], env=self.env)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = run(["cmake", "--build", build], env=self.env)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for source in self.buildable():
            self.assertTrue((build / source.stem).exists(), source.stem)


if __name__ == "__main__":
    if re.search(r"^TIDEMARK_SANITIZE:\w+=\w", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE):
        print("SKIP: a library built with a sanitizer needs a program built with it")
        sys.exit(77)
    unittest.main()
