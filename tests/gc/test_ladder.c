/* Running actions: what hooks are told, what is measured, nesting, rounds, steps. */
#include <pthread.h>

#include "gc/fake_port.h"

static tm_action_row row_of(fake *f, tm_hook_kind kind)
{
  tm_action_row row;
  assert_int_equal(tm__engine_action_row(&f->engine, kind, &row), 1);
  return row;
}

/* ---- A poll ---------------------------------------------------------------------------------- */

static void nothing_pending_is_nothing(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  unsigned reads = atomic_load(&f->reads);
  for (int i = 0; i < 1000; i++)
    assert_int_equal(tm__engine_poll(&f->engine), 0);
  assert_int_equal(atomic_load(&f->reads), reads); /* not even looked */
}

/* Several hooks of a kind: in order, until the need is met; each is told what is still needed. */
static void hooks_until_the_need_is_met(void **unused)
{
  (void)unused;
  fake *f = fake_limits_only();
  fake_hook drop[4] = {{.frees = 2 * MIB},
                       {.frees = 0, .answer = TM_HOOK_NOTHING},
                       {.frees = 4 * MIB},
                       {.frees = 1 * MIB}};
  for (size_t i = 0; i < 4; i++)
    fake_hook_add(f, TM_DROP_CACHES, &drop[i]);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 64 * MIB), 0);
  fake_allocate(f, 66 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  uint64_t need = 66 * MIB - (64 * MIB - 64 * MIB * 3 / 100) + MIB;
  assert_int_equal(drop[0].last.need_bytes, need);
  assert_int_equal(drop[1].last.need_bytes, need - 2 * MIB);
  assert_int_equal(drop[2].last.need_bytes, need - 2 * MIB);
  assert_int_equal(drop[2].last.footprint_bytes, 64 * MIB);
  assert_int_equal(atomic_load(&drop[3].calls), 0);
  assert_int_equal(row_of(f, TM_DROP_CACHES).runs_total, 1); /* one action, three calls */
  assert_int_equal(row_of(f, TM_DROP_CACHES).results_total[TM_HOOK_DONE], 2);
  assert_int_equal(row_of(f, TM_DROP_CACHES).results_total[TM_HOOK_NOTHING], 1);
  assert_int_equal(fake_record(f, TM_FIRED).result, TM_HOOK_DONE);
}

static void strange_answers_are_errors(void **unused)
{
  (void)unused;
  static const int answers[] = {TM_HOOK_ERROR, TM_HOOK_ERROR + 1, -1, 4711};
  for (size_t i = 0; i < TM_ARRAY_LEN(answers); i++) {
    fake *f = fake_fresh();
    fake_hook full = {.frees = 5 * MIB, .answer = answers[i]};
    fake_hook_add(f, TM_COLLECT, &full);
    fake_allocate(f, 5 * MIB);
    assert_int_equal(tm__engine_poll(&f->engine), 1);
    assert_int_equal(fake_record(f, TM_FIRED).result, TM_HOOK_ERROR);
    assert_int_equal(row_of(f, TM_COLLECT).results_total[TM_HOOK_ERROR], 1);
    assert_int_equal(tm_hook_remove(full.handle), 0);
  }
}

static void busy_stays_pending(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0, .answer = TM_HOOK_BUSY};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->engine.next_due_ns), 1000 * SECOND + 10 * MS);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  atomic_fetch_add(&f->now_ns, 10 * MS);
  full.answer = TM_HOOK_DONE;
  full.frees = 4 * MIB;
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_false(fake_pending(f));
}

/* ---- Built-in parts -------------------------------------------------------------------------- */

