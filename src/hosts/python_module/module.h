/*
 * module.h - _tidemark, the C half of the Python package `tidemark`: public functions of the
 * library, one by one, with Python's types. Whatever can be said in Python is in tidemark/.
 *
 *   module.c   the module, install, poll
 *   books.c    statistics, inform, trim
 *   engine.c   limits, policy, recording
 *   events.c   the log, and who hears of it
 *   serve.c    the monitor
 *   numpy.c    the data of arrays
 *
 * Built for Python's stable ABI, so that one binary serves 3.8 and later. Which copy of the library
 * answers is the loader's choice: under `tidemark run` the preloaded one, which has the heap that
 * the process uses; otherwise libtidemark.so, which comes with the module.
 */
#ifndef TM_HOSTS_PYTHON_MODULE_H
#define TM_HOSTS_PYTHON_MODULE_H

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>
#include <tidemark/python.h>
#include <tidemark/tidemark.h>

#include "base/hints.h"

/* The functions of one file; ended by an entry without a name. */
TM_HIDDEN extern PyMethodDef tm__py_books[], tm__py_engine[], tm__py_events[], tm__py_serve[],
    tm__py_numpy[];

/* None, or the exception that fits a TM_E* code: ValueError, MemoryError, BlockingIOError for
 * TM_EBUSY, OSError (from errno) for TM_EIO, else RuntimeError. */
TM_HIDDEN PyObject *tm__py_result(int error);

/* A text that is written as tm_stats_json writes: called until the buffer is long enough. */
typedef size_t (*tm__py_text_fn)(const void *from, char *buffer, size_t capacity);
TM_HIDDEN PyObject *tm__py_text(tm__py_text_fn fn, const void *from);

/* A module object goes: so does the listener that was set by it. */
TM_HIDDEN void tm__py_events_end(const void *module);

#endif
