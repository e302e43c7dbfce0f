/* books.c - reading the books, telling of bytes that they cannot see, giving free memory back. */
#include "hosts/python_module/module.h"

static size_t write_stats(const void *heap, char *buffer, size_t capacity)
{
  return tm_stats_json(heap, buffer, capacity);
}

/* As JSON: the one place where the library says what a snapshot has in it. */
static PyObject *stats_json(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  return tm__py_text(write_stats, tm_heap_default());
}

static PyObject *footprint(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  return PyLong_FromUnsignedLongLong(tm_footprint(tm_heap_default()));
}

static PyObject *peak_reset(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  tm_peak_reset(tm_heap_default());
  Py_RETURN_NONE;
}

static PyObject *trim(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  PyThreadState *gil = PyEval_SaveThread();
  uint64_t returned = tm_trim(tm_heap_default());
  PyEval_RestoreThread(gil);
  return PyLong_FromUnsignedLongLong(returned);
}

static PyObject *inform(PyObject *self, PyObject *arguments)
{
  const char *tag;
  long long delta_bytes;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "sL", &tag, &delta_bytes))
    return NULL;
  tm_inform(tm_heap_default(), tag, delta_bytes);
  Py_RETURN_NONE;
}

PyMethodDef tm__py_books[] = {
    {"stats_json", stats_json, METH_NOARGS, "The snapshot, as JSON."},
    {"footprint", footprint, METH_NOARGS, "Live plus informed bytes."},
    {"peak_reset", peak_reset, METH_NOARGS, "Start the peak again."},
    {"trim", trim, METH_NOARGS, "Give free memory back; the bytes that went."},
    {"inform", inform, METH_VARARGS, "inform(tag, delta): bytes that the heap cannot see."},
    {NULL, NULL, 0, NULL},
};