static void trim_hooks_then_the_built_in_trim(void **unused)
{
  (void)unused;
  fake *f = fake_limits_only();
  fake_hook trim = {.frees = 0, .answer = TM_HOOK_NOTHING};
  fake_hook_add(f, TM_TRIM, &trim);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 64 * MIB), 0);
  atomic_store(&f->committed, 80 * MIB);
  atomic_store(&f->dirty, 70 * MIB);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_MEDIUM), 0);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(atomic_load(&trim.calls), 1);
  assert_int_equal(atomic_load(&f->trims), 1);
  tm_record r = fake_record(f, TM_FIRED);
  assert_int_equal(r.kind, TM_TRIM);
  assert_int_equal(r.returned_bytes, 70 * MIB);
  assert_int_equal(r.committed_before_bytes, 80 * MIB);
  assert_int_equal(r.committed_after_bytes, 10 * MIB);
  assert_int_equal(row_of(f, TM_TRIM).reclaimed_bytes_total, 70 * MIB);
  assert_int_equal(row_of(f, TM_TRIM).results_total[TM_HOOK_DONE], 1); /* the built-in one */
  assert_int_equal(row_of(f, TM_TRIM).results_total[TM_HOOK_NOTHING], 1);
  assert_false(f->touched); /* under pressure it looks at no block, */
  atomic_fetch_add(&f->now_ns, 20 * SECOND);
  atomic_store(&f->committed, 80 * MIB);
  atomic_store(&f->dirty, 70 * MIB);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 63 * MIB), 0);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(atomic_load(&f->trims), 2);
  assert_true(f->touched); /* above the soft limit it does */
}

static void built_in_compaction_needs_something_movable(void **unused)
{
  (void)unused;
  fake *f = fake_limits_only();
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  atomic_store(&f->committed, 40 * MIB);
  atomic_store(&f->fixable, 10 * MIB);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_LOW), 0);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  assert_int_equal(atomic_load(&f->compacts), 0);
  atomic_store(&f->movable, 5 * MIB);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_LOW), 0);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(atomic_load(&f->compacts), 1);
  assert_int_equal(fake_record(f, TM_FIRED).reasons & TM_REASON_FRAGMENTED, TM_REASON_FRAGMENTED);
}

/* ---- R5, R6: inside a hook ------------------------------------------------------------------- */

static int nested_polls;

static void poll_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  assert_true(tm__engine_inside(&hook->f->engine));
  fake_allocate(hook->f, 50 * MIB); /* allocate and free freely; the crossing latches */
  for (int i = 0; i < 10; i++)
    nested_polls += tm__engine_poll(&hook->f->engine);
  assert_false(tm__engine_emergency(&hook->f->engine, 1));
  atomic_fetch_sub(&hook->f->footprint, 50 * MIB);
}

static void actions_do_not_nest(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 5 * MIB, .inside = poll_inside};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(atomic_load(&full.calls), 1);
  assert_int_equal(nested_polls, 0);
  assert_false(tm__engine_inside(&f->engine));
  assert_false(fake_pending(f));
  assert_int_equal(fake_count(f, TM_SUPPRESSED_REENTRANT), 1); /* logged once an action, */
  assert_int_equal(row_of(f, TM_COLLECT).suppressed_total[TM_SUPPRESSED_REENTRANT], 11);
}

static void grow_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  if (atomic_load(&hook->calls) == 1) /* the first collection leaves more than it found */
    fake_allocate(hook->f, 40 * MIB);
}

/* R6: a crossing during an action is decided before the poll ends. */
static void a_crossing_in_an_action(void **unused)
{
  (void)unused;
  fake *f = fake_limits_only();
  fake_hook drop = {.frees = 20 * MIB, .inside = grow_inside}, full = {.frees = 30 * MIB};
  fake_hook_add(f, TM_DROP_CACHES, &drop);
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 64 * MIB), 0);
  fake_allocate(f, 66 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 2);
  assert_int_equal(atomic_load(&full.calls), 1);
  assert_int_equal(atomic_load(&f->footprint), 56 * MIB);
  assert_false(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 1); /* it was pending all the time */
}

static void cross_from_a_thread(fake_hook *hook, const tm_event *event);

static void *cross_once(void *ctx)
{
  fake *f = ctx;
  fake_allocate(f, 64 * MIB);
  return NULL;
}

static void cross_from_a_thread(fake_hook *hook, const tm_event *event)
{
  pthread_t thread;
  (void)event;
  if (atomic_load(&hook->calls) > 1)
    return;
  assert_int_equal(pthread_create(&thread, NULL, cross_once, hook->f), 0);
  assert_int_equal(pthread_join(thread, NULL), 0); /* it is not held up by the action */
}

