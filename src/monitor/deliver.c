/*
 * deliver.c - from a thread that crossed a trip to tm_poll on the loop.
 *
 * The engine calls notify outside its locks: a call may still be on its way when the notify was
 * taken back. So notify's ctx is not the monitor, which may be gone by then, but a static slot that
 * names it while it lives and counts the calls that are inside.
 */
#define _GNU_SOURCE
#include "monitor/deliver.h"

#include <sched.h>

enum { SLOTS = 64, AGAIN_MS = 20 };

static struct slot {
  _Atomic(tm__monitor *) monitor;
  _Atomic(int) inside;
} slots[SLOTS];

void tm__deliver_wake(tm__monitor *m)
{
  if (atomic_exchange(&m->woken, 1) == 0)
    (void)uv_async_send(&m->wake);
}

static void on_notify(void *ctx, tm_heap *heap)
{
  struct slot *slot = ctx;
  (void)heap;
  atomic_fetch_add(&slot->inside, 1);
  tm__monitor *m = atomic_load(&slot->monitor);
  if (m)
    tm__deliver_wake(m);
  atomic_fetch_sub(&slot->inside, 1);
}

int tm__deliver_start(tm__monitor *m)
{
  if (!m->options.deliver_heap)
    return 0;
  for (int i = 0; i < SLOTS; i++) {
    tm__monitor *none = NULL;
    if (!atomic_compare_exchange_strong(&slots[i].monitor, &none, m))
      continue;
    m->slot = i;
    (void)tm_notify_set(m->options.deliver_heap, on_notify, &slots[i]);
    return 0;
  }
  return UV_ENOSPC;
}

void tm__deliver_stop(tm__monitor *m)
{
  (void)uv_timer_stop(&m->due);
  if (m->slot < 0)
    return;
  struct slot *slot = &slots[m->slot];
  (void)tm_notify_set(m->options.deliver_heap, NULL, NULL);
  atomic_store(&slot->monitor, NULL);
  while (atomic_load(&slot->inside))
    sched_yield();
  m->slot = -1;
}

static void on_due(uv_timer_t *timer)
{
  tm__deliver_run(timer->data);
}

void tm__deliver_run(tm__monitor *m)
{
  tm_heap *heap = m->options.deliver_heap;
  if (m->slot < 0 || !tm_pending(heap))
    return;
  int actions = tm_poll(heap);
  if (actions > 0)
    m->cost.deliveries += (uint64_t)actions;
  if (m->slot < 0 || !tm_pending(heap)) /* a hook may have stopped us */
    return;
  /* Held back until a time, or busy in another thread: look again, and let others run meanwhile. */
  uint64_t due = tm_next_due_ns(heap), now = uv_hrtime();
  uint64_t ms = due > now ? (due - now) / 1000000u + 1 : due ? 0 : AGAIN_MS;
  (void)uv_timer_start(&m->due, on_due, actions > 0 && !due ? 0 : ms, 0);
}
