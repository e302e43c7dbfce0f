/* Due or not, anti-thrash, the ladder, postponing: tm_decide with every number given. */
#include "gc/decide_bench.h"

/* ---- Due or not ------------------------------------------------------------------------------ */

static void below_the_trip_nothing_is_due(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  expect_nothing(b);
  assert_int_equal(b->d.trip_bytes, 4 * MIB);
  assert_int_equal(b->d.policy, TM_REASON_GROWTH);
  grown(b, 3);
  expect_nothing(b);
  b->in.footprint_bytes = 4 * MIB - 1;
  expect_nothing(b);
}

static void at_the_trip_a_collection_is(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  expect(b, TM_FIRED, TM_COLLECT);
  assert_int_equal(b->d.reasons, TM_REASON_GROWTH);
  assert_int_equal(b->d.need_bytes, 0); /* pacing: as much as is cheap */
  assert_int_equal(b->d.trip_bytes, 4 * MIB);
  assert_int_equal(b->s.armed, 0);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 0, 3);
  expect_nothing(b);
  assert_int_equal(b->d.trip_bytes, 7 * MIB);
  assert_int_equal(b->s.armed, 1);
}

static void one_generation_is_enough(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR);
  grown(b, 4);
  expect(b, TM_FIRED, TM_COLLECT_MINOR);
  ran(b, TM_COLLECT_MINOR, TM_HOOK_DONE, 0, 3);
  assert_int_equal(b->s.live_bytes, 3 * MIB); /* it counts as full */
}

static void the_request_that_waits_counts(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 2);
  b->in.need_bytes = MIB;
  expect_nothing(b);
  b->in.need_bytes = 2 * MIB;
  expect(b, TM_FIRED, TM_COLLECT);
}

static void young_and_old(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL);
  b->s.live_bytes = b->s.base_bytes = 100 * MIB;
  grown(b, 107);
  expect_nothing(b);
  assert_int_equal(b->d.policy, TM_REASON_YOUNG);
  grown(b, 108);
  expect(b, TM_FIRED, TM_COLLECT_MINOR);
  assert_int_equal(b->d.reasons, TM_REASON_YOUNG);
  ran(b, TM_COLLECT_MINOR, TM_HOOK_DONE, 0, 100);
  assert_int_equal(b->s.live_bytes, 100 * MIB); /* L is of full runs */
  expect_nothing(b);
  assert_int_equal(b->d.trip_bytes, 108 * MIB);
  /* At the old trip the minor run goes first if it is worth it, then the full one. */
  b->in.now_ns += SECOND;
  grown(b, 200);
  expect(b, TM_FIRED, TM_COLLECT_MINOR);
  assert_int_equal(b->d.reasons, TM_REASON_YOUNG | TM_REASON_GROWTH);
  ran(b, TM_COLLECT_MINOR, TM_HOOK_DONE, 0, 199);
  grown(b, 205);
  expect(b, TM_FIRED, TM_COLLECT);
  assert_int_equal(b->d.reasons, TM_REASON_GROWTH);
}

/* ---- Anti-thrash ----------------------------------------------------------------------------- */

static void floor_holds_back(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->in.footprint_bytes = 40 * MIB; /* was there before, nothing was allocated */
  b->s.live_bytes = b->s.base_bytes = 20 * MIB;
  b->s.alloc_rate = 100.0 * MIB;
  b->s.rung[TM_COLLECT].allocated_bytes = b->in.allocated_bytes_total = 500 * MIB;
  b->in.allocated_bytes_total += MIB - 1;
  expect(b, TM_SUPPRESSED_FLOOR, TM_COLLECT);
  assert_int_equal(b->d.wake_bytes, 40 * MIB + 1);
  assert_true(b->d.next_due_ns >= b->in.now_ns + MS);
  assert_true(b->d.next_due_ns <= b->in.now_ns + SECOND);
  b->in.allocated_bytes_total++;
  expect(b, TM_FIRED, TM_COLLECT);
  b->s.live_bytes = 36 * MIB; /* a twentieth of more than 20 MiB is more than 1 MiB */
  b->in.footprint_bytes = 80 * MIB;
  expect(b, TM_SUPPRESSED_FLOOR, TM_COLLECT);
  b->in.allocated_bytes_total = 500 * MIB + 36 * MIB / 20;
  expect(b, TM_FIRED, TM_COLLECT);
}

static void cooldown_is_four_times_the_run(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 10 * MS, 0);
  uint64_t end = b->in.now_ns;
  grown(b, 10);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  assert_int_equal(b->d.next_due_ns, end + 40 * MS);
  b->in.now_ns = end + 40 * MS - 1;
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  b->in.now_ns++;
  expect(b, TM_FIRED, TM_COLLECT);
}

