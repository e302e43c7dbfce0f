/*
 * life.c - when may Python be called? Not before it is initialised, not once it finalizes, and not
 * while a forked child is still making its locks again.
 *
 * The first moment is found without a check on any hot path: until then mem_malloc is a twin that
 * looks (domains.c), afterwards it is replaced. The last one is found by an object in the
 * interpreter's own dictionary, which dies while the interpreter can still be called; programs do
 * not see it, unlike a function registered with atexit.
 */
#include "hosts/cpython/host.h"

#include <pthread.h>

#include "base/atomics.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

enum { ABSENT, START, READY };
static _Atomic(int) phase; /* see host.h */
static _Atomic(bool) was_ready;

bool tm__cpython_ready(void)
{
  return atomic_load_explicit(&phase, memory_order_acquire) == READY && Py_IsInitialized();
}

bool tm__cpython_installed(void)
{
  return atomic_load(&phase) != ABSENT;
}

bool tm__cpython_was_ready(void)
{
  return atomic_load(&was_ready);
}

void tm__cpython_arrived(void)
{
  if (!Py_IsInitialized())
    return;
  int start = START;
  if (!atomic_compare_exchange_strong(&phase, &start, READY))
    return; /* a wrapper keeps calling our watching twin: it has nothing to do any more */
  atomic_store(&was_ready, true);
  (void)tm__cpython_watch_set(false);
  tm__cpython_ask(); /* the first safe point, and whatever crossed before it */
}

bool tm__cpython_arrived_displaced(void)
{
  int start = START;
  if (!Py_IsInitialized() || tm__cpython_on_top() ||
      !atomic_compare_exchange_strong(&phase, &start, READY))
    return false;
  atomic_store(&was_ready, true);
  return true;
}

/* ---- The end of an interpreter -------------------------------------------------------------- */

/* Its dictionary is cleared: the GIL is held, finalizing has begun, nothing else runs. */
static void interpreter_ends(PyObject *capsule)
{
  (void)capsule;
  atomic_store(&phase, START); /* the program may initialise another one */
  tm__cpython_collector_expel();
  tm__cpython_hooks_drop();
  tm__cpython_finder_drop();
  tm__cpython_frames_forget();
  tm__cpython_ask_reset(true);
  (void)tm__cpython_watch_set(true);
}

bool tm__cpython_bind_end(void)
{
  PyInterpreterState *interpreter = PyInterpreterState_Main();
  PyObject *dict = interpreter ? PyInterpreterState_GetDict(interpreter) : NULL;
  if (!dict)
    return false;
  PyObject *capsule = PyCapsule_New(&phase, "tidemark", interpreter_ends);
  if (!capsule)
    return false;
  /* On failure the capsule dies here, which takes us back to START: nothing is left behind. */
  int error = PyDict_SetItemString(dict, "tidemark", capsule);
  Py_DecRef(capsule);
  return error == 0;
}

/* ---- Fork ----------------------------------------------------------------------------------- */

/* A thread of ours is not the program's business: without it, the child's locks are clean, and an
 * interpreter that counts threads sees what it would see without us. */
static void fork_prepare(void)
{
  (void)tm__cpython_collector_stop();
}

static void fork_child(void)
{
  tm__cpython_collector_init();
  tm__cpython_ask_reset(false);
  tm__cpython_displaced_forget();
  tm__cpython_events_forked();
  int ready = READY;
  if (!atomic_compare_exchange_strong(&phase, &ready, START))
    return;
  /* The interpreter makes its locks again with raw blocks only; the next mem block comes when
   * they are there. Under a wrapper there is no such mark, and its calls are harmless as well. */
  if (!tm__cpython_watch_set(true))
    atomic_store(&phase, READY);
}

/* ---- Install -------------------------------------------------------------------------------- */

static void begin_at(int first_phase)
{
  atomic_store(&phase, first_phase);
  tm__cpython_collector_init();
  tm__cpython_domains_take();
  tm__cpython_hooks_add();
  (void)pthread_atfork(fork_prepare, NULL, fork_child);
}

bool tm__cpython_install(void)
{
  if (!PyMem_SetAllocator || !PyMem_GetAllocator || !Py_IsInitialized ||
      !PyInterpreterState_GetDict)
    return false;
  if (Py_IsInitialized())
    return false;
  begin_at(START);
  return true;
}

void tm__cpython_join(void)
{
  begin_at(READY);
  atomic_store(&was_ready, true);
  (void)tm__cpython_watch_set(false);
  tm__cpython_thresholds_found();
}
