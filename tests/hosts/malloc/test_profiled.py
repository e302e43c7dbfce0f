"""--profile and --leaks of `tidemark run`: files, exit codes, children, and what cannot be."""
# ctest: timeout=200
import os
import subprocess
import sys
import unittest
from pathlib import Path

TIDEMARK = os.environ.get("TIDEMARK", "build/dev/bin/tidemark")
if not os.access(os.environ.get("TIDEMARK_PRELOAD", ""), os.R_OK):
    print("SKIP: this build has no preload library (a sanitizer has its own malloc)")
    sys.exit(77)

LEAKER = r"""
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>
static void *volatile kept[64];
__attribute__((noinline)) void forget_it(int i) { kept[i] = memset(malloc(3000), 1, 3000); }
int main(int argc, char **argv)
{
  int count = atoi(argv[1]);
  for (int i = 0; i < count; i++) forget_it(i);
  if (argc > 2 && fork() == 0) return 3; /* a child that ends the usual way */
  printf("out\n");
  return argc > 2 ? atoi(argv[2]) : 0;
}
"""


def run(*arguments):
    return subprocess.run([TIDEMARK, "run", *arguments], capture_output=True, text=True, timeout=60)


class Leaks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        Path("leaker.c").write_text(LEAKER, encoding="ascii")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-o", "leaker", "leaker.c"], check=True)

    def test_what_is_live_is_told_by_pool(self):
        done = run("--leaks", "--", "./leaker", "10")
        self.assertEqual((done.returncode, done.stdout), (0, "out\n"))
        self.assertRegex(done.stderr, r"^tidemark: live in heap default: [\d.]+ KiB in \d+ blocks\n")
        self.assertRegex(done.stderr, r"(?m)^ +[\d.]+ KiB in \d+ blocks: c \(malloc\)$")
        self.assertNotIn("by who", done.stderr)

    def test_with_a_profile_by_who_allocated_it(self):
        done = run("--leaks=leaks.txt", "--profile-interval", "1", "--", "./leaker", "10")
        self.assertEqual(done.stderr, "")
        text = Path("leaks.txt").read_text(encoding="ascii")
        self.assertRegex(text, r"30.0 KiB in 10 blocks of pool c\n +forget_it\n +main\n")

    def test_the_exit_code(self):
        enough = ("--leaks", "--leaks-exit-code", "23", "--leaks-allow", "16K", "--", "./leaker")
        self.assertEqual(run(*enough, "1").returncode, 0)
        done = run(*enough, "20")
        self.assertEqual((done.returncode, done.stdout), (23, "out\n"))
        self.assertEqual(run(*enough, "20", "9").returncode, 9)  # the program's own failure stays

    def test_a_child_writes_nothing(self):
        done = run("--leaks", "--profile", "child.folded", "--profile-interval", "1", "--",
                   "./leaker", "5", "0")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("live in heap"), 1)
        self.assertIn(";main;forget_it ", Path("child.folded").read_text(encoding="ascii"))

    def test_descriptors_are_the_programs_own(self):
        """libunwind had a pipe whose numbers the program used again: it wrote into the file."""
        code = ("import os; os.closerange(3, 100); f = [open(f'own{i}', 'wb') for i in range(8)]\n"
                "kept = [bytes(500) for _ in range(3000)]\n"
                "print([os.fstat(x.fileno()).st_size for x in f])")
        done = run("--profile-interval", "1", "--", sys.executable, "-c", code)
        self.assertEqual((done.stdout, done.stderr), (f"{[0] * 8}\n", ""))

    def test_options_that_make_no_sense(self):
        for options in (["--leaks-exit-code", "0"], ["--leaks-exit-code", "256"],
                        ["--leaks-exit-code", "3"], ["--leaks-allow", "4K"],
                        ["--profile", ""], ["--profile-interval", "often"],
                        ["--profile-interval", "0"]):
            done = run(*options, "--", "true")
            self.assertEqual(done.returncode, 2, options)
            self.assertRegex(done.stderr, r"^tidemark: .*\n$")

    def test_a_file_that_cannot_be_written_is_known_before(self):
        done = run("--profile", "/nowhere/heap.pb.gz", "--", "./leaker", "1")
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertIn("--profile", done.stderr)


if __name__ == "__main__":
    unittest.main()
