/* Which rung, or why not: each rule of tm_decide by itself, with every number given by the test. */
#include "gc/model.h"

enum {
  DROP = 1 << TM_DROP_CACHES,
  MINOR = 1 << TM_COLLECT_MINOR,
  FULL = 1 << TM_COLLECT,
  COMPACT = 1 << TM_COMPACT,
  TRIM = 1 << TM_TRIM,
  NEAR = 1 << TM_NEAR_LIMIT
};

typedef struct bench {
  tm_policy_state s;
  tm_inputs in;
  tm_decision d;
} bench;

static bench *fresh(unsigned hooks)
{
  static bench b;
  memset(&b, 0, sizeof b);
  tm_policy_state_init(&b.s, NULL, 100 * SECOND);
  b.in = (tm_inputs){.size = sizeof b.in, .now_ns = 100 * SECOND, .hooks = hooks};
  tm_decide(&b.in, &b.s, &b.d); /* it has seen the hooks */
  return &b;
}

/* The footprint is `mib` now, all of it allocated since the start or the last call of grown(). */
static void grown(bench *b, uint64_t mib)
{
  if (mib * MIB > b->in.footprint_bytes)
    b->in.allocated_bytes_total += mib * MIB - b->in.footprint_bytes;
  b->in.footprint_bytes = mib * MIB;
}

static int decide(bench *b)
{
  tm_decide(&b->in, &b->s, &b->d);
  return b->d.kind;
}

static void expect(bench *b, tm_verdict verdict, int kind)
{
  (void)decide(b);
  assert_int_equal(b->d.kind, kind);
  assert_int_equal(b->d.verdict, verdict);
}

static void expect_nothing(bench *b)
{
  expect(b, TM_VERDICT_COUNT, -1);
  assert_int_equal(b->d.reasons, 0);
  assert_int_equal(b->d.next_due_ns, 0);
  assert_true(b->d.trip_bytes > b->in.footprint_bytes);
}

/* The rung ran for `ns` and left `mib`. */
static void ran(bench *b, tm_hook_kind kind, int result, uint64_t ns, uint64_t mib)
{
  tm_outcome o = {.kind = kind,
                  .result = result,
                  .start_ns = b->in.now_ns,
                  .end_ns = b->in.now_ns + ns,
                  .footprint_before_bytes = b->in.footprint_bytes,
                  .footprint_after_bytes = mib * MIB,
                  .committed_before_bytes = b->in.committed_bytes,
                  .committed_after_bytes = b->in.committed_bytes,
                  .allocated_bytes_total = b->in.allocated_bytes_total};
  b->in.footprint_bytes = mib * MIB;
  b->in.now_ns += ns;
  tm_decide_outcome(&b->s, &o);
}

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
    assert_int_equal(b->d.need_bytes, 80 * MIB - (64 * MIB - 64 * MIB / 100 * 3) + MIB);
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
  assert_int_equal(b->d.wake_bytes, 128 * MIB - 128 * MIB / 100 * 3);
}

/* ---- Postponing full runs that free little --------------------------------------------------- */

static void postponed_by_yield_and_cost(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 100);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 50 * MS, 100); /* 2 GB/s, freed nothing */
  b->in.now_ns += 300 * MS;
  grown(b, 200); /* the plain trip; a run would cost 100 ms and pay for itself after 1 s */
  expect(b, TM_SUPPRESSED_YIELD, TM_COLLECT);
  assert_int_equal(b->d.trip_bytes, 300 * MIB); /* looks again at twice the headroom */
  expect_nothing(b);
  bench slow = *b, full = *b, soft = *b, cheap = *b, pressed = *b;
  slow.in.now_ns += 800 * MS; /* it took its time: 10 % is not too much to ask */
  expect(&slow, TM_FIRED, TM_COLLECT);
  grown(&full, 1100); /* ten times the headroom is the end of patience */
  expect(&full, TM_FIRED, TM_COLLECT);
  soft.in.soft_limit_bytes = 150 * MIB; /* above the soft limit yield does not count */
  expect(&soft, TM_FIRED, TM_COLLECT);
  cheap.s.collect_speed = 1e14;
  expect(&cheap, TM_FIRED, TM_COLLECT);
  pressed.in.pressure = TM_PRESSURE_MEDIUM;
  expect(&pressed, TM_FIRED, TM_COLLECT);
}

