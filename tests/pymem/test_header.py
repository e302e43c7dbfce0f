"""pymem.h alone compiles in C and C++, without a warning; next to Python.h it says what to do."""
import os
import shutil
import subprocess
import sys
import sysconfig
import unittest

SOURCE = os.environ.get("TIDEMARK_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
INCLUDE = os.path.join(SOURCE, "include")
PYTHON_INCLUDE = sysconfig.get_paths()["include"]
CC = os.environ.get("CC", "cc")
CXX = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]
ADVICE = "include <tidemark/tidemark.h> instead of <tidemark/pymem.h>"

# Every macro once, with the casts that C++ insists on.
PROGRAM = """
#include <tidemark/pymem.h>
struct point { PyObject_HEAD int x; };
struct vector { PyObject_VAR_HEAD int x; };
extern PyTypeObject type;
PyTypeObject type = {"point", sizeof(struct point), 4, NULL, {NULL, NULL}};
int use(int n);
int use(int n)
{
  int *p = PyMem_New(int, n);
  PyMem_Resize(p, int, n + 1);
  PyMem_Del(p);
  p = PyMem_NEW(int, n);
  PyMem_RESIZE(p, int, 2 * n);
  PyMem_DEL(p);
  char *c = (char *)PyMem_MALLOC(3);
  c = (char *)PyMem_REALLOC(c, 9);
  PyMem_FREE(c);
  struct point *o = PyObject_New(struct point, &type), *old = PyObject_NEW(struct point, &type);
  struct vector *v = PyObject_NewVar(struct vector, &type, n);
  struct vector *w = PyObject_NEW_VAR(struct vector, &type, n);
  int sum = o->x + old->x + v->x + w->x;
  PyObject_Del(o);
  PyObject_Del(old);
  PyObject_Del(v);
  PyObject_Del(w);
  return sum;
}
"""


def compiles(compiler, text, *options, language="c"):
    """(it compiled, what the compiler said)"""
    run = subprocess.run([compiler, "-x", language, "-fsyntax-only", "-I", INCLUDE, *options, "-"],
                         input=text, text=True, capture_output=True, timeout=100)
    return run.returncode == 0, run.stderr


class Header(unittest.TestCase):
    def test_c(self):
        for standard in "c11", "c17", "gnu11":
            ok, said = compiles(CC, PROGRAM, f"-std={standard}", *STRICT)
            self.assertTrue(ok, said)

    def test_header_alone(self):
        ok, said = compiles(CC, "#include <tidemark/pymem.h>\nint x;\n", "-std=c11", *STRICT)
        self.assertTrue(ok, said)

    @unittest.skipUnless(CXX, "no C++ compiler is installed")
    def test_cxx(self):
        for standard in "c++11", "c++17", "c++20":
            ok, said = compiles(CXX, PROGRAM, f"-std={standard}", *STRICT, language="c++")
            self.assertTrue(ok, said)


@unittest.skipUnless(os.path.exists(os.path.join(PYTHON_INCLUDE, "Python.h")),
                     "Python.h is not installed")
class NextToPython(unittest.TestCase):
    BEFORE = "#include <Python.h>\n#include <tidemark/pymem.h>\n"
    AFTER = "#include <tidemark/pymem.h>\n#include <Python.h>\n"

    def refuses(self, compiler, text, language):
        ok, said = compiles(compiler, text, "-I", PYTHON_INCLUDE, language=language)
        self.assertFalse(ok, "it compiled")
        first = next(line for line in said.splitlines() if "error" in line)
        self.assertIn(ADVICE, first, said)

    def test_c(self):
        self.refuses(CC, self.BEFORE, "c")
        self.refuses(CC, self.AFTER, "c")

    @unittest.skipUnless(CXX, "no C++ compiler is installed")
    def test_cxx(self):
        self.refuses(CXX, self.BEFORE, "c++")
        self.refuses(CXX, self.AFTER, "c++")

    def test_tidemark_h_goes_with_python(self):
        for text in ("#include <Python.h>\n#include <tidemark/tidemark.h>\n",
                     "#include <tidemark/tidemark.h>\n#include <Python.h>\n"):
            ok, said = compiles(CC, text, "-I", PYTHON_INCLUDE)
            self.assertTrue(ok, said)


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    if result.skipped:  # the runner wants to see why
        print("\n".join(f"SKIP: {why}" for _, why in result.skipped))
        sys.exit(77 if result.wasSuccessful() else 1)
    sys.exit(0 if result.wasSuccessful() else 1)
