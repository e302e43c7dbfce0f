"""tm_python_install in programs that embed the real libpython."""
# ctest: timeout=120
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness

LIB = Path(harness.TIDEMARK).parents[1] / "lib"
PROGRAM = r"""
#include <Python.h>
#include <stdio.h>
#include <string.h>
#include <tidemark/python.h>
#include <tidemark/tidemark.h>

static int preinitialize(void)
{
  PyPreConfig config;
  PyPreConfig_InitPythonConfig(&config);
  return PyStatus_Exception(Py_PreInitialize(&config));
}

static int initialize(void)
{
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return PyStatus_Exception(status);
}

static const char cycles[] = "class F: pass\n"
                             "for n in range(300):\n"
                             "    f = F(); f.me, f.pixels = f, bytearray(1 << 20)\n";

static void show(const char *what)
{
  tm_stats stats;
  tm_stats_init(&stats);
  (void)tm_stats_read(tm_heap_default(), &stats);
  printf("%s installed %d, peak below 100 MiB %d, mixed %d, balanced %d\n", what,
         tm_python_installed(), stats.footprint_peak_bytes < 100 << 20,
         (int)stats.family_mismatches_total, tm_heap_check(tm_heap_default()) == 0);
}

int main(int argc, char **argv)
{
  const char *mode = argc > 1 ? argv[1] : "";
  char why[192] = "";
  if (strcmp(mode, "late") == 0) {
    Py_Initialize();
    printf("install %d, ", tm_python_install());
    int error = tm_python_take_over(why, sizeof why);
    printf("take over %d %s\n", error, why);
    PyRun_SimpleString(cycles);
    show("late");
    return Py_FinalizeEx();
  }
  if (preinitialize())
    return 3;
  printf("install %d %d\n", tm_python_install(), tm_python_install());
  for (int life = 0; life < (strcmp(mode, "twice") == 0 ? 3 : 1); life++) {
    if (initialize() || PyRun_SimpleString(cycles))
      return 4;
    show("alive");
    if (Py_FinalizeEx())
      return 5;
  }
  show("gone");
  return 0;
}
"""
WITHOUT = r"""
#include <stdio.h>
#include <tidemark/python.h>
int main(void)
{
  char why[64];
  int error = tm_python_take_over(why, sizeof why);
  tm_python_poll();
  printf("%d %d %s, %d\n", tm_python_install(), error, why, tm_python_installed());
  return 0;
}
"""


def flags(*packages):
    done = subprocess.run(["pkg-config", "--cflags", "--libs", *packages], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        harness.skip("there is no libpython to link with (python3-dev)")
    return done.stdout.split()


class Embedding(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.with_python = cls.build("with", PROGRAM, flags("python3-embed"))
        cls.without = cls.build("without", WITHOUT, [])

    @classmethod
    def build(cls, name, text, more):
        source = cls.folder / f"{name}.c"
        source.write_text(text)
        subprocess.run([os.environ.get("CC", "cc"), source, "-o", cls.folder / name,
                        "-I", harness.ROOT / "include", *more, f"-L{LIB}", "-ltidemark",
                        f"-Wl,-rpath,{LIB}"], check=True)
        return cls.folder / name

    def run_it(self, program, *arguments, env=None, before=()):
        done = subprocess.run([*before, program, *arguments], capture_output=True, text=True,
                              env=harness.environment(**(env or {})), check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    ALIVE = "alive installed 1, peak below 100 MiB 1, mixed 0, balanced 1\n"
    GONE = "gone installed 1, peak below 100 MiB 1, mixed 0, balanced 1\n"

    def test_between_the_two_initialisations(self):
        done = self.run_it(self.with_python)
        self.assertEqual((done.stdout, done.stderr), ("install 0 0\n" + self.ALIVE + self.GONE, ""))

    def test_three_interpreters_one_after_the_other(self):
        done = self.run_it(self.with_python, "twice")
        self.assertEqual((done.stdout, done.stderr),
                         ("install 0 0\n" + self.ALIVE * 3 + self.GONE, ""))

    def test_what_the_environment_chose_is_replaced(self):
        # Python chooses in Py_PreInitialize; a plain allocator is just what was there before
        done = self.run_it(self.with_python, env={"PYTHONMALLOC": "malloc"})
        self.assertEqual((done.stdout, done.stderr), ("install 0 0\n" + self.ALIVE + self.GONE, ""))

    def test_too_late_is_a_take_over(self):
        done = self.run_it(self.with_python, "late")
        self.assertEqual(done.stdout, "install -3, take over 0 \n"
                                      "late installed 1, peak below 100 MiB 1, mixed 0, balanced 1\n")

    def test_under_the_command_it_is_done_already(self):
        for mode in ("", "twice"):
            done = self.run_it(self.with_python, mode, before=[harness.TIDEMARK, "run", "--"])
            self.assertIn(self.ALIVE, done.stdout)
            self.assertEqual(done.stderr, "")

    def test_without_python_there_is_nothing_to_do(self):
        done = self.run_it(self.without)
        self.assertEqual(done.stdout, "-4 -4 this process has no Python, 0\n")


if __name__ == "__main__":
    unittest.main()
