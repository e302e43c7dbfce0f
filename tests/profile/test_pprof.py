"""The profile of a real program: opened by the real pprof, and right within 5 %."""
# ctest: timeout=300
import gzip
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

BUILD = Path(os.environ.get("TIDEMARK_BUILD", "build/dev"))
TIDEMARK = os.environ.get("TIDEMARK", str(BUILD / "bin" / "tidemark"))
if not os.access(BUILD / "lib" / "libtidemark-preload.so", os.R_OK):
    print("SKIP: this build has no preload library (a sanitizer has its own malloc)")
    sys.exit(77)

# keeps 20,000 blocks of 1,000 bytes and 50,000 of 64, and frees as many of the latter
PROGRAM = r"""
#include <stdlib.h>
#include <string.h>
static void *volatile kept;
__attribute__((noinline)) static void keep(void *p) { *(void **)p = kept; kept = p; }
__attribute__((noinline)) void *large_maker(void) { void *p = malloc(1000); keep(p); return p; }
__attribute__((noinline)) void *small_maker(int live)
{
  void *p = malloc(64);
  if (live) keep(p); else free(p);
  return kept;
}
int main(void)
{
  for (int i = 0; i < 100000; i++) {
    if (i % 5 == 0) large_maker();
    small_maker(i % 2);
  }
  return 0;
}
"""
LARGE, SMALL_LIVE, SMALL_ALL = 20000, 50000, 100000


def find_pprof():
    """The command line of go's pprof: the tool itself, wherever Debian keeps it."""
    tools = sorted(Path("/usr/lib").glob("go-*/pkg/tool/*/pprof"))
    if tools:
        return [str(tools[-1])]
    go = shutil.which("go")
    return [go, "tool", "pprof"] if go else None


class Pprof(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        Path("maker.c").write_text(PROGRAM, encoding="ascii")
        # without frame pointers and without debug information, as distributions build
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-fomit-frame-pointer", "-o", "maker",
                        "maker.c"], check=True)
        cls.profile = cls.run_program("heap.pb.gz")
        cls.folded = cls.run_program("heap.folded").decode()

    @staticmethod
    def run_program(name):
        done = subprocess.run([TIDEMARK, "run", "--profile", name, "--profile-interval", "256",
                               "--", "./maker"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", done.stderr
        return Path(name).read_bytes()

    def pprof(self, *options):
        pprof = find_pprof()
        self.assertIsNotNone(pprof, "go's pprof is missing: ./dev test installs it")
        done = subprocess.run([*pprof, *options, "maker", "heap.pb.gz"], capture_output=True,
                              text=True, timeout=120,
                              env={**os.environ, "HOME": os.getcwd(), "PPROF_TMPDIR": os.getcwd()})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def of_function(self, index, name, unit):
        """The flat value of a function, from pprof's own table."""
        text = self.pprof("-top", f"-sample_index={index}", f"-unit={unit}", "-nodefraction=0")
        match = re.search(rf"^ *([\d.]+)\w*\s+[\d.]+% .*\b{name}$", text, re.MULTILINE)
        self.assertIsNotNone(match, text)
        return float(match.group(1))

    def near(self, value, truth):
        self.assertLess(abs(value - truth), truth * 0.05, f"{value} is not near {truth}")

    def test_it_is_gzip(self):
        self.assertGreater(len(gzip.decompress(self.profile)), 200)

    def test_live_objects_and_bytes(self):
        self.near(self.of_function("inuse_objects", "large_maker", "count"), LARGE)
        self.near(self.of_function("inuse_space", "large_maker", "B"), LARGE * 1024)
        self.near(self.of_function("inuse_objects", "small_maker", "count"), SMALL_LIVE)
        self.near(self.of_function("inuse_space", "small_maker", "B"), SMALL_LIVE * 64)

    def test_all_objects_and_bytes(self):
        self.near(self.of_function("alloc_objects", "small_maker", "count"), SMALL_ALL)
        self.near(self.of_function("alloc_space", "small_maker", "B"), SMALL_ALL * 64)

    def test_raw(self):
        raw = self.pprof("-raw")
        self.assertIn("PeriodType: space bytes\nPeriod: 256\n", raw)
        self.assertRegex(raw, r"heap:\[default\] pool:\[c\]")
        mappings = raw[raw.index("Mappings"):]
        self.assertRegex(mappings, r"maker [0-9a-f]{40}")  # its build id
        self.assertRegex(raw, r"M=1 large_maker")

    def test_folded(self):
        lines = dict(line.rsplit(" ", 1) for line in self.folded.splitlines())
        large = sum(int(n) for stack, n in lines.items() if stack.endswith(";main;large_maker"))
        small = sum(int(n) for stack, n in lines.items() if stack.endswith(";main;small_maker"))
        self.near(large, LARGE * 1024)
        self.near(small, SMALL_LIVE * 64)
        self.assertRegex(self.folded, r"(?m)^_start;")  # the whole stack is there


if __name__ == "__main__":
    unittest.main()
