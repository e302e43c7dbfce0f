/* The emergency round, the end policies, and the stress build. */
#include "gc/fake_port.h"

/* ---- The emergency round --------------------------------------------------------------------- */

static fake *full_heap(tm_end end)
{
  fake *f = fake_limits_only();
  tm_policy p = {.size = sizeof p};
  assert_int_equal(tm__engine_policy_get(&f->engine, &p), 0);
  p.end = end;
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), 0);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, 16 * MIB), 0);
  atomic_store(&f->footprint, 16 * MIB);
  atomic_store(&f->allocated, 16 * MIB);
  return f;
}

static void a_round_that_helps(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_FAIL);
  fake_hook drop = {.frees = MIB}, full = {.frees = 2 * MIB};
  fake_hook_add(f, TM_DROP_CACHES, &drop);
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  atomic_store(&f->footprint, 16 * MIB);
  unsigned before = atomic_load(&full.calls);
  assert_true(tm__engine_emergency(&f->engine, 3 * MIB)); /* no floor, no cooldown */
  assert_int_equal(atomic_load(&full.calls), before + 1);
  assert_int_equal(atomic_load(&f->footprint), 13 * MIB);
  assert_int_equal(full.last.reasons, TM_REASON_HARD);
  assert_int_equal(full.last.time_budget_ns, 0);
  assert_int_equal(atomic_load(&f->engine.pending) & TM__PENDING_BUSY, 0);
  assert_int_equal(atomic_load(&f->engine.owner), 0);
  atomic_store(&f->footprint, 16 * MIB); /* the first rung is enough: the others rest */
  before = atomic_load(&full.calls);
  assert_true(tm__engine_emergency(&f->engine, KIB));
  assert_true(atomic_load(&full.calls) + atomic_load(&drop.calls) > before);
  assert_true(atomic_load(&f->footprint) <= 15 * MIB);
}

static void a_round_without_hooks(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_FAIL);
  assert_false(tm__engine_emergency(&f->engine, MIB));
  assert_int_equal(fake_count(f, TM_FIRED), 0);
}

static void a_request_that_cannot_fit(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_FAIL);
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  unsigned before = atomic_load(&full.calls);
  assert_false(tm__engine_emergency(&f->engine, 17 * MIB));
  assert_int_equal(atomic_load(&full.calls), before); /* nothing could help it */
}

/* Decision 6: after a failed round none for a second, or until the footprint fell by 5 %. */
static void after_a_failed_round(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_FAIL);
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  for (int way = 0; way < 3; way++) {
    unsigned before = atomic_load(&full.calls);
    assert_true(tm__engine_emergency(&f->engine, MIB));
    assert_int_equal(atomic_load(&full.calls), before + 1);
    tm__engine_failed(&f->engine, MIB, true);
    assert_false(tm__engine_emergency(&f->engine, MIB));
    tm__engine_failed(&f->engine, MIB, false);
    assert_int_equal(atomic_load(&f->engine.pending) & TM_REASON_HARD, 0);
    atomic_fetch_add(&f->now_ns, SECOND - 1);
    assert_false(tm__engine_emergency(&f->engine, MIB));
    assert_int_equal(atomic_load(&full.calls), before + 1);
    if (way == 0)
      atomic_fetch_add(&f->now_ns, 1);
    else if (way == 1)
      atomic_fetch_sub(&f->footprint, MIB);
    else
      assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, 16 * MIB), 0);
    assert_true(tm__engine_emergency(&f->engine, 2 * MIB));
    tm__engine_failed(&f->engine, 2 * MIB, true);
    atomic_fetch_add(&f->now_ns, 5 * SECOND);
    atomic_store(&f->footprint, 16 * MIB);
  }
}

static void a_round_obeys_the_cap(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_FAIL);
  fake_hook full = {.frees = 0, .takes_ns = 600 * MS};
  fake_hook_add(f, TM_COLLECT, &full);
  unsigned before = atomic_load(&full.calls);
  assert_true(tm__engine_emergency(&f->engine, MIB));
  assert_true(tm__engine_emergency(&f->engine, MIB));
  for (int i = 0; i < 100; i++)
    assert_false(tm__engine_emergency(&f->engine, MIB));
  assert_int_equal(atomic_load(&full.calls), before + 2);
  assert_int_equal(fake_count(f, TM_SUPPRESSED_CAP), 1); /* not a hundred records */
}

static void raise_the_limit(fake_hook *hook, const tm_event *event)
{
  assert_int_equal(event->hard_limit_bytes, 16 * MIB);
  assert_int_equal(tm__engine_limit_set(&hook->f->engine, TM_HARD, 24 * MIB), 0);
}

static void ask_the_host(void **unused)
{
  (void)unused;
  for (int end = TM_END_FAIL; end <= TM_END_ASK; end++) {
    fake *f = full_heap((tm_end)end);
    fake_hook full = {.frees = 0}, asked = {.frees = 0, .inside = raise_the_limit};
    fake_hook_add(f, TM_COLLECT, &full);
    fake_hook_add(f, TM_NEAR_LIMIT, &asked);
    unsigned before = atomic_load(&full.calls);
    assert_true(tm__engine_emergency(&f->engine, 10 * KIB));
    assert_int_equal(atomic_load(&full.calls), before + 1);
    assert_int_equal(atomic_load(&asked.calls), end == TM_END_ASK);
    assert_int_equal(tm__engine_limit_get(&f->engine, TM_HARD),
                     end == TM_END_ASK ? 24 * MIB : 16 * MIB);
  }
}

