"""Python's functions in the heap profile of a Python program."""
# ctest: timeout=200
import os
import subprocess
import sys
import unittest
from pathlib import Path

from harness import PYTHON, TIDEMARK, environment

if sys.version_info[:2] != (3, 11):
    print("SKIP: stacks have Python's own frames in 3.11 only")
    sys.exit(77)

PROGRAM = '''\
import sys, threading

class Keeper:
    def __init__(self):
        self.data = [bytearray(2000) for _ in range(3000)]

def höher():
    return Keeper()

def in_thread(found):
    found.append([str(i) * 200 for i in range(3000)])

def recurse(n):
    return recurse(n - 1) if n else [object() for _ in range(10000)]

def generate():
    for i in range(3000):
        yield bytes(1500)

def rewrite():
    global scope
    scope = {}
    for i in range(300):  # code that comes and goes at the same addresses
        exec(f"def made_{i}(): return [bytes(3000) for _ in range(60)]", scope)
        scope["kept"] = scope[f"made_{i}"]()
        del scope[f"made_{i}"]

kept = höher()
found = []
thread = threading.Thread(target=in_thread, args=(found,))
thread.start()
thread.join()
kept_too = recurse(90), list(generate())
rewrite()
print("done")
'''


def at(function, text):
    """The frame of a function on the line of the program that has this text."""
    lines = PROGRAM.splitlines()
    number = next(i for i, line in enumerate(lines, 1) if text in line)
    return f"{function} (app.py:{number})"


class Frames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        Path("app.py").write_text(PROGRAM, encoding="utf-8")
        done = subprocess.run([TIDEMARK, "run", "--profile", "app.folded", "--profile-interval",
                               "16K", "--", PYTHON, "app.py"], capture_output=True, text=True,
                              timeout=100, env=environment())
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", ""), done
        text = Path("app.folded").read_text(encoding="utf-8")
        cls.stacks = [line.rsplit(" ", 1) for line in text.splitlines()]

    def bytes_of(self, *frames):
        """Live bytes of the stacks in which these frames follow each other."""
        return sum(int(n) for stack, n in self.stacks if ";".join(frames) + ";" in stack + ";")

    def near(self, value, truth):
        self.assertLess(abs(value - truth), truth * 0.25, f"{value} is not near {truth}")

    def test_functions_with_file_and_line(self):
        self.near(self.bytes_of(at("<module>", "kept = höher"), at("höher", "return Keeper"),
                                at("Keeper.__init__", "self.data"),
                                at("Keeper.__init__.<locals>.<listcomp>", "self.data")), 3000 * 2100)

    def test_other_threads(self):
        self.near(self.bytes_of(at("in_thread", "found.append"),
                                at("in_thread.<locals>.<listcomp>", "found.append")), 3000 * 850)

    def test_generators(self):
        self.near(self.bytes_of(at("<module>", "kept_too ="), at("generate", "yield")), 3000 * 1536)

    def test_deep_recursion_keeps_its_inner_end(self):
        stacks = [stack for stack, _ in self.stacks if "recurse.<locals>.<listcomp>" in stack]
        self.assertTrue(stacks)
        for stack in stacks:
            self.assertGreater(stack.count(at("recurse", "return recurse")), 40)
            self.assertLessEqual(stack.count(";"), 63)

    def test_the_interpreter_is_left_out(self):
        for stack, _ in self.stacks:
            if "app.py" in stack:
                self.assertNotIn("_PyEval_EvalFrameDefault", stack)

    def test_code_at_a_used_address_has_its_own_name(self):
        names = {frame.split(" ")[0] for stack, _ in self.stacks for frame in stack.split(";")}
        made = {name for name in names if name.startswith("made_")}
        # only the last one's is live
        self.assertEqual({name.split(".")[0] for name in made}, {"made_299"})


if __name__ == "__main__":
    unittest.main()
