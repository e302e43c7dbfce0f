/* module.c - the module _tidemark: start, end, and the take-over. */
#define _GNU_SOURCE
#include "hosts/python_module/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* ---- What the other files use --------------------------------------------------------------- */

PyObject *tm__py_result(int error)
{
  if (error == TM_OK)
    Py_RETURN_NONE;
  if (error == TM_ENOMEM)
    return PyErr_NoMemory();
  if (error == TM_EIO && errno)
    return PyErr_SetFromErrno(PyExc_OSError);
  PyObject *type = PyExc_RuntimeError;
  if (error == TM_EINVAL)
    type = PyExc_ValueError;
  else if (error == TM_EBUSY)
    type = PyExc_BlockingIOError;
  PyErr_SetString(type, tm_strerror(error));
  return NULL;
}

PyObject *tm__py_text(tm__py_text_fn fn, const void *from)
{
  size_t capacity = 8192;
  for (;;) {
    char *buffer = PyMem_Malloc(capacity);
    if (!buffer)
      return PyErr_NoMemory();
    size_t length = fn(from, buffer, capacity);
    PyObject *text = NULL;
    if (length < capacity)
      text = PyUnicode_DecodeUTF8(buffer, (Py_ssize_t)length, "replace");
    PyMem_Free(buffer);
    if (length < capacity)
      return text;
    capacity = length + 1024; /* it may grow meanwhile */
  }
}

/* ---- The take-over -------------------------------------------------------------------------- */

static PyObject *install(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  char why[192] = "";
  int error = tm_python_take_over(why, sizeof why);
  if (error == TM_OK)
    Py_RETURN_NONE;
  if (error == TM_ENOMEM)
    return PyErr_NoMemory();
  PyErr_SetString(PyExc_RuntimeError, why);
  return NULL;
}

static PyObject *installed(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  return PyBool_FromLong(tm_python_installed());
}

static PyObject *poll_now(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  tm_python_poll();
  Py_RETURN_NONE;
}

/* The library that answers: a path, for those who look for what stands beside it. */
static PyObject *library(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  Dl_info info;
  if (dladdr((void *)(uintptr_t)tm_version, &info) && info.dli_fname)
    return PyUnicode_DecodeFSDefault(info.dli_fname);
  Py_RETURN_NONE;
}

static PyMethodDef own[] = {
    {"install", install, METH_NOARGS, "Put the heap under this interpreter."},
    {"installed", installed, METH_NOARGS, "Whether Python's blocks come from the heap."},
    {"poll", poll_now, METH_NOARGS, "A safe point, here and now."},
    {"library", library, METH_NOARGS, "The path of the library that answers."},
    {NULL, NULL, 0, NULL},
};

/* ---- The module ----------------------------------------------------------------------------- */

/* A name that one library lacks is bound to another: half of the calls would go to another heap.
 * That is a package and a `tidemark run` of different versions. */
static bool one_library_answers(void)
{
  const void *const names[] = {(void *)(uintptr_t)tm_version,
                               (void *)(uintptr_t)tm_python_installed,
                               (void *)(uintptr_t)tm_python_on_event, (void *)(uintptr_t)tm_trim,
                               (void *)(uintptr_t)tm_inform};
  Dl_info first, other;
  if (!dladdr(names[0], &first) || strcmp(tm_version(), TM_VERSION_STRING) != 0)
    return false;
  for (size_t i = 1; i < TM_ARRAY_LEN(names); i++)
    if (!dladdr(names[i], &other) || other.dli_fbase != first.dli_fbase)
      return false;
  return true;
}

static int begin(PyObject *module)
{
  PyMethodDef *const parts[] = {own,           tm__py_books, tm__py_engine,
                                tm__py_events, tm__py_serve, tm__py_numpy};
  if (!one_library_answers()) {
    PyErr_Format(PyExc_ImportError,
                 "this package is version %s, and another version of tidemark (%s) runs in this "
                 "process",
                 TM_VERSION_STRING, tm_version());
    return -1;
  }
  for (size_t i = 0; i < TM_ARRAY_LEN(parts); i++)
    if (PyModule_AddFunctions(module, parts[i]) != 0)
      return -1;
  return PyModule_AddStringConstant(module, "version", tm_version());
}

static void end(void *module)
{
  tm__py_events_end(module);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)(uintptr_t)begin}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_tidemark",
                                 .m_doc = "Functions of the C library; use tidemark instead.",
                                 .m_slots = slots, .m_free = end};

PyMODINIT_FUNC PyInit__tidemark(void);
PyMODINIT_FUNC PyInit__tidemark(void)
{
  return PyModuleDef_Init(&definition);
}