/* GROW: a reserve above the limit, opened when all else failed, closed when it fits again. */
static void the_reserve(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_GROW);
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  assert_true(tm__engine_emergency(&f->engine, 10 * KIB));
  assert_int_equal(tm__counter_read(&f->engine.hard_bytes), 16 * MIB + 64 * KIB);
  assert_int_equal(tm__engine_limit_get(&f->engine, TM_HARD), 16 * MIB); /* as it was set */
  atomic_fetch_add(&f->footprint, 10 * KIB);
  full.frees = MIB;
  assert_true(tm__engine_emergency(&f->engine, 60 * KIB));
  assert_int_equal(tm__counter_read(&f->engine.hard_bytes), 16 * MIB);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, 20 * MIB), 0);
  assert_int_equal(tm__counter_read(&f->engine.hard_bytes), 20 * MIB);
}

static void the_reserve_of_a_deferred_heap(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_GROW);
  (void)tm__engine_poll(&f->engine);
  tm__engine_failed(&f->engine, 10 * KIB, false);
  (void)tm__engine_poll(&f->engine);
  assert_int_equal(tm__counter_read(&f->engine.hard_bytes), 16 * MIB + 64 * KIB);
}

/* The system refused, not the limit: the built-in trim is part of the round. */
static void a_round_for_the_system(void **unused)
{
  (void)unused;
  fake *f = fake_limits_only();
  atomic_store(&f->dirty, 8 * MIB);
  atomic_store(&f->committed, 8 * MIB);
  assert_true(tm__engine_emergency(&f->engine, MIB));
  assert_int_equal(atomic_load(&f->trims), 1);
  assert_int_equal(fake_record(f, TM_FIRED).kind, TM_TRIM);
}

static void steps_in_a_round(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_FAIL);
  fake_hook full = {.frees = 0, .answers_more = 1 << 30};
  fake_hook_add(f, TM_COLLECT, &full);
  atomic_store(&full.calls, 0);
  (void)tm__engine_emergency(&f->engine, MIB); /* an action that never ends does not hang it */
  assert_in_range(atomic_load(&full.calls), 900, 1100);
}

static void latch_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  assert_int_equal(tm__engine_pressure_post(&hook->f->engine, TM_PRESSURE_MEDIUM), 0);
}

/* What a hook latches during the round is notified when the round is over. */
static void latched_in_a_round(void **unused)
{
  (void)unused;
  fake *f = full_heap(TM_END_FAIL);
  fake_hook drop = {.frees = 0}, full = {.frees = 4 * MIB, .takes_ns = MS};
  fake_hook_add(f, TM_DROP_CACHES, &drop);
  fake_hook_add(f, TM_COLLECT, &full);
  while (tm__engine_poll(&f->engine))
    atomic_fetch_add(&f->now_ns, SECOND);
  assert_false(fake_pending(f));
  full.inside = latch_inside;
  atomic_store(&f->footprint, 16 * MIB);
  unsigned before = atomic_load(&f->notifies);
  assert_true(tm__engine_emergency(&f->engine, MIB));
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), before + 1);
  assert_true(tm__engine_poll(&f->engine) >= 1);
}

/* ---- Stress ---------------------------------------------------------------------------------- */

static void poll_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  assert_int_equal(tm__engine_poll(&hook->f->engine), 0);
}

/* In the stress build every crossing acts: hooks run without a reason, and nothing breaks. */
static void stress_runs_hooks(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0}, minor = {.frees = 0, .inside = poll_inside};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_hook_add(f, TM_COLLECT_MINOR, &minor);
  for (int i = 0; i < 1000; i++) {
    atomic_fetch_add(&f->allocated, 16);
    tm__engine_cross(&f->engine, atomic_load(&f->footprint));
    (void)tm__engine_poll(&f->engine);
  }
  if (TM_STRESS_TRIP) {
    assert_true(atomic_load(&full.calls) > 20);
    assert_true(atomic_load(&minor.calls) > 20);
  } else {
    assert_int_equal(atomic_load(&full.calls) + atomic_load(&minor.calls), 0);
  }
}

int main(void)
{
  const struct CMUnitTest exact[] = {
      cmocka_unit_test(a_round_that_helps),
      cmocka_unit_test(latched_in_a_round),
  };
  const struct CMUnitTest always[] = {
      cmocka_unit_test(a_round_without_hooks),
      cmocka_unit_test(a_request_that_cannot_fit),
      cmocka_unit_test(after_a_failed_round),
      cmocka_unit_test(a_round_obeys_the_cap),
      cmocka_unit_test(ask_the_host),
      cmocka_unit_test(the_reserve),
      cmocka_unit_test(the_reserve_of_a_deferred_heap),
      cmocka_unit_test(a_round_for_the_system),
      cmocka_unit_test(steps_in_a_round),
      cmocka_unit_test(stress_runs_hooks),
  };
  int failed = 0;
  if (TM_STRESS_TRIP)
    print_message("SKIP: exact counts, because stress-trip acts at every crossing\n");
  else
    failed = cmocka_run_group_tests(exact, NULL, NULL);
  return failed + cmocka_run_group_tests(always, NULL, NULL);
}
