/*
 * serve.c - the monitor. Its library, with libuv, is loaded when it is asked for and not before; it
 * stands beside the library that answers for the heap.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tidemark/monitor.h>

#include "hosts/python_module/module.h"

static struct {
  void (*options_init)(tm_monitor_options *options);
  int (*start)(const tm_monitor_options *options);
  int (*port)(void);
  void (*stop)(void);
  const char *(*explain)(int error); /* uv_strerror */
} monitor;

static bool library_path(char path[PATH_MAX])
{
  Dl_info info;
  if (!dladdr((void *)(uintptr_t)tm_version, &info) || !info.dli_fname)
    return false;
  const char *slash = strrchr(info.dli_fname, '/');
  int length = slash ? (int)(slash - info.dli_fname) + 1 : 0;
  return snprintf(path, PATH_MAX, "%.*slibtidemark-monitor.so", length, info.dli_fname) < PATH_MAX;
}

/* POSIX says that the conversion is good. */
static bool find(void *library, const char *name, void *function_pointer)
{
  void *address = dlsym(library, name);
  memcpy(function_pointer, &address, sizeof address);
  return address != NULL;
}

static bool load(void)
{
  char path[PATH_MAX];
  if (monitor.start)
    return true;
  void *library = library_path(path) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library && find(library, "tm_monitor_options_init", &monitor.options_init) &&
      find(library, "tm_monitor_thread_port", &monitor.port) &&
      find(library, "tm_monitor_thread_stop", &monitor.stop) &&
      find(library, "uv_strerror", &monitor.explain) &&
      find(library, "tm_monitor_thread_start_with", &monitor.start))
    return true;
  const char *why = dlerror();
  PyErr_Format(PyExc_RuntimeError, "the monitor cannot be loaded: %s",
               why ? why : "its path is too long");
  return false;
}

static PyObject *monitor_start(PyObject *self, PyObject *arguments)
{
  int port;
  char address[32];
  tm_monitor_options options;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "i", &port) || !load())
    return NULL;
  (void)snprintf(address, sizeof address, "127.0.0.1:%d", port);
  monitor.options_init(&options);
  options.address = address;
  PyThreadState *gil = PyEval_SaveThread();
  int error = monitor.start(&options);
  PyEval_RestoreThread(gil);
  if (!error)
    return PyLong_FromLong(monitor.port());
  PyErr_Format(PyExc_OSError, "the monitor did not start on %s: %s", address,
               monitor.explain(error));
  return NULL;
}

static PyObject *monitor_port(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  return PyLong_FromLong(monitor.start ? monitor.port() : 0);
}

static PyObject *monitor_stop(PyObject *self, PyObject *unused)
{
  (void)self, (void)unused;
  if (monitor.start) {
    PyThreadState *gil = PyEval_SaveThread();
    monitor.stop();
    PyEval_RestoreThread(gil);
  }
  Py_RETURN_NONE;
}

PyMethodDef tm__py_serve[] = {
    {"monitor_start", monitor_start, METH_VARARGS, "monitor_start(port): the port it got."},
    {"monitor_port", monitor_port, METH_NOARGS, "Its port, 0 when it does not run."},
    {"monitor_stop", monitor_stop, METH_NOARGS, "End it; waits for its thread."},
    {NULL, NULL, 0, NULL},
};
