/* The watcher is told of what happens, in order, with the lock held, and not after it was ended. */
#include "gc/fake_port.h"

enum { KINDS = TM__WATCH_FORKED + 1 };

static struct {
  fake *f;
  unsigned told[KINDS];
  tm_inputs in;
  tm_outcome outcome;
  int pressure;
  tm_policy policy;
} seen;

static int watch(void *ctx, const tm__watch_event *event)
{
  assert_ptr_equal(ctx, &seen);
  assert_int_not_equal(pthread_mutex_trylock(&seen.f->engine.lock), 0);
  seen.told[event->kind]++;
  if (event->in)
    seen.in = *event->in;
  if (event->action)
    seen.outcome = event->action->outcome;
  if (event->kind == TM__WATCH_CHANGE) {
    seen.pressure = event->pressure;
    seen.policy = *event->policy;
  }
  return event->kind == TM__WATCH_END ? TM_EIO : 0;
}

static fake *watched(void)
{
  fake *f = fake_fresh();
  memset(&seen, 0, sizeof seen);
  seen.f = f;
  assert_int_equal(tm__watch_start(&f->engine, watch, &seen), 0);
  assert_true(tm__watch_on(&f->engine.watch));
  assert_int_equal(seen.told[TM__WATCH_CHANGE], 1);
  assert_int_equal(seen.pressure, -1);
  return f;
}

static void one_watcher_at_a_time(void **unused)
{
  (void)unused;
  fake *f = watched();
  assert_int_equal(tm__watch_start(&f->engine, watch, &seen), TM_EBUSY);
  assert_int_equal(tm__watch_stop(&f->engine), TM_EIO); /* what the watcher says */
  assert_int_equal(seen.told[TM__WATCH_END], 1);
  assert_int_equal(tm__watch_stop(&f->engine), TM_EINVAL);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 64 * MIB), 0);
  tm__watch_sample(&f->engine, 0, 0);
  assert_int_equal(seen.told[TM__WATCH_CHANGE], 1);
  assert_int_equal(seen.told[TM__WATCH_SAMPLE], 0);
}

static void changes_are_told(void **unused)
{
  (void)unused;
  fake *f = watched();
  fake_hook full = {.frees = MIB};
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 64 * MIB), 0);
  assert_int_equal(seen.in.soft_limit_bytes, 64 * MIB);
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(seen.in.hooks, 1u << TM_COLLECT);
  tm_policy p;
  tm_policy_init(&p);
  p.growth_percent = 42;
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), 0);
  assert_int_equal(seen.policy.growth_percent, 42);
  assert_int_equal(seen.pressure, -1);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_MEDIUM), 0);
  assert_int_equal(seen.pressure, TM_PRESSURE_MEDIUM);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_NONE), 0);
  assert_int_equal(seen.pressure, TM_PRESSURE_NONE);
  assert_int_equal(seen.told[TM__WATCH_CHANGE], 6);
  assert_int_equal(tm__watch_stop(&f->engine), TM_EIO);
}

static void actions_are_told(void **unused)
{
  (void)unused;
  fake *f = watched();
  fake_hook full = {.frees = 5 * MIB, .takes_ns = 7 * MS};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 8 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(seen.told[TM__WATCH_ACTION], 1);
  assert_int_equal(seen.outcome.kind, TM_COLLECT);
  assert_int_equal(seen.outcome.end_ns - seen.outcome.start_ns, 7 * MS);
  assert_int_equal(seen.outcome.footprint_before_bytes - seen.outcome.footprint_after_bytes,
                   5 * MIB);
  assert_int_equal(tm__watch_stop(&f->engine), TM_EIO);
}

/* Time and two bounds: none of them passed, nothing is looked at. */
static void samples_come_when_they_are_due(void **unused)
{
  (void)unused;
  fake *f = watched();
  tm__watch *w = &f->engine.watch;
  tm__counter_set(&w->next_ns, atomic_load(&f->now_ns) + MS);
  tm__counter_set(&w->low_bytes, 10);
  tm__counter_set(&w->high_bytes, 20);
  atomic_store(&f->footprint, 12);
  unsigned reads = atomic_load(&f->reads);
  tm__watch_sample(&f->engine, 3, 10);
  tm__watch_sample(&f->engine, 3, 20);
  assert_int_equal(seen.told[TM__WATCH_SAMPLE], 0);
  assert_int_equal(atomic_load(&f->reads), reads);
  tm__watch_sample(&f->engine, 3, 9);
  assert_int_equal(seen.told[TM__WATCH_SAMPLE], 1);
  assert_int_equal(seen.in.footprint_bytes, 15); /* with what is about to be carved */
  assert_int_equal(seen.in.allocated_bytes_total, 3);
  tm__watch_sample(&f->engine, 3, 21);
  assert_int_equal(seen.told[TM__WATCH_SAMPLE], 2);
  atomic_fetch_add(&f->now_ns, MS);
  tm__watch_sample(&f->engine, 3, 15);
  assert_int_equal(seen.told[TM__WATCH_SAMPLE], 3);
  assert_int_equal(tm__watch_stop(&f->engine), TM_EIO);
}

static void an_engine_that_ends_ends_it(void **unused)
{
  (void)unused;
  fake *f = watched();
  assert_int_equal(tm__engine_close(&f->engine), 0);
  assert_int_equal(seen.told[TM__WATCH_END], 1);
  assert_false(tm__watch_on(&f->engine.watch));
}

static void a_child_is_not_watched(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  f = watched();
  tm__lock_acquire(&f->engine.lock); /* as another thread may have it in the parent */
  tm__engine_fork_child(&f->engine);
  assert_int_equal(seen.told[TM__WATCH_FORKED], 1);
  assert_false(tm__watch_on(&f->engine.watch));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_watcher_at_a_time),
      cmocka_unit_test(changes_are_told),
      cmocka_unit_test(actions_are_told),
      cmocka_unit_test(samples_come_when_they_are_due),
      cmocka_unit_test(an_engine_that_ends_ends_it),
      cmocka_unit_test(a_child_is_not_watched),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