/* A run below a millisecond is not worth a wait in which memory grows: floor and cap bound it. */
static void short_runs_do_not_cool_down(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  ran(b, TM_COLLECT, TM_HOOK_DONE, MS - 1, 0);
  grown(b, 10);
  expect(b, TM_FIRED, TM_COLLECT);
  ran(b, TM_COLLECT, TM_HOOK_DONE, MS, 0);
  grown(b, 10);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  assert_int_equal(b->d.next_due_ns, b->in.now_ns + 4 * MS);
}

/* Nor is any other wait worth all memory: at twice the trip, and 64 MiB above it, it is over. */
static void a_cooldown_has_its_price_in_bytes(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 100);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 100 * MS, 10);
  grown(b, 20);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  assert_int_equal(b->d.wake_bytes, 84 * MIB);
  grown(b, 83);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  bench asked = *b, busy = *b;
  grown(b, 84);
  expect(b, TM_FIRED, TM_COLLECT);
  asked.s.policy.min_interval_ms = 1000; /* what the host asked for is kept */
  grown(&asked, 84);
  expect(&asked, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  ran(&busy, TM_COLLECT, TM_HOOK_BUSY, 0, 84);
  expect(&busy, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
}

static void cooldown_is_the_minimum_interval(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->s.policy.min_interval_ms = 500;
  grown(b, 4);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 10 * MS, 0);
  grown(b, 10);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  assert_int_equal(b->d.next_due_ns, b->in.now_ns + 500 * MS);
}

static void cap_holds_everything_back(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL | DROP);
  grown(b, 40);
  b->in.soft_limit_bytes = 20 * MIB;
  ran(b, TM_COMPACT, TM_HOOK_DONE, SECOND + 100 * MS, 40); /* any action's time counts */
  expect(b, TM_SUPPRESSED_CAP, TM_DROP_CACHES);
  uint64_t due = b->d.next_due_ns;
  assert_in_range(due, b->in.now_ns + 100 * MS, b->in.now_ns + 110 * MS);
  b->in.now_ns += 99 * MS;
  expect(b, TM_SUPPRESSED_CAP, TM_DROP_CACHES);
  b->in.now_ns = due;
  expect(b, TM_FIRED, TM_DROP_CACHES);
  b->s.policy.cpu_cap_percent = 0;
  expect(b, TM_SUPPRESSED_CAP, TM_DROP_CACHES);
  b->s.policy.cpu_cap_percent = 100;
  expect(b, TM_FIRED, TM_DROP_CACHES);
}

static void no_hook_is_said_once(void **unused)
{
  (void)unused;
  bench *b = fresh(0);
  grown(b, 40);
  expect(b, TM_SUPPRESSED_NO_HOOK, TM_COLLECT);
  assert_int_equal(b->d.reasons, TM_REASON_GROWTH);
  assert_int_equal(b->d.next_due_ns, 0); /* no time will help */
  assert_int_equal(b->d.trip_bytes, 42 * MIB);
  for (int i = 0; i < 100; i++) { /* hovering */
    b->in.footprint_bytes = 40 * MIB + (uint64_t)(i % 2) * MIB;
    expect_nothing(b);
  }
  grown(b, 42);
  expect(b, TM_SUPPRESSED_NO_HOOK, TM_COLLECT);
  b->in.footprint_bytes = 37 * MIB; /* well below: armed again */
  expect(b, TM_SUPPRESSED_NO_HOOK, TM_COLLECT);
  b->in.hooks = FULL; /* somebody came */
  expect(b, TM_FIRED, TM_COLLECT);
}

/* A host that can only drop caches is left alone by the pacing policies, not by the limit. */
static void a_policy_without_a_collector(void **unused)
{
  (void)unused;
  bench *b = fresh(DROP);
  b->in.soft_limit_bytes = 100 * MIB;
  grown(b, 50);
  expect(b, TM_SUPPRESSED_NO_HOOK, TM_COLLECT);
  grown(b, 96);
  (void)decide(b);
  expect_nothing(b);
  grown(b, 97);
  expect(b, TM_FIRED, TM_DROP_CACHES);
  assert_int_equal(b->d.reasons & TM_REASON_SOFT, TM_REASON_SOFT);
}

static void given_up_as_full(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->in.hard_limit_bytes = 100 * MIB;
  grown(b, 99);
  b->s.hard_limit_bytes = 100 * MIB;
  b->s.failed_ns = b->in.now_ns;
  b->s.failed_bytes = 99 * MIB;
  expect(b, TM_SUPPRESSED_INEFFECTIVE, TM_COLLECT);
  assert_int_equal(b->d.next_due_ns, b->in.now_ns + SECOND);
  bench later = *b, fell = *b, raised = *b;
  later.in.now_ns += SECOND;
  expect(&later, TM_FIRED, TM_COLLECT);
  fell.in.footprint_bytes = 94 * MIB;
  expect(&fell, TM_FIRED, TM_COLLECT);
  raised.in.hard_limit_bytes = 110 * MIB;
  expect(&raised, TM_FIRED, TM_COLLECT);
}