static void others_keep_allocating(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 2 * MIB, .inside = cross_from_a_thread};
  f->alone = false;
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  /* Nobody could have known: L is 67 MiB now, and the crossing is answered by that. */
  assert_true(atomic_load(&f->footprint) < tm__counter_read(&f->engine.trip_bytes));
  assert_false(fake_pending(f));
}

static void remove_itself(fake_hook *hook, const tm_event *event)
{
  (void)event;
  assert_int_equal(tm_hook_remove(hook->handle), 0);
}

static void a_hook_removes_itself(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 5 * MIB, .inside = remove_itself};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  fake_allocate(f, 100 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  assert_int_equal(atomic_load(&full.calls), 1);
}

/* ---- Incremental ----------------------------------------------------------------------------- */

static void one_step_per_safe_point(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = MIB, .answers_more = 3, .takes_ns = MS};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  for (unsigned i = 1; i <= 3; i++) {
    assert_int_equal(tm__engine_poll(&f->engine), 1);
    assert_int_equal(atomic_load(&full.calls), i);
    assert_true(fake_pending(f));
    assert_int_equal(atomic_load(&f->engine.next_due_ns), 0); /* it can go on at once */
    assert_int_equal(full.last.time_budget_ns, 2 * MS);
  }
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_false(fake_pending(f));
  assert_int_equal(f->engine.state.live_bytes, MIB);
  assert_int_equal(row_of(f, TM_COLLECT).results_total[TM_HOOK_MORE], 3);
  assert_int_equal(row_of(f, TM_COLLECT).runs_total, 4);
}

/* A deferred host is told again when enough was allocated: byte pressure advances it. */
static void bytes_advance_it(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0, .answers_more = 5};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(atomic_load(&f->notifies), 1);
  fake_allocate(f, 32 * KIB);
  assert_int_equal(atomic_load(&f->notifies), 1);
  fake_allocate(f, 32 * KIB);
  assert_int_equal(atomic_load(&f->notifies), 2);
}

static void a_poll_ends(void **unused)
{
  (void)unused;
  fake *f = fake_limits_only();
  fake_hook hooks[TM_HOOK_KIND_COUNT];
  memset(hooks, 0, sizeof hooks);
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++)
    fake_hook_add(f, (tm_hook_kind)kind, &hooks[kind]);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 32 * MIB), 0);
  for (int i = 0; i < 50; i++) {
    fake_allocate(f, 8 * MIB);
    assert_in_range(tm__engine_poll(&f->engine), 0, 16);
    atomic_fetch_add(&f->now_ns, 50 * MS);
  }
}

/* ---- A request that waits -------------------------------------------------------------------- */

static void before_the_block_is_carved(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 3 * MIB};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 3 * MIB);
  tm__engine_cross(&f->engine, 5 * MIB); /* as the slow path sees it, with the request */
  assert_int_equal(tm__engine_poll_for(&f->engine, 2 * MIB), 1);
  assert_int_equal(f->engine.state.live_bytes, 0);
  assert_false(fake_pending(f));
}

int main(void)
{
  const struct CMUnitTest exact[] = {
      cmocka_unit_test(nothing_pending_is_nothing),
      cmocka_unit_test(hooks_until_the_need_is_met),
      cmocka_unit_test(strange_answers_are_errors),
      cmocka_unit_test(busy_stays_pending),
      cmocka_unit_test(trim_hooks_then_the_built_in_trim),
      cmocka_unit_test(built_in_compaction_needs_something_movable),
      cmocka_unit_test(actions_do_not_nest),
      cmocka_unit_test(a_crossing_in_an_action),
      cmocka_unit_test(others_keep_allocating),
      cmocka_unit_test(a_hook_removes_itself),
      cmocka_unit_test(one_step_per_safe_point),
      cmocka_unit_test(bytes_advance_it),
      cmocka_unit_test(before_the_block_is_carved),
  };
  const struct CMUnitTest always[] = {
      cmocka_unit_test(a_poll_ends),
  };
  int failed = 0;
  if (TM_STRESS_TRIP)
    print_message("SKIP: exact counts, because stress-trip acts at every crossing\n");
  else
    failed = cmocka_run_group_tests(exact, NULL, NULL);
  return failed + cmocka_run_group_tests(always, NULL, NULL);
}
