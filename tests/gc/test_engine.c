/* Crossing, notifying, settings, failed requests. */
#include "gc/fake_port.h"

/* ---- Crossing -------------------------------------------------------------------------------- */

static void below_the_trip(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  assert_int_equal(tm__counter_read(&f->engine.trip_bytes), 4 * MIB);
  fake_allocate(f, 4 * MIB - 1);
  tm__engine_cross(&f->engine, 4 * MIB - 1); /* a rumour: it was not */
  assert_false(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 0);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  assert_int_equal(fake_count(f, TM_DEFERRED_TO_POLL), 0);
}

/* R2: latched, logged and notified once per edge, and no hook runs. */
static void one_edge_one_notify(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 64 * MIB};
  fake_hook_add(f, TM_COLLECT, &full);
  for (int edge = 1; edge <= 3; edge++) {
    for (int i = 0; i < 100; i++)
      fake_allocate(f, MIB);
    assert_true(fake_pending(f));
    assert_int_equal(atomic_load(&f->engine.pending), TM_REASON_GROWTH);
    assert_int_equal(atomic_load(&f->notifies), edge);
    assert_int_equal(fake_count(f, TM_DEFERRED_TO_POLL), edge);
    assert_int_equal(atomic_load(&full.calls), edge - 1);
    assert_true(tm__engine_poll(&f->engine) >= 1);
    assert_false(fake_pending(f));
    assert_int_equal(atomic_load(&full.calls), edge);
    atomic_store(&f->footprint, 0);
  }
  tm_record r = fake_record(f, TM_DEFERRED_TO_POLL);
  assert_int_equal(r.kind, -1);
  assert_int_equal(r.reasons, TM_REASON_GROWTH);
  assert_string_equal(r.heap, "fake");
}

/* A crossing told with a footprint that is history: the trip has been raised meanwhile. */
static void a_late_crossing(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  tm__engine_cross(&f->engine, 5 * MIB);
  assert_false(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 1);
}

static void reasons_are_joined(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_LOW), 0);
  atomic_store(&f->dirty, 64 * MIB);
  assert_int_equal(atomic_load(&f->engine.pending) & TM_REASON_GROWTH, TM_REASON_GROWTH);
  assert_int_equal(atomic_load(&f->notifies), 1);
}

static void nobody_wants_to_be_told(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  assert_int_equal(tm__engine_notify_set(&f->engine, NULL, NULL), 0);
  fake_allocate(f, 5 * MIB);
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 0);
}

/* Decision 3: held back is not lost; when it is due the next slow path notifies again, once. */
static void held_back_notifies_again(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 5 * MIB, .takes_ns = 10 * MS};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  uint64_t due = atomic_load(&f->now_ns) + 40 * MS;
  fake_allocate(f, 5 * MIB);
  assert_int_equal(atomic_load(&f->notifies), 2);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->engine.next_due_ns), due);
  assert_int_equal(fake_count(f, TM_SUPPRESSED_COOLDOWN), 1);
  for (int i = 0; i < 50; i++) { /* neither slow paths nor polls make noise meanwhile */
    fake_allocate(f, 16 * KIB);
    assert_int_equal(tm__engine_poll(&f->engine), 0);
  }
  assert_int_equal(atomic_load(&f->notifies), 2);
  assert_int_equal(fake_count(f, TM_SUPPRESSED_COOLDOWN), 1);
  atomic_store(&f->now_ns, due);
  fake_allocate(f, 16 * KIB);
  fake_allocate(f, 16 * KIB);
  assert_int_equal(atomic_load(&f->notifies), 3);
  assert_int_equal(atomic_load(&f->engine.next_due_ns), 0);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_false(fake_pending(f));
}

