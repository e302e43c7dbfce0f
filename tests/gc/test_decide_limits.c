/* Pressure, tidying up, incremental actions, the hard limit: tm_decide with every number given. */
#include "gc/decide_bench.h"

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
  } table[] = {{30, 3, false}, {30, 4, true},     {100, 9, false},  {100, 10, true},
               {10, 3, false}, {1000, 99, false}, {1000, 100, true}};
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
      {60, 10, FULL | NEAR, true, false},   /* 90 % of the time */
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

/* Strikes count in rounds as well: each found something, and all of them hardly anything. */
static void near_the_limit_in_rounds(void **unused)
{
  (void)unused;
  for (int asks = 0; asks <= 1; asks++) {
    bench *b = full_heap(FULL | (asks ? NEAR : 0), TM_END_FAIL);
    uint64_t mib = b->in.footprint_bytes / MIB;
    for (int strike = 2; strike <= 4; strike++) { /* the first was before */
      expect(b, TM_FIRED, TM_COLLECT);
      ran(b, TM_COLLECT, TM_HOOK_DONE, 90 * MS, mib);
    }
    if (asks) {
      expect(b, TM_FIRED, TM_NEAR_LIMIT);
      ran(b, TM_NEAR_LIMIT, TM_HOOK_DONE, 0, mib);
      b->in.hooks &= ~(unsigned)NEAR; /* one round */
    }
    expect(b, TM_SUPPRESSED_INEFFECTIVE, TM_COLLECT);
    b->in.now_ns += SECOND;
    expect(b, TM_FIRED, TM_COLLECT); /* a second later it is worth a try */
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

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pressure_is_answered_once),
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
      cmocka_unit_test(near_the_limit_in_rounds),
      cmocka_unit_test(equal_arguments_equal_results),
      cmocka_unit_test(an_older_inputs_struct),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
