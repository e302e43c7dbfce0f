"""What the tests of the Python module share: programs that import it, with and without the shim."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cpython"))
import harness  # noqa: E402
from harness import MIB, ROOT, code, skip, stock, tidemark  # noqa: E402,F401

PACKAGE = Path(harness.TIDEMARK).parents[1] / "lib" / "tidemark" / "python"
SOURCE = ROOT / "src" / "hosts" / "python_module" / "tidemark"
if not list((PACKAGE / "tidemark").glob("_tidemark*.so")):
    skip("this build has no Python package (python3-dev is missing)")

# Garbage that only a collection frees: each cycle holds a MiB.
CYCLES = """
class Frame: pass
def cycles(count):
    for _ in range(count):
        frame = Frame()
        frame.me, frame.pixels = frame, bytearray(1 << 20)
"""


def program(text, before=""):
    """Arguments that run `text`, dedented, after CYCLES and the import."""
    return ("-c", CYCLES + "import tidemark\n" + before + code(text)[1])


def alone(*arguments, env=None, **more):
    """Runs the interpreter without `tidemark run`, with the package on its path."""
    return stock(*arguments, env={"PYTHONPATH": str(PACKAGE), **(env or {})}, **more)


def live(text, **more):
    """Runs `text` after a take-over at run time, without the shim."""
    return alone(*program(text, "tidemark.install()\n"), **more)


def shimmed(text, **more):
    """Runs `text` under `tidemark run`."""
    return tidemark(*program(text), **more)


class Case(harness.Case):
    def folder(self):
        """A fresh folder that goes with the test."""
        return Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compile(self, source, *options):
        subprocess.run([os.environ.get("CC", "cc"), str(source), *map(str, options)], check=True)

    def both(self, text, out=None):
        """Under the shim and taken over at run time; both must end well."""
        for way in (shimmed, live):
            with self.subTest(way.__name__):
                self.assertRan(way(text), out)


def main():
    os.environ.pop("PYTHONPATH", None)
    unittest.main()