/* Held back by the floor: bytes help as well as time. */
static void held_back_wakes_by_bytes(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  atomic_store(&f->footprint, 3 * MIB);
  atomic_store(&f->allocated, MIB / 2);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 2 * MIB), 0);
  assert_int_equal(atomic_load(&f->notifies), 1);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  assert_int_equal(fake_count(f, TM_SUPPRESSED_FLOOR), 1);
  assert_int_equal(atomic_load(&f->engine.wake_bytes), 3 * MIB + MIB / 2);
  fake_allocate(f, MIB / 4);
  assert_int_equal(atomic_load(&f->notifies), 1);
  fake_allocate(f, MIB / 4);
  assert_int_equal(atomic_load(&f->notifies), 2);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
}

static void without_hooks_it_is_said_and_over(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_allocate(f, 40 * MIB);
  assert_true(fake_pending(f));
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  assert_false(fake_pending(f));
  assert_int_equal(fake_count(f, TM_SUPPRESSED_NO_HOOK), 1);
  fake_allocate(f, MIB);
  assert_false(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 1);
  fake_hook full = {.frees = 30 * MIB};
  fake_hook_add(f, TM_COLLECT, &full); /* here is one: what was due is due */
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 2);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
}

/* ---- Settings -------------------------------------------------------------------------------- */

static void policies(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  tm_policy p = {0}, out = {.size = sizeof out};
  assert_int_equal(tm__engine_policy_set(&f->engine, NULL), TM_EINVAL);
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), TM_EINVAL);
  tm_policy_init(&p);
  p.kinds = TM_POLICY_FIXED;
  p.fixed_bytes = 16 * MIB;
  p.young_bytes = 3 * MIB;
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), 0);
  assert_int_equal(tm__counter_read(&f->engine.trip_bytes), 16 * MIB);
  assert_int_equal(f->engine.state.young_bytes, 3 * MIB);
  p.kinds |= TM_POLICY_SQRT;
  p.collector_share_percent = 0;
  p.fixed_bytes = 1;
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), TM_EINVAL);
  assert_int_equal(tm__engine_policy_get(&f->engine, &out), 0);
  assert_int_equal(out.fixed_bytes, 16 * MIB); /* the old one stays */
  assert_int_equal(out.kinds, TM_POLICY_FIXED);
  struct {
    tm_policy policy;
    char after[8];
  } small = {.policy = {.size = offsetof(tm_policy, growth_percent)}, .after = "intact"};
  small.policy.growth_percent = 77;
  assert_int_equal(tm__engine_policy_get(&f->engine, &small.policy), 0);
  assert_int_equal(small.policy.fixed_bytes, 16 * MIB);
  assert_int_equal(small.policy.growth_percent, 77); /* beyond the caller's size */
  assert_int_equal(small.policy.size, offsetof(tm_policy, growth_percent));
  out.size = 0;
  assert_int_equal(tm__engine_policy_get(&f->engine, &out), TM_EINVAL);
  out.size = sizeof out + 1;
  assert_int_equal(tm__engine_policy_get(&f->engine, &out), TM_EINVAL);
  assert_int_equal(tm__engine_policy_get(&f->engine, NULL), TM_EINVAL);
}

/* When it became due is known, until nothing is pending. */
static void pending_since(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0, .answer = TM_HOOK_BUSY};
  const tm__counter *since = &f->engine.pending_since_ns;
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(tm__counter_read(since), 0);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__counter_read(since), 1000 * SECOND);
  atomic_fetch_add(&f->now_ns, MS);
  fake_allocate(f, MIB); /* joins what is pending */
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(tm__counter_read(since), 1000 * SECOND); /* held back since then */
  assert_int_equal(tm__counter_read(&f->engine.crossings), 1);
  atomic_fetch_add(&f->now_ns, SECOND);
  full.answer = TM_HOOK_DONE;
  full.frees = 6 * MIB;
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(tm__counter_read(since), 0);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__counter_read(since), 1001 * SECOND + MS);
  assert_int_equal(tm__counter_read(&f->engine.crossings), 2);
  assert_int_equal(tm__counter_read(&f->engine.crossings_lost), 0);
  tm__engine_settled(&f->engine, tm__counter_read(&f->engine.trip_bytes)); /* as if forgotten */
  assert_int_equal(tm__counter_read(&f->engine.crossings_lost), 1);
}