/* ---- The ladder ------------------------------------------------------------------------------ */

/* Nothing frees anything: each rung once, in order of effort, then it is over. */
static void order_of_effort(void **unused)
{
  (void)unused;
  static const tm_hook_kind order[] = {TM_TRIM, TM_DROP_CACHES, TM_COLLECT_MINOR, TM_COLLECT};
  bench *b = fresh(TRIM | DROP | MINOR | FULL | COMPACT | NEAR);
  b->in.soft_limit_bytes = 64 * MIB;
  grown(b, 80);
  for (size_t i = 0; i < TM_ARRAY_LEN(order); i++) {
    expect(b, TM_FIRED, (int)order[i]);
    assert_int_equal(b->d.reasons & TM_REASON_SOFT, TM_REASON_SOFT);
    assert_int_equal(b->d.need_bytes, 80 * MIB - (64 * MIB - 64 * MIB * 3 / 100) + MIB);
    ran(b, order[i], TM_HOOK_NOTHING, 0, 80);
  }
  expect_nothing(b);
}

static void a_rung_that_suffices_ends_it(void **unused)
{
  (void)unused;
  bench *b = fresh(DROP | MINOR | FULL);
  b->in.soft_limit_bytes = 64 * MIB;
  b->s.policy.kinds = 0;
  grown(b, 63);
  expect(b, TM_FIRED, TM_DROP_CACHES);
  ran(b, TM_DROP_CACHES, TM_HOOK_DONE, 0, 50);
  (void)decide(b);
  assert_true(b->d.kind != TM_COLLECT);
}

static void measure(bench *b, tm_hook_kind kind, double freed, double ns)
{
  b->s.rung[kind] = (tm_rung_state){.runs = 5,
                                    .believed = 1,
                                    .last_end_ns = b->in.now_ns,
                                    .freed_bytes = freed,
                                    .duration_ns = ns};
}

static void best_bytes_per_ms(void **unused)
{
  (void)unused;
  bench *b = fresh(DROP | MINOR | FULL);
  b->in.soft_limit_bytes = 64 * MIB;
  b->s.live_bytes = 40 * MIB;
  b->s.base_bytes = 60 * MIB;
  grown(b, 66);
  measure(b, TM_DROP_CACHES, 6.0 * MIB, 6e6);
  measure(b, TM_COLLECT_MINOR, 7.0 * MIB, 1e6);
  measure(b, TM_COLLECT, 20.0 * MIB, 50e6);
  expect(b, TM_FIRED, TM_COLLECT_MINOR);
  measure(b, TM_COLLECT_MINOR, 7.0 * MIB, 60e6);
  expect(b, TM_FIRED, TM_DROP_CACHES);
  measure(b, TM_DROP_CACHES, 3.0 * MIB, 1e6); /* less than is needed: 4.9 MiB */
  measure(b, TM_COLLECT_MINOR, 3.0 * MIB, 1e6);
  expect(b, TM_FIRED, TM_COLLECT);
  b->s.rung[TM_COLLECT].not_before_ns = b->in.now_ns + SECOND;
  expect(b, TM_FIRED, TM_DROP_CACHES); /* one that falls short is better than none */
}

static void useless_rungs_are_skipped(void **unused)
{
  (void)unused;
  bench *b = fresh(DROP);
  b->in.soft_limit_bytes = 64 * MIB;
  b->s.policy.kinds = 0;
  b->s.live_bytes = 40 * MIB;
  grown(b, 66);
  measure(b, TM_DROP_CACHES, 0.1 * MIB, 1e6);
  expect(b, TM_SUPPRESSED_YIELD, TM_DROP_CACHES);
  assert_int_equal(b->d.next_due_ns, 0);
  assert_true(b->d.trip_bytes > 66 * MIB); /* not asked again at once, */
  expect_nothing(b);
  grown(b, 72); /* but when it grew, */
  expect(b, TM_SUPPRESSED_YIELD, TM_DROP_CACHES);
  b->in.now_ns += 10 * SECOND; /* and what was measured is not believed for ever */
  grown(b, 80);
  expect(b, TM_FIRED, TM_DROP_CACHES);
}

/* A minor run that does the job and cools down for a moment is waited for; a full one would cost a
 * thousand times as much. */
