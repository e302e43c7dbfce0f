/*
 * fake_port.h - an engine over a heap that exists only as numbers. The clock moves when the test
 * says so; numbers are atomic, so that threads may play with them.
 */
#ifndef TM_TESTS_GC_FAKE_PORT_H
#define TM_TESTS_GC_FAKE_PORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gc/engine.h"
#include "gc/ladder.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define MS ((uint64_t)1000000)
#define SECOND ((uint64_t)1000000000)
#define NO_TRIP UINT64_MAX

typedef struct fake {
  tm__engine engine; /* first: static memory, zero at the start */
  _Atomic(uint64_t) now_ns, footprint, allocated, committed, dirty, fixable, informed, movable;
  _Atomic(unsigned) reads, trims, compacts, rearms, notifies;
  bool touched; /* by a trim */
  bool alone;   /* the test has one thread: locks can be looked at */
} fake;

/* Ports, hooks and notify are called with no lock held: they may take locks of their own. */
static void fake_lock_is_free(fake *f)
{
  if (!f->alone)
    return;
  assert_int_equal(pthread_mutex_trylock(&f->engine.lock), 0);
  (void)pthread_mutex_unlock(&f->engine.lock);
  assert_int_equal(pthread_mutex_trylock(&f->engine.hooks.lock), 0);
  (void)pthread_mutex_unlock(&f->engine.hooks.lock);
}

static void fake_read(void *ctx, tm__readings *out)
{
  fake *f = ctx;
  fake_lock_is_free(f);
  out->footprint_bytes = atomic_load(&f->footprint);
  out->allocated_bytes_total = atomic_load(&f->allocated);
  out->committed_bytes = atomic_load(&f->committed);
  out->dirty_bytes = atomic_load(&f->dirty);
  out->fixable_bytes = atomic_load(&f->fixable);
  out->informed_bytes = atomic_load(&f->informed);
  out->movable_bytes = atomic_load(&f->movable);
  atomic_fetch_add(&f->reads, 1);
}

static uint64_t fake_trim(void *ctx, bool touches)
{
  fake *f = ctx;
  f->touched |= touches;
  fake_lock_is_free(f);
  uint64_t dirty = atomic_exchange(&f->dirty, 0);
  atomic_fetch_sub(&f->committed, dirty);
  atomic_fetch_add(&f->trims, 1);
  return dirty;
}

static uint64_t fake_compact(void *ctx)
{
  fake *f = ctx;
  fake_lock_is_free(f);
  atomic_fetch_add(&f->compacts, 1);
  return atomic_exchange(&f->fixable, 0);
}

static void fake_rearm(void *ctx)
{
  fake *f = ctx;
  fake_lock_is_free(f);
  atomic_fetch_add(&f->rearms, 1);
}

static uint64_t fake_now(void *ctx)
{
  fake *f = ctx;
  return atomic_load(&f->now_ns);
}

static void fake_notify(void *ctx, tm_heap *heap)
{
  fake *f = ctx;
  assert_ptr_equal(heap, f);
  fake_lock_is_free(f);
  atomic_fetch_add(&f->notifies, 1);
}

/* The one engine of a test, as a heap would have it after tm__engine_init. */
static inline fake *fake_fresh(void)
{
  static fake f;
  if (f.engine.port.ctx)
    assert_int_equal(tm__engine_close(&f.engine), 0);
  f.alone = true;
  f.touched = false;
  atomic_store(&f.now_ns, 1000 * SECOND);
  atomic_store(&f.footprint, 0);
  atomic_store(&f.allocated, 0);
  atomic_store(&f.committed, 0);
  atomic_store(&f.dirty, 0);
  atomic_store(&f.fixable, 0);
  atomic_store(&f.informed, 0);
  atomic_store(&f.movable, 0);
  tm__engine_port port = {.ctx = &f,
                          .heap = (tm_heap *)(void *)&f,
                          .name = "fake",
                          .read = fake_read,
                          .trim = fake_trim,
                          .compact = fake_compact,
                          .rearm = fake_rearm,
                          .now_ns = fake_now};
  tm__engine_init(&f.engine, &port);
  atomic_store(&f.reads, 0);
  atomic_store(&f.trims, 0);
  atomic_store(&f.compacts, 0);
  atomic_store(&f.rearms, 0);
  atomic_store(&f.notifies, 0);
  assert_int_equal(tm__engine_notify_set(&f.engine, fake_notify, &f), 0);
  return &f;
}

/* Only the limits act: no pacing policy. */
static inline fake *fake_limits_only(void)
{
  fake *f = fake_fresh();
  tm_policy p;
  tm_policy_init(&p);
  p.kinds = TM_POLICY_PRESSURE;
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), 0);
  return f;
}

/* Allocates, as a slow path does: then the crossing is told. */
static inline void fake_allocate(fake *f, uint64_t bytes)
{
  atomic_fetch_add(&f->allocated, bytes);
  uint64_t u = atomic_fetch_add(&f->footprint, bytes) + bytes;
  if (u >= tm__counter_read(&f->engine.look_bytes))
    tm__engine_cross(&f->engine, u);
}

static inline bool fake_pending(fake *f)
{
  return atomic_load(&f->engine.pending) != 0;
}

/* The newest record that `verdict` fits, or fails. */
static inline tm_record fake_record(fake *f, tm_verdict verdict)
{
  tm_record r, found = {0};
  uint64_t cursor = 0;
  while (tm__log_read(&f->engine.log, &cursor, &r))
    if (r.verdict == verdict)
      found = r;
  assert_int_not_equal(found.sequence, 0);
  return found;
}

static inline unsigned fake_count(fake *f, tm_verdict verdict)
{
  tm_record r;
  uint64_t cursor = 0;
  unsigned count = 0;
  while (tm__log_read(&f->engine.log, &cursor, &r))
    count += r.verdict == verdict;
  return count;
}

/* A hook as the tests need it: counts, takes time, frees, answers. */
typedef struct fake_hook {
  fake *f;
  _Atomic(unsigned) calls;
  uint64_t frees, takes_ns;
  int answer, answers_more; /* MORE that many times, then `answer` */
  void (*inside)(struct fake_hook *hook, const tm_event *event);
  tm_hook *handle;
  tm_event last;
  void *extra;
} fake_hook;

static int fake_hook_run(void *ctx, const tm_event *event)
{
  fake_hook *hook = ctx;
  fake *f = hook->f;
  fake_lock_is_free(f);
  atomic_fetch_add(&hook->calls, 1);
  hook->last = *event;
  atomic_fetch_add(&f->now_ns, hook->takes_ns);
  uint64_t u = atomic_load(&f->footprint), less = hook->frees < u ? hook->frees : u;
  atomic_fetch_sub(&f->footprint, less);
  if (hook->inside)
    hook->inside(hook, event);
  return hook->answers_more-- > 0 ? TM_HOOK_MORE : hook->answer;
}

static inline void fake_hook_add(fake *f, tm_hook_kind kind, fake_hook *hook)
{
  hook->f = f;
  assert_int_equal(tm__engine_hook_add(&f->engine, kind, fake_hook_run, hook, &hook->handle), 0);
}

#endif