/* SQRT, 60 MiB live, T at 110: look-outs at 66.25, 72.5 and 85 MiB. */
static fake *fake_looking_out(fake_hook *full)
{
  fake *f = fake_fresh();
  tm_policy p;
  tm_policy_init(&p);
  p.kinds = TM_POLICY_SQRT;
  fake_hook_add(f, TM_COLLECT, full);
  atomic_store(&f->footprint, 60 * MIB);
  tm_policy_state *s = &f->engine.state;
  s->live_bytes = s->base_bytes = 60 * MIB;
  s->alloc_rate = 16.0 * (double)MIB;
  s->collect_speed = 1024.0 * (double)MIB;
  s->speed_samples = 2;
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), 0);
  assert_int_equal(tm__counter_read(&f->engine.trip_bytes), 110 * MIB);
  assert_int_equal(tm__counter_read(&f->engine.look_bytes), 66 * MIB + 256 * KIB);
  return f;
}

static void expect_nothing_said(fake *f)
{
  assert_false(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 0);
  assert_int_equal(tm__counter_read(&f->engine.crossings), 0);
  assert_int_equal(fake_count(f, TM_DEFERRED_TO_POLL), 0);
}

/* The host is not asked, the log not filled and nothing counted when the engine only looks at its
 * rates again; three looks per collection. */
static void a_look_out_is_no_crossing(void **unused)
{
  (void)unused;
  fake_hook full = {.frees = 50 * MIB};
  fake *f = fake_looking_out(&full);
  static const uint64_t next_kib[] = {72 * 1024 + 512, 85 * 1024, 110 * 1024};
  for (size_t i = 0; i < TM_ARRAY_LEN(next_kib); i++) {
    uint64_t look = tm__counter_read(&f->engine.look_bytes);
    unsigned rearms = atomic_load(&f->rearms);
    fake_allocate(f, look - atomic_load(&f->footprint));
    expect_nothing_said(f);
    assert_int_equal(tm__counter_read(&f->engine.look_bytes), next_kib[i] * KIB);
    assert_int_equal(tm__counter_read(&f->engine.trip_bytes), 110 * MIB);
    assert_int_equal(atomic_load(&f->rearms), rearms + 1); /* shards hear of the next one */
  }
  fake_allocate(f, 25 * MIB); /* and T is a crossing */
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->notifies), 1);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(tm__counter_read(&f->engine.crossings), 1);
  assert_int_equal(fake_record(f, TM_FIRED).trip_before_bytes,
                   110 * MIB); /* T, as the log has it */
}

/* What a look-out is for: the storm is over, and this much headroom is too much for so little. */
static void a_look_out_finds_what_is_due(void **unused)
{
  (void)unused;
  fake_hook full = {.frees = 10 * MIB};
  fake *f = fake_looking_out(&full);
  atomic_fetch_add(&f->now_ns, 100 * SECOND);
  fake_allocate(f, 10 * MIB);
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->engine.pending), TM_REASON_SQRT);
  assert_int_equal(atomic_load(&f->notifies), 1);
  assert_int_equal(tm__counter_read(&f->engine.crossings), 1);
  assert_int_equal(fake_count(f, TM_DEFERRED_TO_POLL), 1);
  assert_int_equal(atomic_load(&full.calls), 0); /* R2 */
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(tm__counter_read(&f->engine.crossings_lost), 0);
}

/* A leap over all look-outs is a crossing at once. */
static void a_look_out_may_be_leapt_over(void **unused)
{
  (void)unused;
  fake_hook full = {.frees = 50 * MIB};
  fake *f = fake_looking_out(&full);
  fake_allocate(f, 60 * MIB);
  assert_int_equal(atomic_load(&f->notifies), 1);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
}

