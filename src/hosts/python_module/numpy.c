/*
 * numpy.c - the data of numpy's arrays from the heap, where malloc is not ours.
 *
 * numpy keeps with each array the handler that made its data, so that handlers may change at any
 * time. Which one makes new arrays is a property of the context, as in contextvars. Nothing of
 * numpy is needed to build: its functions stand in a table, at places that never change.
 */
#include "hosts/python_module/module.h"

enum { FEATURE_VERSION = 211, SET_HANDLER = 304, HAS_HANDLERS = 0x0f /* numpy 1.22 */ };

/* As PyDataMem_Handler of numpy/ndarraytypes.h, version 1. */
typedef struct tm__numpy_handler {
  char name[127];
  uint8_t version;
  void *ctx;
  void *(*malloc)(void *ctx, size_t n);
  void *(*calloc)(void *ctx, size_t count, size_t size);
  void *(*realloc)(void *ctx, void *p, size_t n);
  void (*free)(void *ctx, void *p, size_t n);
} tm__numpy_handler;

static void *data_malloc(void *ctx, size_t n)
{
  return tm_malloc(ctx, TM_RAW, n);
}

static void *data_calloc(void *ctx, size_t count, size_t size)
{
  return tm_calloc(ctx, TM_RAW, count, size);
}

static void *data_realloc(void *ctx, void *p, size_t n)
{
  return tm_realloc(ctx, TM_RAW, p, n);
}

static void data_free(void *ctx, void *p, size_t n)
{
  (void)n;
  tm_free(ctx, TM_RAW, p);
}

static tm__numpy_handler handler = {"tidemark",   1,        NULL, data_malloc, data_calloc,
                                    data_realloc, data_free};

/* numpy_take(_ARRAY_API, on): what the next arrays of this context are made of. */
static PyObject *numpy_take(PyObject *self, PyObject *arguments)
{
  PyObject *capsule, *mine = NULL;
  int on;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "Op", &capsule, &on))
    return NULL;
  void **table = PyCapsule_GetPointer(capsule, NULL);
  if (!table)
    return NULL;
  unsigned (*version)(void) = (unsigned (*)(void))(uintptr_t)table[FEATURE_VERSION];
  if (version() < HAS_HANDLERS) {
    PyErr_SetString(PyExc_RuntimeError, "this numpy is older than 1.22: its data cannot be taken");
    return NULL;
  }
  PyObject *(*set)(PyObject *) = (PyObject * (*)(PyObject *))(uintptr_t)table[SET_HANDLER];
  handler.ctx = tm_heap_default();
  if (on && !(mine = PyCapsule_New(&handler, "mem_handler", NULL)))
    return NULL;
  PyObject *before = set(mine); /* NULL: numpy's own */
  Py_XDECREF(mine);
  if (!before)
    return NULL;
  Py_DecRef(before);
  Py_RETURN_NONE;
}

PyMethodDef tm__py_numpy[] = {
    {"numpy_take", numpy_take, METH_VARARGS, "numpy_take(_ARRAY_API, on)"},
    {NULL, NULL, 0, NULL},
};
