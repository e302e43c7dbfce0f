/*
 * takeover.c - tidemark/python.h: taking over before an interpreter starts, and while it runs.
 *
 * In a running interpreter blocks exist already. domains.c knows ours by their address and gives
 * the others to the functions that it found. That is safe iff those functions are allocators that
 * need nothing but the pointer. Wrappers are not: their blocks have a frame around them or a line
 * in a table, they rely on their ctx while another thread may pair it with our function, and
 * tracemalloc.stop() puts back what it found, which then gets our blocks. All of them have a ctx;
 * Python's own allocators have none. So that is what decides.
 */
#include <tidemark/python.h>

#include "base/assert.h"
#include "base/os.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

static bool python_is_there(void)
{
  return PyMem_SetAllocator && PyMem_GetAllocator && Py_IsInitialized && PyInterpreterState_GetDict;
}

/* ---- Why not -------------------------------------------------------------------------------- */

static bool is_wrapped(void)
{
  for (PyMemAllocatorDomain domain = PYMEM_DOMAIN_RAW; domain <= PYMEM_DOMAIN_OBJ; domain++) {
    PyMemAllocatorEx now;
    PyMem_GetAllocator(domain, &now);
    if (now.ctx)
      return true;
  }
  return false;
}

/* Only asked when something wraps, for the sentence. A module that the program did not import stays
 * out of its sys.modules. */
static bool is_traced(void)
{
  PyObject *modules = PyImport_GetModuleDict();
  bool was_there = modules && PyDict_GetItemString(modules, "_tracemalloc");
  PyObject *module = PyImport_ImportModule("_tracemalloc");
  PyObject *ask = module ? PyObject_GetAttrString(module, "is_tracing") : NULL;
  PyObject *answer = ask ? PyObject_CallFunction(ask, NULL) : NULL;
  bool traced = answer && PyObject_IsTrue(answer) == 1;
  if (module && !was_there)
    (void)PyDict_DelItemString(modules, "_tracemalloc");
  Py_DecRef(answer);
  Py_DecRef(ask);
  Py_DecRef(module);
  PyErr_Clear();
  return traced;
}

static bool is_main_interpreter(void)
{
  PyInterpreterState *(*now)(void) = PyInterpreterState_Get;
  if (!now)
    now = _PyInterpreterState_Get; /* 3.8 */
  return !now || now() == PyInterpreterState_Main();
}

static int refuse(int error, char *why, size_t capacity, const char *reason)
{
  if (why)
    (void)tm__format(why, capacity, "%s", reason);
  return error;
}

static int refuse_wrapped(char *why, size_t capacity)
{
  const char *mode = tm__os_env("PYTHONMALLOC");
  if (is_traced())
    return refuse(TM_EBUSY, why, capacity,
                  "tracemalloc is tracing: its stop() would put back what it found and give our "
                  "blocks to it; start it after install()");
  if (mode && *mode)
    return refuse(TM_EBUSY, why, capacity,
                  "PYTHONMALLOC put debug hooks around Python's allocators; unset it");
  return refuse(TM_EBUSY, why, capacity,
                "debug hooks (-X dev has them) or an allocator of the program's own stand around "
                "Python's allocators");
}

/* ---- Public --------------------------------------------------------------------------------- */

int tm_python_install(void)
{
  if (tm__cpython_installed())
    return TM_OK;
  if (!python_is_there())
    return TM_ENOTSUP;
  return tm__cpython_install() ? TM_OK : TM_EBUSY;
}

int tm_python_take_over(char *why, size_t capacity)
{
  if (!python_is_there())
    return refuse(TM_ENOTSUP, why, capacity, "this process has no Python");
  if (!Py_IsInitialized())
    return refuse(TM_ENOTSUP, why, capacity, "the interpreter is not initialised");
  if (tm__cpython_installed()) {
    if (tm_python_installed())
      return TM_OK;
    return refuse(TM_EBUSY, why, capacity,
                  "PYTHONMALLOC or -X dev put Python's own allocators back in our place");
  }
  if (!is_main_interpreter())
    return refuse(TM_ENOTSUP, why, capacity, "only the main interpreter can be taken over");
  if (is_wrapped())
    return refuse_wrapped(why, capacity);
  if (!tm__cpython_hooks_prepare())
    return refuse(TM_ENOMEM, why, capacity, "the module gc cannot be used");
  const char *mismatch = tm__os_env("TM_MISMATCH");
  if (!mismatch || !*mismatch)
    (void)tm_mismatch_set(TM_MISMATCH_REPORT); /* a program that ran so far does not end here */
  tm__cpython_join();
  tm__cpython_serve();
  return TM_OK;
}

int tm_python_installed(void)
{
  if (!tm__cpython_installed())
    return 0;
  return tm__cpython_ready() ? !tm__cpython_displaced() : tm__cpython_on_top();
}

void tm_python_poll(void)
{
  if (tm__cpython_ready())
    tm__cpython_serve();
}

int tm_python_mode_set(tm_python_mode mode)
{
  if (mode != TM_PYTHON_BYTES && mode != TM_PYTHON_ASSIST)
    return TM_EINVAL;
  tm__cpython_assist_set(mode == TM_PYTHON_ASSIST);
  return TM_OK;
}

tm_python_mode tm_python_mode_get(void)
{
  return tm__cpython_assists() ? TM_PYTHON_ASSIST : TM_PYTHON_BYTES;
}
