/* engine.c - limits, the policy, and recording what the engine sees. */
#include <errno.h>
#include <tidemark/trace.h>

#include "gc/memory.h"
#include "gc/policy_text.h"
#include "hosts/python_module/module.h"

/* ---- Sizes and limits ----------------------------------------------------------------------- */

/* "512M", "75%" of what this process may have: as on the command line. */
static PyObject *size(PyObject *self, PyObject *arguments)
{
  const char *text;
  uint64_t bytes;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "s", &text))
    return NULL;
  int error = tm__limit_parse(text, tm__memory_whole(""), &bytes);
  if (error == TM_OK)
    return PyLong_FromUnsignedLongLong(bytes);
  PyErr_Format(PyExc_ValueError,
               error == TM_ERANGE
                   ? "'%s' is too large a size"
                   : "'%s' is not a size: write 4096, \"512M\", \"1.5G\" or \"75%%\"",
               text);
  return NULL;
}

static PyObject *limit_get(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  tm_heap *heap = tm_heap_default();
  return Py_BuildValue("(LL)", (long long)tm_limit_get(heap, TM_SOFT),
                       (long long)tm_limit_get(heap, TM_HARD));
}

static PyObject *limit_set(PyObject *self, PyObject *arguments)
{
  int is_hard;
  long long bytes;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "pL", &is_hard, &bytes))
    return NULL;
  return tm__py_result(tm_limit_set(tm_heap_default(), is_hard ? TM_HARD : TM_SOFT, bytes));
}

/* ---- Policy --------------------------------------------------------------------------------- */

static PyObject *policy_get(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  tm_policy policy;
  char text[64];
  tm_policy_init(&policy);
  int error = tm_policy_get(tm_heap_default(), &policy);
  if (error)
    return tm__py_result(error);
  (void)tm__policy_format(&policy, text, sizeof text);
  return PyUnicode_FromString(text);
}

static PyObject *policy_set(PyObject *self, PyObject *arguments)
{
  const char *text;
  char why[192];
  tm_policy policy;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "s", &text))
    return NULL;
  if (tm__policy_parse(text, &policy, why, sizeof why) != TM_OK) {
    PyErr_Format(PyExc_ValueError, "'%s' is not a policy: %s", text, why);
    return NULL;
  }
  return tm__py_result(tm_policy_set(tm_heap_default(), &policy));
}

static PyObject *assist_get(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  return PyBool_FromLong(tm_python_mode_get() == TM_PYTHON_ASSIST);
}

static PyObject *assist_set(PyObject *self, PyObject *arguments)
{
  int on;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "p", &on))
    return NULL;
  return tm__py_result(tm_python_mode_set(on ? TM_PYTHON_ASSIST : TM_PYTHON_BYTES));
}

/* ---- Recording ------------------------------------------------------------------------------ */

static PyObject *record_start(PyObject *self, PyObject *arguments)
{
  PyObject *path;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "O&", PyUnicode_FSConverter, &path))
    return NULL;
  errno = 0;
  int error = tm_trace_start(tm_heap_default(), PyBytes_AsString(path));
  PyObject *result = tm__py_result(error);
  Py_DecRef(path);
  return result;
}

static PyObject *record_stop(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  errno = 0;
  return tm__py_result(tm_trace_stop(tm_heap_default()));
}

PyMethodDef tm__py_engine[] = {
    {"size", size, METH_VARARGS, "size(text): the bytes that it names."},
    {"limit_get", limit_get, METH_NOARGS, "(soft, hard) in bytes, 0 is none."},
    {"limit_set", limit_set, METH_VARARGS, "limit_set(is_hard, bytes)"},
    {"policy_get", policy_get, METH_NOARGS, "The policy as `tidemark run --policy` writes it."},
    {"policy_set", policy_set, METH_VARARGS, "policy_set(text)"},
    {"assist_get", assist_get, METH_NOARGS, "Whether Python's own trigger stays as it is."},
    {"assist_set", assist_set, METH_VARARGS, "assist_set(on)"},
    {"record_start", record_start, METH_VARARGS, "record_start(path)"},
    {"record_stop", record_stop, METH_NOARGS, "End the recording."},
    {NULL, NULL, 0, NULL},
};