/* ---- Pressure -------------------------------------------------------------------------------- */

static void pressure_is_answered_once(void **unused)
{
  (void)unused;
  bench *b = fresh(DROP | FULL);
  b->in.committed_bytes = 40 * MIB;
  b->in.dirty_bytes = 30 * MIB;
  b->in.pressure = TM_PRESSURE_MEDIUM;
  expect(b, TM_FIRED, TM_TRIM); /* touches no cold memory */
  assert_int_equal(b->d.reasons, TM_REASON_PRESSURE);
  b->in.pressure = TM_PRESSURE_NONE;
  ran(b, TM_TRIM, TM_HOOK_DONE, 1000, 0);
  expect(b, TM_FIRED, TM_DROP_CACHES);
  ran(b, TM_DROP_CACHES, TM_HOOK_DONE, 1000, 0);
  expect_nothing(b);
  b->in.now_ns += MS; /* a new event is a new question; the trim cools down for a second */
  b->in.pressure = TM_PRESSURE_LOW;
  expect(b, TM_FIRED, TM_DROP_CACHES);
  b->in.pressure = TM_PRESSURE_NONE;
  ran(b, TM_DROP_CACHES, TM_HOOK_NOTHING, 1000, 0);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_TRIM);
  b->in.now_ns = b->d.next_due_ns;
  expect(b, TM_FIRED, TM_TRIM);
}

static void pressure_decays(void **unused)
{
  (void)unused;
  bench *b = fresh(0);
  b->in.pressure = TM_PRESSURE_CRITICAL;
  (void)decide(b);
  b->in.pressure = TM_PRESSURE_NONE;
  static const tm_pressure after[] = {TM_PRESSURE_CRITICAL, TM_PRESSURE_MEDIUM, TM_PRESSURE_LOW,
                                      TM_PRESSURE_NONE, TM_PRESSURE_NONE};
  for (size_t i = 0; i < TM_ARRAY_LEN(after); i++) {
    b->in.now_ns = 100 * SECOND + 2 * SECOND * i;
    (void)decide(b);
    assert_int_equal(b->s.pressure, after[i]);
    b->in.now_ns += 2 * SECOND - 1;
    (void)decide(b);
    assert_int_equal(b->s.pressure, after[i]);
  }
}

/* LOW keeps what the last minute's demand would fault in again. */
static void low_pressure_keeps_the_demand(void **unused)
{
  (void)unused;
  bench *b = fresh(0);
  b->s.policy.kinds = TM_POLICY_PRESSURE;
  grown(b, 40);
  (void)decide(b);
  b->in.footprint_bytes = 10 * MIB;
  b->in.dirty_bytes = 30 * MIB;
  b->in.committed_bytes = 40 * MIB;
  b->in.pressure = TM_PRESSURE_LOW;
  expect_nothing(b);
  b->in.dirty_bytes = 32 * MIB;
  expect(b, TM_FIRED, TM_TRIM);
  bench medium = *b;
  medium.in.dirty_bytes = 30 * MIB;
  medium.in.pressure = TM_PRESSURE_MEDIUM;
  expect(&medium, TM_FIRED, TM_TRIM);
  b->in.now_ns += 61 * SECOND; /* the demand is history */
  b->in.dirty_bytes = 2 * MIB;
  expect(b, TM_FIRED, TM_TRIM);
}

/* ---- Tidying up ------------------------------------------------------------------------------ */

static void trim_above_the_soft_limit(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->in.soft_limit_bytes = 100 * MIB;
  grown(b, 2);
  b->in.committed_bytes = 100 * MIB;
  b->in.dirty_bytes = 90 * MIB;
  expect_nothing(b);
  b->in.committed_bytes++;
  expect(b, TM_FIRED, TM_TRIM);
  assert_int_equal(b->d.reasons, TM_REASON_SOFT);
  ran(b, TM_TRIM, TM_HOOK_DONE, 1000, 2);
  expect_nothing(b); /* not twice within a second, and not for little */
  b->in.now_ns += SECOND;
  b->in.dirty_bytes = 5 * MIB - 1;
  expect_nothing(b);
  b->in.dirty_bytes = 6 * MIB;
  expect(b, TM_FIRED, TM_TRIM);
  b->in.soft_limit_bytes = 0; /* without a limit the heap's own decay is enough */
  expect_nothing(b);
}

