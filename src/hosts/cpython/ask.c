/*
 * ask.c - from the engine's notify to a safe point.
 *
 * notify comes out of the middle of an allocation, in any thread, with or without the GIL. It only
 * leaves a request behind: a pending call, which the main thread serves between two bytecodes, and
 * a word to the collector thread, which steps in when the main thread does not come (collector.c).
 * One request and one pending call at a time: CPython has 32 places for everybody.
 */
#include "base/atomics.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

static _Atomic(bool) asked;  /* a request waits */
static _Atomic(bool) queued; /* our call is among Python's pending calls */

static int serve_pending(void *ctx)
{
  (void)ctx;
  atomic_store(&queued, false);
  tm__cpython_collector_main_is_back();
  if (tm__cpython_asked() && tm__cpython_ready())
    tm__cpython_serve();
  return 0; /* anything else would raise an exception in whatever the program is doing */
}

static void queue_call(void)
{
  if (!atomic_exchange(&queued, true) && Py_AddPendingCall(serve_pending, NULL) != 0)
    atomic_store(&queued, false); /* no place free: the collector thread has heard of it too */
}

void tm__cpython_ask(void)
{
  atomic_store(&asked, true);
  queue_call();
}

void tm__cpython_notify(void *ctx, tm_heap *heap)
{
  (void)ctx, (void)heap;
  if (!tm__cpython_ready() && !tm__cpython_arrived_displaced())
    return; /* on arrival everything that is pending is served */
  atomic_store(&asked, true);
  /* A thread without the GIL may be inside anything; the collector thread asks for it. */
  if (PyGILState_Check())
    queue_call();
  tm__cpython_collector_wake();
}

bool tm__cpython_asked(void)
{
  return atomic_load(&asked);
}

void tm__cpython_serve(void)
{
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  atomic_store(&asked, false); /* before the poll: what crosses during it is a new request */
  if (tm__cpython_hooks_prepare()) {
    tm__cpython_finder_add();
    tm__cpython_frames_prepare();
    tm__cpython_thresholds_keep(tm__cpython_displaced());
    (void)tm_poll(tm_heap_default());
    tm__cpython_events_deliver();
  }
  PyErr_Restore(type, value, traceback);
}

void tm__cpython_ask_reset(bool queue_is_gone)
{
  atomic_store(&asked, false);
  if (queue_is_gone)
    atomic_store(&queued, false);
}
