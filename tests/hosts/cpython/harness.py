"""What the tests of the CPython host share: running Python as it is and under Tidemark."""
import glob
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = ROOT / "demo" / "programs"
PYTHON = sys.executable
MIB = 1 << 20


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def find_tidemark():
    """The command of the build that is tested; run by hand, of the newest whole build."""
    named = os.environ.get("TIDEMARK")
    found = [named] if named else glob.glob(str(ROOT / "build" / "*" / "bin" / "tidemark"))
    whole = [path for path in found if os.access(path, os.X_OK)
             and (Path(path).parents[1] / "lib" / "libtidemark-preload.so").exists()]
    if not whole:
        skip("this build has no preload library (a sanitizer has its own malloc)")
    return max(whole, key=os.path.getmtime)


TIDEMARK = find_tidemark()


def environment(**more):
    """Ours, without what would change either arm."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "TM_")) and name != "LD_PRELOAD"
    }
    kept.update(more)
    return kept


class Result:
    """How a run ended. `heap` is what the report says of the default heap, if it was written."""

    def __init__(self, done, report):
        self.out = done.stdout
        self.err = done.stderr
        self.code = done.returncode
        self.report = report
        self.heap = report.get("heap", {})

    def runs(self, kind):
        return self.heap["actions"][kind]["runs_total"]

    def collections(self):
        return self.runs("minor") + self.runs("full")

    def said(self):
        """The lines of Tidemark's own on standard error."""
        return [line for line in self.err.splitlines() if line.startswith("tidemark:")]


def stock(*arguments, python=PYTHON, env=None, timeout=120):
    """Runs the interpreter as it is."""
    done = subprocess.run([python, *map(str, arguments)], env=environment(**(env or {})),
                          capture_output=True, text=True, timeout=timeout, check=False)
    return Result(done, {})


def tidemark(*arguments, python=PYTHON, options=(), env=None, timeout=120):
    """Runs the interpreter under Tidemark, and reads the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [TIDEMARK, "run", f"--report={path}", *options, "--", python]
        done = subprocess.run(command + [str(argument) for argument in arguments],
                              env=environment(**(env or {})), capture_output=True, text=True,
                              timeout=timeout, check=False)
        # a process that a signal or os._exit ends says nothing
        report = json.loads(path.read_text(encoding="utf-8") or "{}")
    return Result(done, report)


def code(text):
    """Arguments that run this text."""
    return ("-c", textwrap.dedent(text))


class Case(unittest.TestCase):
    """A test that runs programs."""

    maxDiff = 2000

    def assertRan(self, result, out=None):
        """It ended well, said nothing on standard error, and printed `out`."""
        self.assertEqual((result.code, result.err), (0, ""))
        if out is not None:
            self.assertEqual(result.out, out)

    def assertSame(self, *arguments, **options):
        """Both arms print and end alike; returns Tidemark's."""
        mine, theirs = tidemark(*arguments, **options), stock(*arguments, **options)
        self.assertEqual((mine.code, mine.out, mine.err), (theirs.code, theirs.out, theirs.err))
        return mine