static void a_lower_fixed_trip_crosses(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0};
  tm_policy p;
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 3 * MIB);
  tm_policy_init(&p);
  p.kinds = TM_POLICY_FIXED;
  p.fixed_bytes = 2 * MIB;
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), 0);
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->engine.pending), TM_REASON_FIXED);
}

static void hooks_through_the_public_name(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0}, minor = {.frees = 0};
  fake_allocate(f, 9 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(tm__counter_read(&f->engine.trip_bytes), 18 * MIB);
  fake_hook_add(f, TM_COLLECT_MINOR, &minor); /* now there are two generations */
  assert_int_equal(tm__counter_read(&f->engine.trip_bytes), 17 * MIB);
  assert_int_equal(tm_hook_remove(minor.handle), 0);
  assert_int_equal(tm__counter_read(&f->engine.trip_bytes), 18 * MIB);
  assert_int_equal(tm_hook_remove(minor.handle), TM_EINVAL);
  assert_int_equal(tm_hook_remove(NULL), TM_EINVAL);
  assert_int_equal(tm__engine_hook_add(&f->engine, TM_COLLECT, NULL, NULL, NULL), TM_EINVAL);
  fake_allocate(f, 30 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(atomic_load(&minor.calls), 0);
}

/* A structure of 100 MiB died by itself: the young trip must not wait where it was. */
static void the_trip_follows_down(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0}, minor = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_hook_add(f, TM_COLLECT_MINOR, &minor);
  fake_allocate(f, 100 * MIB);
  assert_true(tm__engine_poll(&f->engine) >= 1);
  assert_true(tm__counter_read(&f->engine.trip_bytes) >= 108 * MIB);
  assert_false(tm__engine_is_low(&f->engine, 75 * MIB));
  assert_true(tm__engine_is_low(&f->engine, 75 * MIB - 1));
  atomic_store(&f->footprint, 20 * MIB);
  unsigned rearms = atomic_load(&f->rearms);
  tm__engine_fell(&f->engine);
  assert_int_equal(atomic_load(&f->rearms), rearms + 1);
  assert_true(tm__counter_read(&f->engine.trip_bytes) <= 45 * MIB);
  assert_false(tm__engine_is_low(&f->engine, 15 * MIB)); /* said once */
  assert_false(fake_pending(f));
  fake_allocate(f, 30 * MIB);
  assert_true(fake_pending(f));
  tm__engine_fell(&f->engine); /* pending: the poll will do it */
  assert_int_equal(atomic_load(&f->rearms), rearms + 1);
}

static void pressure(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook drop = {.frees = 0};
  fake_hook_add(f, TM_DROP_CACHES, &drop);
  assert_int_equal(tm__engine_pressure_post(&f->engine, (tm_pressure)4), TM_EINVAL);
  assert_int_equal(tm__engine_pressure_post(&f->engine, (tm_pressure)-1), TM_EINVAL);
  assert_false(fake_pending(f));
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_MEDIUM), 0);
  assert_true(fake_pending(f));
  assert_int_equal(atomic_load(&f->engine.pending), TM_REASON_PRESSURE);
  assert_int_equal(atomic_load(&f->notifies), 1);
  atomic_store(&f->dirty, 8 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 2);
  assert_int_equal(atomic_load(&f->trims), 1);
  assert_int_equal(atomic_load(&drop.calls), 1);
  assert_int_equal(drop.last.pressure, TM_PRESSURE_MEDIUM);
  assert_int_equal(drop.last.reasons, TM_REASON_PRESSURE);
  assert_int_equal(fake_record(f, TM_FIRED).pressure, TM_PRESSURE_MEDIUM);
  assert_int_equal(f->engine.state.pressure, TM_PRESSURE_MEDIUM);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_NONE), 0);
  assert_int_equal(f->engine.state.pressure, TM_PRESSURE_NONE);
  assert_false(fake_pending(f));
}

