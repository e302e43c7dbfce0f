/*
 * finder.c - `import tidemark` works under `tidemark run`, whatever interpreter it is.
 *
 * The package stands beside the preload library, where no interpreter looks. A program's sys.path
 * stays as it is: one more finder at the end of sys.meta_path answers for the one name `tidemark`,
 * and only when nothing before it had that module. It looks for files no earlier than that. It is a
 * module object of C functions, so that start-up compiles nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

static const char package_beside[] = "/tidemark/python"; /* as CMake installs it, */
static const char wheels_own[] =
    "/tidemark/_native/lib"; /* and as pip does: the package is above */

static bool offered;
static bool added; /* to this interpreter; under the GIL */

/* The directory that the package is in, or "". */
static void find_place(char place[PATH_MAX])
{
  Dl_info self;
  *place = 0;
  if (!dladdr((void *)(uintptr_t)find_place, &self) || !self.dli_fname)
    return;
  const char *slash = strrchr(self.dli_fname, '/');
  size_t length = slash ? (size_t)(slash - self.dli_fname) : 0, tail = sizeof wheels_own - 1;
  if (!length || length + sizeof package_beside > PATH_MAX)
    return;
  memcpy(place, self.dli_fname, length);
  if (length > tail && memcmp(place + length - tail, wheels_own, tail) == 0)
    place[length - tail] = 0;
  else
    memcpy(place + length, package_beside, sizeof package_beside);
}

/* find_spec(name, path, target): Python's own PathFinder does the work. */
static PyObject *find_spec(PyObject *self, PyObject *arguments)
{
  (void)self;
  char place[PATH_MAX];
  PyObject *name = PyTuple_GetItem(arguments, 0);
  if (!name)
    return NULL;
  if (PyUnicode_CompareWithASCIIString(name, "tidemark") != 0)
    return Py_BuildValue(""); /* None */
  find_place(place);
  PyObject *module = PyImport_ImportModule("_frozen_importlib_external"), *spec = NULL;
  PyObject *finder = module ? PyObject_GetAttrString(module, "PathFinder") : NULL;
  if (finder)
    spec = PyObject_CallMethod(finder, "find_spec", "s[s]", "tidemark", place);
  Py_DecRef(finder);
  Py_DecRef(module);
  return spec;
}

static PyMethodDef method = {"find_spec", find_spec, METH_VARARGS, NULL};

/* Python's own finders are classes, so programs ask any finder for its __module__. */
static PyObject *new_finder(void)
{
  PyObject *finder = PyModule_New("tidemark.finder");
  PyObject *function = finder ? PyCFunction_NewEx(&method, NULL, NULL) : NULL;
  PyObject *name = function ? Py_BuildValue("s", "tidemark.finder") : NULL;
  bool complete = name && PyObject_SetAttrString(finder, "find_spec", function) == 0 &&
                  PyObject_SetAttrString(finder, "__module__", name) == 0;
  Py_DecRef(function);
  Py_DecRef(name);
  if (complete)
    return finder;
  Py_DecRef(finder);
  return NULL;
}

void tm__cpython_finder_offer(void)
{
  offered = true;
}

void tm__cpython_finder_add(void)
{
  if (!offered || added)
    return;
  added = true;
  PyObject *path = PySys_GetObject("meta_path"); /* borrowed */
  PyObject *finder = path ? new_finder() : NULL;
  if (finder)
    (void)PyList_Append(path, finder);
  Py_DecRef(finder);
  PyErr_Clear();
}

void tm__cpython_finder_drop(void)
{
  added = false;
}
