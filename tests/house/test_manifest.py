"""Each src/ROOM/FILE.c has a tests/ROOM/test_FILE.c (or .py, .sh), so that a red test names its file.

What has none stands in EXCUSED, with the reason and the test that covers it instead.
"""
import tempfile
import unittest
from pathlib import Path

from source import ROOT, c_files

# Below this a file has no decision worth a test of its own (a table, a string).
SMALL_LINES = 40

# source: (the test that covers it, why it has none of its own)
EXCUSED = {}


def lines_of_code(path):
    return sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def tests_of(root, place):
    """Where the test of src/`place` would be: three names, one of which must exist."""
    return [root / "tests" / place.parent / f"test_{place.stem}{end}" for end in (".c", ".py", ".sh")]


def check(root, excused):
    found = []
    sources = [path.relative_to(root / "src") for path in c_files(root, ("src",))
               if path.suffix == ".c"]
    for place in sources:
        tested = any(test.exists() for test in tests_of(root, place))
        name = str(place)
        if name in excused:
            instead, reason = excused[name]
            if tested:
                found.append(f"src/{name} has a test now: take it out of EXCUSED")
            elif not (root / instead).exists():
                found.append(f"src/{name} is excused by {instead}, which does not exist")
            elif len(reason.split()) < 4:
                found.append(f"src/{name} is excused without a reason")
        elif not tested and lines_of_code(root / "src" / place) >= SMALL_LINES:
            found.append(f"src/{name} has no tests/{place.parent}/test_{place.stem}.c")
    found += [f"EXCUSED names src/{name}, which does not exist"
              for name in excused if Path(name) not in sources]
    for example in sorted((root / "examples").glob("[0-9][0-9]_*.c")):
        scripts = [root / "tests" / "examples" / f"test_{example.stem}{end}" for end in (".py", ".sh")]
        if not any(way.exists() for way in [example.with_suffix(".expected"), *scripts]):
            found.append(f"examples/{example.name} has no {example.stem}.expected")
    return found


class Tree(unittest.TestCase):
    def test_every_file_has_its_test(self):
        found = check(ROOT, EXCUSED)
        self.assertFalse(found, "\n" + "\n".join(found))


class Rule(unittest.TestCase):
    """The check itself can fail."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/heap/large.c", "int a;\n" * SMALL_LINES)
        self.write("src/heap/small.c", "int a;\n\n" * (SMALL_LINES - 1))

    def write(self, name, text="x\n"):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def test_missing_test_is_found(self):
        self.assertEqual(check(self.root, {}), ["src/heap/large.c has no tests/heap/test_large.c"])
        self.write("tests/heap/test_large.py")
        self.assertEqual(check(self.root, {}), [])

    def test_excuse_needs_a_test_a_reason_and_a_file(self):
        excuse = {"heap/large.c": ("tests/heap/test_walk.c", "only called by what walks")}
        self.assertIn("does not exist", check(self.root, excuse)[0])
        self.write("tests/heap/test_walk.c")
        self.assertEqual(check(self.root, excuse), [])
        self.assertIn("without a reason",
                      check(self.root, {"heap/large.c": ("tests/heap/test_walk.c", "later")})[0])
        self.write("tests/heap/test_large.c")
        self.assertIn("has a test now", check(self.root, excuse)[0])
        self.assertIn("does not exist", check(self.root, {"heap/gone.c": excuse["heap/large.c"]})[0])

    def test_example_without_expected_output_is_found(self):
        self.write("tests/heap/test_large.c")
        self.write("examples/01_first.c")
        self.assertEqual(check(self.root, {}), ["examples/01_first.c has no 01_first.expected"])
        self.write("examples/01_first.expected")
        self.assertEqual(check(self.root, {}), [])


if __name__ == "__main__":
    unittest.main()
