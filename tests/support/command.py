"""What scripts share that test the command and the preload library: where they are, and a class of
test cases with a folder of its own and small programs compiled into it."""
import glob
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
# What `tidemark run` may put into the environment.
CONTRACT = {"LD_PRELOAD", "TM_SOFT", "TM_HARD", "TM_LIMITS", "TM_POLICY", "TM_REPORT", "TM_RUN_PID",
            "TM_SERVE_FD", "TM_SERVE_ID", "TM_GROUP", "TM_BUDGET", "TM_RECORD"}


def built(name, variable):
    """A path from the environment, or from the newest build in the source tree."""
    if os.environ.get(variable):
        return os.environ[variable]
    found = glob.glob(os.path.join(HERE, "../../build", "**", name), recursive=True)
    return max(found, key=os.path.getmtime) if found else ""


TIDEMARK = built("bin/tidemark", "TIDEMARK")
PRELOAD = built("libtidemark-preload.so", "TIDEMARK_PRELOAD")
CC = os.environ.get("CC", "cc")
PYTHON = "/usr/bin/python3"


def environment(**more):
    """This one's, without what would speak to the library or to Python's allocators."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("TM_", "MEMORY_PRESSURE_"))
            and k not in ("LD_PRELOAD", "PYTHONMALLOC")}
    kept.update(more)
    return kept


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, content, mode=0o755):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def compile(self, name, source, *flags):
        code = self.write(name + ".c", source, 0o644)
        subprocess.run([CC, "-O1", "-w", "-o", self.path(name), code, *flags], check=True)
        return self.path(name)

    def tidemark(self, *arguments, **options):
        options.setdefault("env", environment())
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([TIDEMARK, *arguments], timeout=60, **options)

    def run_it(self, *arguments, **options):
        return self.tidemark("run", *arguments, **options)

    def python(self, code, *options, **more):
        return self.run_it(*options, "--", PYTHON, "-c", code, **more)

    def assertComplains(self, result, status, *words):
        """One sentence on standard error, the exit status, and nothing on standard output."""
        text = result.stderr.decode()
        self.assertEqual(result.returncode, status, text)
        self.assertEqual(result.stdout, b"")
        self.assertTrue(text.startswith("tidemark: "), text)
        self.assertEqual(text.count("\n"), 1, text)
        for word in words:
            self.assertIn(word, text)


def main():
    """Runs the tests of the calling script, or skips them all where nothing is built."""
    if not os.access(TIDEMARK, os.X_OK) or not os.access(PRELOAD, os.R_OK):
        print("SKIP: the command or the preload library is not built")
        sys.exit(77)
    unittest.main(module="__main__")
