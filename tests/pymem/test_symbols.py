"""Every name of the manual's memory interface is a symbol of libtidemark-pymem, and works when it
is found by dlsym; libtidemark itself has none of them, so that it can live next to CPython."""
import os
import subprocess
import sys
import unittest

LIB = os.path.join(os.environ["TIDEMARK_BUILD"], "lib")

NAMES = """
PyMem_RawMalloc PyMem_RawCalloc PyMem_RawRealloc PyMem_RawFree
PyMem_Malloc PyMem_Calloc PyMem_Realloc PyMem_Free
PyObject_Malloc PyObject_Calloc PyObject_Realloc PyObject_Free
PyMem_New PyMem_Resize PyMem_Del
PyMem_MALLOC PyMem_REALLOC PyMem_FREE PyMem_NEW PyMem_RESIZE PyMem_DEL
PyObject_New PyObject_NewVar PyObject_Del PyObject_NEW PyObject_NEW_VAR
""".split()


def exported(library):
    out = subprocess.run(["nm", "-D", "--defined-only", os.path.join(LIB, library)],
                         check=True, capture_output=True, text=True, timeout=60).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


class Symbols(unittest.TestCase):
    def test_all_names_are_there(self):
        self.assertEqual(set(NAMES) - exported("libtidemark-pymem.so"), set())

    def test_nothing_else_is_exported(self):
        self.assertEqual(exported("libtidemark-pymem.so") - set(NAMES), {"tm_type_close"})

    def test_the_heap_has_no_name_of_python(self):
        names = exported("libtidemark.so")
        self.assertIn("tm_malloc", names)
        self.assertEqual([name for name in names if name.startswith("Py")], [])


# A process that is not this one: this one is CPython and has a PyMem_Malloc of its own.
PROGRAM = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  void *(*make)(size_t) = library ? dlsym(library, "PyMem_Malloc") : NULL;
  void *(*grow)(void *, size_t) = library ? dlsym(library, "PyMem_Realloc") : NULL;
  void (*end)(void *) = library ? dlsym(library, "PyMem_Free") : NULL;
  if (argc != 2 || !make || !grow || !end)
    return puts(dlerror()), 1;
  char *p = make(10);
  strcpy(p, "dlopened");
  p = grow(p, 1 << 20);
  puts(p);
  end(p);
  return 0;
}
"""


class Dlopen(unittest.TestCase):
    def test_dlopened_library_works(self):
        with open("dlopened.c", "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run([os.environ.get("CC", "cc"), "dlopened.c", "-o", "dlopened", "-ldl"],
                       check=True, timeout=100)
        run = subprocess.run(["./dlopened", os.path.join(LIB, "libtidemark-pymem.so")],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "dlopened\n", ""))


if __name__ == "__main__":
    if not os.path.exists(os.path.join(LIB, "libtidemark-pymem.so")):
        print("SKIP: libtidemark-pymem.so is not built")
        sys.exit(77)
    unittest.main()