static void rows(void **unused)
{
  (void)unused;
  tm__engine *e = &fake_fresh()->engine;
  tm_action_row row;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
    assert_int_equal(tm__engine_action_row(e, (tm_hook_kind)kind, &row), 1);
    assert_int_equal(row.kind, kind);
    assert_int_equal(row.runs_total, 0);
  }
  assert_int_equal(tm__engine_action_row(e, TM_HOOK_KIND_COUNT, &row), 0);
  assert_int_equal(tm__engine_action_row(e, (tm_hook_kind)-1, &row), 0);
}

/* ---- Requests that fail ---------------------------------------------------------------------- */

/* A deferred heap gets no emergency round; its next poll is one. */
static void a_failed_request_latches(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 2 * MIB};
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, 16 * MIB), 0);
  atomic_store(&f->footprint, 16 * MIB);
  tm__engine_failed(&f->engine, MIB, false);
  assert_int_equal(atomic_load(&f->engine.pending), TM_REASON_HARD);
  assert_int_equal(atomic_load(&f->notifies), 1);
  tm_record r = fake_record(f, TM_FAILED_REQUEST);
  assert_int_equal(r.hard_limit_bytes, 16 * MIB);
  assert_int_equal(r.footprint_before_bytes, 16 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1); /* although nothing was allocated: no floor */
  assert_int_equal(full.last.need_bytes, MIB);
  assert_false(fake_pending(f));
}

static void failures_are_logged_ten_times_a_second(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  for (int i = 0; i < 1000; i++) { /* one second */
    tm__engine_failed(&f->engine, MIB, false);
    atomic_fetch_add(&f->now_ns, MS);
  }
  assert_int_equal(fake_count(f, TM_FAILED_REQUEST), 10);
  assert_false(fake_pending(f)); /* no limit: no hook can help */
}

static void a_request_that_never_fits_latches_nothing(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 0};
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, 16 * MIB), 0);
  tm__engine_failed(&f->engine, 16 * MIB + 1, false);
  assert_false(fake_pending(f));
  tm__engine_failed(&f->engine, 1, true); /* its round ran already */
  assert_false(fake_pending(f));
}

int main(void)
{
  const struct CMUnitTest exact[] = {
      cmocka_unit_test(below_the_trip),
      cmocka_unit_test(one_edge_one_notify),
      cmocka_unit_test(a_late_crossing),
      cmocka_unit_test(pending_since),
      cmocka_unit_test(held_back_notifies_again),
      cmocka_unit_test(held_back_wakes_by_bytes),
      cmocka_unit_test(without_hooks_it_is_said_and_over),
      cmocka_unit_test(hooks_through_the_public_name),
      cmocka_unit_test(the_trip_follows_down),
      cmocka_unit_test(pressure),
      cmocka_unit_test(a_request_that_never_fits_latches_nothing),
      cmocka_unit_test(a_look_out_is_no_crossing),
      cmocka_unit_test(a_look_out_finds_what_is_due),
      cmocka_unit_test(a_look_out_may_be_leapt_over),
  };
  const struct CMUnitTest always[] = {
      cmocka_unit_test(reasons_are_joined),
      cmocka_unit_test(nobody_wants_to_be_told),
      cmocka_unit_test(policies),
      cmocka_unit_test(a_lower_fixed_trip_crosses),
      cmocka_unit_test(rows),
      cmocka_unit_test(a_failed_request_latches),
      cmocka_unit_test(failures_are_logged_ten_times_a_second),
  };
  int failed = 0;
  if (TM_STRESS_TRIP)
    print_message("SKIP: exact counts, because stress-trip acts at every crossing\n");
  else
    failed = cmocka_run_group_tests(exact, NULL, NULL);
  return failed + cmocka_run_group_tests(always, NULL, NULL);
}