static void informed_bytes_weigh_in_the_limit(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->s.policy.kinds = 0;
  b->in.soft_limit_bytes = 100 * MIB;
  b->in.footprint_bytes = 70 * MIB;
  b->in.informed_bytes = 60 * MIB;
  b->in.committed_bytes = 41 * MIB;
  b->in.dirty_bytes = 30 * MIB;
  expect(b, TM_FIRED, TM_TRIM);
}

static void compaction_thresholds(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t committed_mib, fixable_mib;
    bool due;
  } table[] = {{30, 3, false},   {30, 4, true},   {100, 9, false},
               {100, 10, true},  {10, 3, false},  {1000, 99, false},
               {1000, 100, true}};
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    bench *b = fresh(COMPACT);
    b->s.policy.kinds = 0;
    b->in.committed_bytes = table[i].committed_mib * MIB;
    b->in.fixable_bytes = table[i].fixable_mib * MIB;
    if (!table[i].due) {
      expect_nothing(b);
      continue;
    }
    expect(b, TM_FIRED, TM_COMPACT);
    assert_int_equal(b->d.reasons, TM_REASON_FRAGMENTED);
    ran(b, TM_COMPACT, TM_HOOK_DONE, MS, 0); /* no better: waits a second, then two */
    expect_nothing(b);
    b->in.now_ns += SECOND;
    expect(b, TM_FIRED, TM_COMPACT);
    ran(b, TM_COMPACT, TM_HOOK_DONE, MS, 0);
    b->in.now_ns += SECOND;
    expect_nothing(b);
  }
}

/* ---- Incremental actions --------------------------------------------------------------------- */

static void more_goes_on(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL | DROP);
  grown(b, 4);
  expect(b, TM_FIRED, TM_COLLECT_MINOR);
  ran(b, TM_COLLECT_MINOR, TM_HOOK_MORE, 10 * MS, 4);
  expect(b, TM_FIRED, TM_COLLECT_MINOR); /* at once: no cooldown between steps */
  assert_int_equal(b->d.reasons & TM_REASON_MORE, TM_REASON_MORE);
  assert_int_equal(b->s.rung[TM_COLLECT_MINOR].runs, 0);
  ran(b, TM_COLLECT_MINOR, TM_HOOK_MORE, 10 * MS, 3);
  ran(b, TM_COLLECT_MINOR, TM_HOOK_DONE, 10 * MS, 2);
  assert_int_equal(b->s.rung[TM_COLLECT_MINOR].runs, 1);
  assert_int_equal(b->s.rung[TM_COLLECT_MINOR].last_duration_ns, 30 * MS);
  assert_true(b->s.rung[TM_COLLECT_MINOR].freed_bytes == 2.0 * MIB);
  expect_nothing(b);
}

static void more_and_the_hook_is_gone(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  ran(b, TM_COLLECT, TM_HOOK_MORE, MS, 2);
  b->in.hooks = 0;
  expect_nothing(b);
  b->in.hooks = FULL;
  expect_nothing(b);
}

static void more_obeys_the_cap(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  ran(b, TM_COLLECT, TM_HOOK_MORE, 2 * SECOND, 4);
  expect(b, TM_SUPPRESSED_CAP, TM_COLLECT);
}

static void busy_is_asked_again_later_and_later(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  for (uint64_t wait = 10; wait <= 1280; wait *= 2) {
    expect(b, TM_FIRED, TM_COLLECT);
    ran(b, TM_COLLECT, wait % 20 ? TM_HOOK_BUSY : TM_HOOK_ERROR, 0, 4);
    expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
    assert_int_equal(b->d.next_due_ns, b->in.now_ns + wait * MS);
    b->in.now_ns = b->d.next_due_ns;
  }
  ran(b, TM_COLLECT, TM_HOOK_BUSY, 0, 4);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  assert_int_equal(b->d.next_due_ns, b->in.now_ns + 1280 * MS);
  assert_int_equal(b->s.live_bytes, 0); /* nothing was learned about L */
  ran(b, TM_COLLECT, TM_HOOK_DONE, 0, 2);
  assert_int_equal(b->s.rung[TM_COLLECT].refusals, 0);
}