static void patience(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL);
  b->in.soft_limit_bytes = 128 * MIB;
  b->s.live_bytes = b->s.base_bytes = 112 * MIB;
  grown(b, 126);
  measure(b, TM_COLLECT_MINOR, 20.0 * MIB, 1e6);
  b->s.rung[TM_COLLECT_MINOR].not_before_ns = b->in.now_ns + 50 * MS;
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT_MINOR);
  assert_int_equal(b->d.next_due_ns, b->in.now_ns + 50 * MS);
  b->s.rung[TM_COLLECT_MINOR].not_before_ns = b->in.now_ns + 5 * SECOND;
  expect(b, TM_FIRED, TM_COLLECT); /* that long is no moment */
}

static void held_back_wakes_at_the_next_reason(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL);
  b->in.soft_limit_bytes = 128 * MIB;
  b->s.live_bytes = b->s.base_bytes = 100 * MIB;
  grown(b, 109);
  b->s.rung[TM_COLLECT_MINOR].not_before_ns = b->in.now_ns + 50 * MS;
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT_MINOR);
  assert_int_equal(b->d.wake_bytes, 128 * MIB - 128 * MIB * 3 / 100);
}

/* ---- Postponing full runs that free little --------------------------------------------------- */

static void postponed_by_yield_and_cost(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 100);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 50 * MS, 100); /* 2 GB/s, freed nothing */
  b->in.now_ns += 300 * MS;
  grown(b, 200); /* the plain trip; a run would cost 100 ms and pay for itself after 2.5 s */
  expect(b, TM_SUPPRESSED_YIELD, TM_COLLECT);
  assert_int_equal(b->d.trip_bytes, 300 * MIB); /* looks again at twice the headroom */
  expect_nothing(b);
  bench slow = *b, full = *b, soft = *b, cheap = *b, pressed = *b;
  slow.in.now_ns += 2250 * MS; /* it took its time: 4 % is not too much to ask */
  expect(&slow, TM_FIRED, TM_COLLECT);
  full.in.now_ns += 100 * MS;
  grown(&full, 1100); /* ten times the headroom: more than a tenth of the time is too much, */
  expect(&full, TM_SUPPRESSED_YIELD, TM_COLLECT);
  assert_int_equal(full.d.trip_bytes, 1350 * MIB);
  full.in.now_ns += 5000 * MS; /* 550 ms after 5.6 s is not */
  expect_nothing(&full);
  full.in.now_ns += 200 * MS;
  expect(&full, TM_FIRED, TM_COLLECT);
  soft.in.soft_limit_bytes = 150 * MIB; /* above the soft limit yield does not count */
  expect(&soft, TM_FIRED, TM_COLLECT);
  cheap.s.collect_speed = 1e14;
  expect(&cheap, TM_FIRED, TM_COLLECT);
  pressed.in.pressure = TM_PRESSURE_MEDIUM;
  expect(&pressed, TM_FIRED, TM_COLLECT);
}

/* How much of the time a useless run may take: 36 % / (added / removed - 1). */
static void postponed_less_where_runs_free_more(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 110);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 50 * MS, 90); /* 1.8 GB/s; 110 added for 20 removed: 5.5 */
  grown(b, 180);                                 /* would cost 100 ms: 8 % of 1.25 s */
  bench early = *b, late = *b;
  early.in.now_ns += 1240 * MS;
  expect(&early, TM_SUPPRESSED_YIELD, TM_COLLECT);
  late.in.now_ns += 1260 * MS;
  expect(&late, TM_FIRED, TM_COLLECT);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(below_the_trip_nothing_is_due),
      cmocka_unit_test(at_the_trip_a_collection_is),
      cmocka_unit_test(one_generation_is_enough),
      cmocka_unit_test(the_request_that_waits_counts),
      cmocka_unit_test(young_and_old),
      cmocka_unit_test(floor_holds_back),
      cmocka_unit_test(cooldown_is_four_times_the_run),
      cmocka_unit_test(short_runs_do_not_cool_down),
      cmocka_unit_test(a_cooldown_has_its_price_in_bytes),
      cmocka_unit_test(cooldown_is_the_minimum_interval),
      cmocka_unit_test(cap_holds_everything_back),
      cmocka_unit_test(no_hook_is_said_once),
      cmocka_unit_test(a_policy_without_a_collector),
      cmocka_unit_test(given_up_as_full),
      cmocka_unit_test(order_of_effort),
      cmocka_unit_test(a_rung_that_suffices_ends_it),
      cmocka_unit_test(best_bytes_per_ms),
      cmocka_unit_test(useless_rungs_are_skipped),
      cmocka_unit_test(patience),
      cmocka_unit_test(held_back_wakes_at_the_next_reason),
      cmocka_unit_test(postponed_by_yield_and_cost),
      cmocka_unit_test(postponed_less_where_runs_free_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
