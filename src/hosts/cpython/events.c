/*
 * events.c - who wants to hear of decisions hears of them at a safe point.
 *
 * The log is written wherever a decision is made, also inside an allocation. So nobody is called
 * from there: each safe point reads on from where the last one stopped. All of it is under the GIL;
 * but a listener that runs Python lets other threads have it in between, and one of them may come
 * by here. It leaves the rest to who is at it, so that the order holds.
 */
#include "hosts/cpython/inside.h"

#include <tidemark/python.h>

/* A listener whose own work makes records must not keep a safe point for ever. */
enum { AT_ONCE = 256 };

static tm_python_event_fn listener;
static void *listener_ctx;
static uint64_t cursor;
static bool delivering;

void tm__cpython_events_deliver(void)
{
  tm_record record;
  if (!listener || delivering)
    return;
  delivering = true;
  for (int n = 0; n < AT_ONCE && listener; n++) {
    if (tm_log_read(tm_heap_default(), &cursor, &record) != 1)
      break;
    listener(listener_ctx, &record);
  }
  delivering = false;
}

/* The thread that was at it may not have come along. */
void tm__cpython_events_forked(void)
{
  delivering = false;
}

void tm_python_on_event(tm_python_event_fn fn, void *ctx)
{
  tm_record record;
  if (!listener) /* what was before is not told */
    while (tm_log_read(tm_heap_default(), &cursor, &record) == 1)
      ;
  listener = fn;
  listener_ctx = ctx;
}
