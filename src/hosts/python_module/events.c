/* events.c - the log as lines of JSON, and the one callable that hears of each record. */
#include "hosts/python_module/module.h"

static PyObject *listener; /* called with a dict; NULL = nobody */
static PyObject *loads;    /* json.loads, as long as there is a listener */
static PyObject *owner;    /* the module object that was asked: a sub-interpreter has its own */

static size_t write_record(const void *record, char *buffer, size_t capacity)
{
  return tm_record_json(record, buffer, capacity);
}

static PyObject *log_json(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  PyObject *list = PyList_New(0);
  tm_record record;
  uint64_t cursor = 0;
  /* what is written while we read waits for the next time: making the list may write to the log */
  for (int n = 0; list && n < 256 && tm_log_read(tm_heap_default(), &cursor, &record) == 1; n++) {
    PyObject *line = tm__py_text(write_record, &record);
    if (!line || PyList_Append(list, line) != 0)
      Py_CLEAR(list);
    Py_XDECREF(line);
  }
  return list;
}

/* At a safe point, see python.h. What the listener raises goes where exceptions of destructors go,
 * sys.unraisablehook: whoever runs right now did not call it. It may replace itself. */
static void tell(void *ctx, const tm_record *record)
{
  (void)ctx;
  PyObject *who = listener, *decode = loads;
  if (!who || !decode)
    return;
  Py_IncRef(who);
  Py_IncRef(decode);
  PyObject *line = tm__py_text(write_record, record);
  PyObject *event = line ? PyObject_CallFunctionObjArgs(decode, line, NULL) : NULL;
  PyObject *answer = event ? PyObject_CallFunctionObjArgs(who, event, NULL) : NULL;
  if (!answer)
    PyErr_WriteUnraisable(who);
  Py_XDECREF(answer);
  Py_XDECREF(event);
  Py_XDECREF(line);
  Py_DecRef(decode);
  Py_DecRef(who);
}

static void forget(void)
{
  PyObject *before = listener, *decode_before = loads;
  tm_python_on_event(NULL, NULL);
  listener = loads = owner = NULL;
  Py_XDECREF(before); /* last: it may run anything */
  Py_XDECREF(decode_before);
}

static PyObject *on_event(PyObject *self, PyObject *arguments)
{
  PyObject *callable, *decode;
  if (!PyArg_ParseTuple(arguments, "OO", &callable, &decode))
    return NULL;
  if (callable == Py_None) {
    forget();
    Py_RETURN_NONE;
  }
  PyObject *before = listener, *decode_before = loads;
  Py_IncRef(callable);
  Py_IncRef(decode);
  listener = callable;
  loads = decode;
  owner = self; /* not a reference: it tells when it goes */
  tm_python_on_event(tell, NULL);
  Py_XDECREF(before); /* last: it may run anything */
  Py_XDECREF(decode_before);
  Py_RETURN_NONE;
}

void tm__py_events_end(const void *module)
{
  if (owner && module == owner)
    forget();
}

PyMethodDef tm__py_events[] = {
    {"log_json", log_json, METH_NOARGS, "The last 256 records of the log, a line of JSON each."},
    {"on_event", on_event, METH_VARARGS, "on_event(callable or None, json.loads)"},
    {NULL, NULL, 0, NULL},
};