/* ---- At the hard limit ----------------------------------------------------------------------- */

static bench *full_heap(unsigned hooks, tm_end end)
{
  bench *b = fresh(hooks);
  b->s.policy.end = end;
  b->in.hard_limit_bytes = 64 * MIB;
  grown(b, 64);
  (void)decide(b);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 10 * MS, 64); /* it cools down, nothing was allocated since */
  b->in.need_bytes = MIB;
  b->in.emergency = 1;
  return b;
}

static void emergency_ignores_cooldown_and_floor(void **unused)
{
  (void)unused;
  bench *b = full_heap(FULL, TM_END_FAIL);
  expect(b, TM_FIRED, TM_COLLECT);
  assert_int_equal(b->d.need_bytes, MIB);
  assert_int_equal(b->d.reasons, TM_REASON_HARD);
  b->in.emergency = 0;
  (void)decide(b);
  assert_int_equal(b->d.verdict, TM_SUPPRESSED_COOLDOWN);
}

static void emergency_obeys_the_cap(void **unused)
{
  (void)unused;
  bench *b = full_heap(FULL, TM_END_FAIL);
  ran(b, TM_COLLECT, TM_HOOK_DONE, SECOND, 64);
  expect(b, TM_SUPPRESSED_CAP, TM_COLLECT);
}

/* The caller takes away what ran; NEAR_LIMIT comes last, and only if the host wants to be asked. */
static void emergency_climbs(void **unused)
{
  (void)unused;
  for (int end = TM_END_FAIL; end <= TM_END_ASK; end++) {
    bench *b = full_heap(DROP | MINOR | FULL | COMPACT | TRIM | NEAR, (tm_end)end);
    static const tm_hook_kind order[] = {TM_TRIM, TM_DROP_CACHES, TM_COLLECT_MINOR, TM_COLLECT};
    for (size_t i = 0; i < TM_ARRAY_LEN(order); i++) {
      expect(b, TM_FIRED, (int)order[i]);
      b->in.hooks &= ~(1u << order[i]);
    }
    if (end == TM_END_ASK) {
      expect(b, TM_FIRED, TM_NEAR_LIMIT);
      b->in.hooks &= ~(unsigned)NEAR;
    }
    assert_int_equal(decide(b), -1);
  }
}

/* The system refused, not the limit: now giving memory back helps. */
static void emergency_without_a_limit(void **unused)
{
  (void)unused;
  bench *b = fresh(COMPACT | TRIM);
  b->in.emergency = 1;
  b->in.need_bytes = MIB;
  expect(b, TM_FIRED, TM_TRIM);
  assert_int_equal(b->d.need_bytes, MIB);
  b->in.hooks = COMPACT;
  expect(b, TM_FIRED, TM_COMPACT);
}

/* A deferred heap's failed request: the next poll may act before the floor, not in the cooldown. */
static void a_failed_request(void **unused)
{
  (void)unused;
  bench *b = full_heap(FULL | DROP, TM_END_FAIL);
  b->in.emergency = 0;
  expect(b, TM_FIRED, TM_DROP_CACHES);
  assert_int_equal(b->d.reasons & TM_REASON_HARD, TM_REASON_HARD);
  assert_int_equal(b->d.need_bytes, MIB);
  b->in.hooks = FULL;
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  b->in.now_ns = b->d.next_due_ns;
  expect(b, TM_FIRED, TM_COLLECT);
}

/* Four strikes near the limit while most of the time goes into collecting. */
static void near_the_limit(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t mib, gap_ms;
    unsigned hooks;
    bool asked, given_up;
  } table[] = {
      {60, 10, FULL | NEAR, true, false},  /* 90 % of the time */
      {60, 100, FULL | NEAR, false, false}, /* 50 % */
      {50, 10, FULL | NEAR, false, false},  /* not above 0.8 H */
      {60, 10, FULL, false, true},          /* nobody to ask */
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    bench *b = fresh(table[i].hooks);
    b->in.hard_limit_bytes = 64 * MIB;
    grown(b, table[i].mib);
    (void)decide(b);
    for (int strike = 0; strike < 4; strike++) {
      (void)decide(b);
      assert_int_not_equal(b->d.kind, TM_NEAR_LIMIT);
      b->in.now_ns += table[i].gap_ms * MS;
      ran(b, TM_COLLECT, TM_HOOK_DONE, 90 * MS, table[i].mib);
    }
    (void)decide(b);
    assert_int_equal(b->d.kind == TM_NEAR_LIMIT, table[i].asked);
    assert_int_equal(b->s.failed_ns != 0, table[i].given_up);
    if (table[i].asked) {
      ran(b, TM_NEAR_LIMIT, TM_HOOK_DONE, 0, table[i].mib); /* it could not help */
      assert_true(b->s.failed_ns != 0);
    }
  }
}

/* ---- The function itself --------------------------------------------------------------------- */

static void equal_arguments_equal_results(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL | DROP);
  uint64_t random = 88172645463325252u;
  for (int i = 0; i < 20000; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    b->in.now_ns += random % (5 * MS);
    grown(b, b->in.footprint_bytes / MIB + random % 3);
    b->in.dirty_bytes = random % (64 * MIB);
    b->in.committed_bytes = b->in.footprint_bytes + b->in.dirty_bytes;
    b->in.soft_limit_bytes = random % 2 ? 0 : 256 * MIB;
    b->in.hard_limit_bytes = random % 3 ? 0 : 512 * MIB;
    b->in.pressure = (tm_pressure)(random % 97 ? 0 : random % 4);
    bench twin = *b;
    tm_decide(&b->in, &b->s, &b->d);
    tm_decide(&twin.in, &twin.s, &twin.d);
    assert_memory_equal(b, &twin, sizeof twin);
    if (b->d.kind < 0 || !b->d.next_due_ns)
      assert_true(b->d.trip_bytes > b->in.footprint_bytes || b->d.verdict == TM_FIRED);
    if (b->d.verdict != TM_FIRED)
      continue;
    uint64_t left = b->in.footprint_bytes / MIB * (random % 5) / 5;
    ran(b, (tm_hook_kind)b->d.kind, (int)(random % 5), random % (20 * MS), left);
  }
}

static void an_older_inputs_struct(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  b->in.need_bytes = UINT64_MAX / 2; /* beyond what the old caller has: must not be read */
  b->in.emergency = 1;
  b->in.size = offsetof(tm_inputs, need_bytes);
  expect(b, TM_SUPPRESSED_NO_HOOK, TM_COLLECT); /* hooks are beyond it, too */
}

static void time_that_stands_or_jumps_back(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 10 * MS, 0);
  b->in.now_ns -= 50 * SECOND;
  grown(b, 10);
  expect(b, TM_SUPPRESSED_COOLDOWN, TM_COLLECT);
  assert_int_equal(b->s.last_now_ns, 100 * SECOND + 10 * MS);
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
      cmocka_unit_test(pressure_is_answered_once),
      cmocka_unit_test(pressure_decays),
      cmocka_unit_test(low_pressure_keeps_the_demand),
      cmocka_unit_test(trim_above_the_soft_limit),
      cmocka_unit_test(informed_bytes_weigh_in_the_limit),
      cmocka_unit_test(compaction_thresholds),
      cmocka_unit_test(more_goes_on),
      cmocka_unit_test(more_and_the_hook_is_gone),
      cmocka_unit_test(more_obeys_the_cap),
      cmocka_unit_test(busy_is_asked_again_later_and_later),
      cmocka_unit_test(emergency_ignores_cooldown_and_floor),
      cmocka_unit_test(emergency_obeys_the_cap),
      cmocka_unit_test(emergency_climbs),
      cmocka_unit_test(emergency_without_a_limit),
      cmocka_unit_test(a_failed_request),
      cmocka_unit_test(near_the_limit),
      cmocka_unit_test(equal_arguments_equal_results),
      cmocka_unit_test(an_older_inputs_struct),
      cmocka_unit_test(time_that_stands_or_jumps_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
