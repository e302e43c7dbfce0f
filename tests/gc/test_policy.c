/* Where each policy puts the trip, floors, yields, the bucket. The struct: test_policy_struct.c. */
#include "gc/policy.h"

#include "gc/model.h"

/* ---- Trips ----------------------------------------------------------------------------------- */

enum { FULL = 1 << TM_COLLECT, MINOR = 1 << TM_COLLECT_MINOR };

typedef struct trip_case {
  const char *name;
  unsigned kinds, hooks;
  uint64_t live, base, soft, hard, committed, dirty, footprint;
  tm_pressure pressure;
  uint64_t trip; /* expected */
  unsigned policy;
} trip_case;

#define G TM_POLICY_GROWTH
#define F TM_POLICY_FIXED
#define P TM_POLICY_PRESSURE

static const trip_case trips[] = {
    /* GROWTH: L + max(4 MiB, L) */
    {.name = "empty", .kinds = G, .trip = 4 * MIB, .policy = TM_REASON_GROWTH},
    {.name = "doubling",
     .kinds = G,
     .live = 100 * MIB,
     .trip = 200 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "growth floor",
     .kinds = G,
     .live = 3 * MIB,
     .trip = 7 * MIB,
     .policy = TM_REASON_GROWTH},
    /* FIXED: N, but never below L plus the floor of max(1 MiB, L / 20) */
    {.name = "fixed", .kinds = F, .live = 10 * MIB, .trip = 64 * MIB, .policy = TM_REASON_FIXED},
    {.name = "fixed below live",
     .kinds = F,
     .live = 100 * MIB,
     .trip = 105 * MIB,
     .policy = TM_REASON_FIXED},
    {.name = "fixed, small floor",
     .kinds = F,
     .live = 64 * MIB - 1,
     .trip = 64 * MIB - 1 + 3355443,
     .policy = TM_REASON_FIXED},
    {.name = "the smallest wins",
     .kinds = F | G,
     .live = 50 * MIB,
     .trip = 64 * MIB,
     .policy = TM_REASON_FIXED},
    {.name = "none", .kinds = 0, .live = 20 * MIB, .trip = NO_TRIP, .policy = 0},
    /* SOFT: S - overhead - max(3 %, 1 MiB), never below L */
    {.name = "soft, 3 %",
     .kinds = G,
     .live = 90 * MIB,
     .soft = 100 * MIB,
     .trip = 97 * MIB,
     .policy = TM_REASON_SOFT},
    {.name = "soft, 1 MiB",
     .kinds = G,
     .live = 7 * MIB,
     .base = 5 * MIB,
     .soft = 10 * MIB,
     .trip = 9 * MIB,
     .policy = TM_REASON_SOFT},
    {.name = "soft, overhead",
     .kinds = G,
     .live = 60 * MIB,
     .footprint = 60 * MIB,
     .soft = 100 * MIB,
     .committed = 90 * MIB,
     .dirty = 10 * MIB,
     .trip = 77 * MIB,
     .policy = TM_REASON_SOFT},
    {.name = "soft, overhead of half",
     .kinds = G,
     .live = 30 * MIB,
     .footprint = 30 * MIB,
     .soft = 100 * MIB,
     .committed = 200 * MIB,
     .trip = 50 * MIB,
     .policy = TM_REASON_SOFT},
    {.name = "soft below live",
     .kinds = G,
     .live = 200 * MIB,
     .base = 200 * MIB,
     .soft = 100 * MIB,
     .trip = 210 * MIB,
     .policy = TM_REASON_SOFT},
    /* HALFWAY: (L + H) / 2 */
    {.name = "halfway",
     .kinds = G,
     .live = 60 * MIB,
     .hard = 100 * MIB,
     .trip = 80 * MIB,
     .policy = TM_REASON_HALFWAY},
    {.name = "halfway is far",
     .kinds = G,
     .live = 10 * MIB,
     .hard = 100 * MIB,
     .trip = 20 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "no way left", .kinds = 0, .live = 100 * MIB, .hard = 100 * MIB, .trip = NO_TRIP},
    {.name = "halfway with the floor",
     .kinds = 0,
     .live = 96 * MIB,
     .base = 96 * MIB,
     .hard = 100 * MIB,
     .trip = 96 * MIB + 96 * MIB / 20,
     .policy = TM_REASON_HALFWAY},
    /* YOUNG: U after the last run + Y, for hosts with both generations */
    {.name = "young",
     .kinds = G,
     .hooks = MINOR | FULL,
     .live = 90 * MIB,
     .base = 100 * MIB,
     .trip = 108 * MIB,
     .policy = TM_REASON_YOUNG},
    {.name = "not young: one generation",
     .kinds = G,
     .hooks = FULL,
     .live = 90 * MIB,
     .base = 100 * MIB,
     .trip = 180 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "not young: the other one",
     .kinds = G,
     .hooks = MINOR,
     .live = 90 * MIB,
     .base = 100 * MIB,
     .trip = 180 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "old before young",
     .kinds = G,
     .hooks = MINOR | FULL,
     .live = 54 * MIB,
     .base = 105 * MIB,
     .trip = 108 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "soft before young",
     .kinds = G,
     .hooks = MINOR | FULL,
     .live = 90 * MIB,
     .base = 92 * MIB,
     .soft = 100 * MIB,
     .trip = 97 * MIB,
     .policy = TM_REASON_SOFT},
    /* PRESSURE: headroom times 1, 1/2, 1/4, 0; the floor stays */
    {.name = "low",
     .kinds = G | P,
     .live = 100 * MIB,
     .pressure = TM_PRESSURE_LOW,
     .trip = 150 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "medium",
     .kinds = G | P,
     .live = 100 * MIB,
     .pressure = TM_PRESSURE_MEDIUM,
     .trip = 125 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "critical",
     .kinds = G | P,
     .live = 100 * MIB,
     .pressure = TM_PRESSURE_CRITICAL,
     .trip = 105 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "not asked for",
     .kinds = G,
     .live = 100 * MIB,
     .pressure = TM_PRESSURE_CRITICAL,
     .trip = 200 * MIB,
     .policy = TM_REASON_GROWTH},
    {.name = "low, fixed",
     .kinds = F | P,
     .live = 24 * MIB,
     .pressure = TM_PRESSURE_LOW,
     .trip = 44 * MIB,
     .policy = TM_REASON_FIXED},
    {.name = "low, soft",
     .kinds = P,
     .live = 57 * MIB,
     .base = 40 * MIB,
     .soft = 100 * MIB,
     .pressure = TM_PRESSURE_LOW,
     .trip = 77 * MIB,
     .policy = TM_REASON_SOFT},
    {.name = "low, halfway",
     .kinds = P,
     .live = 60 * MIB,
     .hard = 100 * MIB,
     .pressure = TM_PRESSURE_LOW,
     .trip = 70 * MIB,
     .policy = TM_REASON_HALFWAY},
    {.name = "low, young",
     .kinds = G | P,
     .hooks = MINOR | FULL,
     .live = 90 * MIB,
     .base = 100 * MIB,
     .pressure = TM_PRESSURE_LOW,
     .trip = 104 * MIB,
     .policy = TM_REASON_YOUNG},
};

static void where_the_trip_is(void **unused)
{
  (void)unused;
  for (size_t i = 0; i < TM_ARRAY_LEN(trips); i++) {
    const trip_case *c = &trips[i];
    tm_policy_state s;
    tm__trips t;
    unsigned policy;
    tm_policy_state_init(&s, NULL, 1);
    s.policy.kinds = c->kinds;
    s.live_bytes = c->live;
    s.base_bytes = c->base;
    s.pressure = c->pressure;
    s.hooks = c->hooks;
    tm_inputs in = {.footprint_bytes = c->footprint,
                    .soft_limit_bytes = c->soft,
                    .hard_limit_bytes = c->hard,
                    .committed_bytes = c->committed,
                    .dirty_bytes = c->dirty};
    tm__trips_compute(&s, &in, &t);
    uint64_t trip = tm__trips_lowest(&t, &policy);
    if (trip != c->trip || policy != c->policy)
      fail_msg("%s: trip %llu KiB by %u, not %llu by %u", c->name, (unsigned long long)(trip / KIB),
               policy, (unsigned long long)(c->trip / KIB), c->policy);
  }
}

/* Sizes that no machine has must saturate, not wrap to a trip of nothing. */
static void no_trip_wraps(void **unused)
{
  (void)unused;
  static const uint64_t huge[] = {UINT64_MAX, UINT64_MAX / 2, UINT64_MAX / 100, (uint64_t)1 << 62};
  for (size_t i = 0; i < TM_ARRAY_LEN(huge); i++) {
    tm_policy_state s;
    tm__trips t;
    unsigned policy;
    tm_policy_state_init(&s, NULL, 1);
    s.policy.growth_percent = 10000;
    s.live_bytes = s.base_bytes = huge[i];
    s.old_headroom = 10;
    tm_inputs in = {.soft_limit_bytes = UINT64_MAX, .hard_limit_bytes = UINT64_MAX};
    tm__trips_compute(&s, &in, &t);
    assert_true(tm__trips_lowest(&t, &policy) >= huge[i]);
  }
  assert_int_equal(tm__scale(UINT64_MAX, 1.0), UINT64_MAX);
  assert_int_equal(tm__add(UINT64_MAX, 1), UINT64_MAX);
  assert_int_equal(tm__less(1, 2), 0);
}

/* Decision 8: however little collections free, a postponed trip stays below the soft limit's. */
static void yield_never_lifts_above_soft(void **unused)
{
  (void)unused;
  tm_policy_state s;
  tm__trips t;
  unsigned policy;
  tm_policy_state_init(&s, NULL, 1);
  s.live_bytes = 40 * MIB;
  s.old_headroom = 10;
  tm_inputs in = {.soft_limit_bytes = 100 * MIB};
  tm__trips_compute(&s, &in, &t);
  assert_int_equal(t.plain_bytes, 80 * MIB);
  assert_int_equal(t.postponed_bytes, 440 * MIB);
  assert_int_equal(tm__trips_lowest(&t, &policy), 97 * MIB);
  assert_int_equal(policy, TM_REASON_SOFT);
}

/* ---- Floors, yields, the bucket -------------------------------------------------------------- */

static void floors(void **unused)
{
  (void)unused;
  tm_policy_state s;
  tm_policy_state_init(&s, NULL, 1);
  s.hooks = MINOR | FULL;
  assert_int_equal(tm__floor_bytes(&s, TM_COLLECT), MIB);
  s.live_bytes = 400 * MIB;
  assert_int_equal(tm__floor_bytes(&s, TM_COLLECT), 20 * MIB);
  assert_int_equal(tm__floor_bytes(&s, TM_COLLECT_MINOR), 4 * MIB); /* costs less, waits less */
  assert_int_equal(tm__floor_bytes(&s, TM_DROP_CACHES), MIB);
  s.rung[TM_COLLECT].strikes = 2; /* backs off while it frees nothing */
  assert_int_equal(tm__floor_bytes(&s, TM_COLLECT), 60 * MIB);
  s.rung[TM_COLLECT].strikes = 99;
  assert_int_equal(tm__floor_bytes(&s, TM_COLLECT), 80 * MIB);
  s.hooks = MINOR; /* now it is the full collection of this host */
  assert_int_equal(tm__full_kind(&s), TM_COLLECT_MINOR);
  assert_int_equal(tm__floor_bytes(&s, TM_COLLECT_MINOR), 20 * MIB);
}

/* Three runs and the last one. */
static double ratio(uint64_t added, uint64_t removed, uint64_t last_added, uint64_t last_removed)
{
  tm_policy_state s;
  tm_policy_state_init(&s, NULL, 1);
  s.hooks = FULL;
  s.rung[TM_COLLECT].runs = 8; /* the last one's place is 0 */
  for (size_t i = 1; i < 4; i++) {
    s.added_bytes[1][i] = added;
    s.removed_bytes[1][i] = removed;
  }
  s.added_bytes[1][0] = last_added;
  s.removed_bytes[1][0] = last_removed;
  return tm__yield_ratio(&s, true);
}

static bool near(double a, double b)
{
  return a >= b - 1e-9 && a <= b + 1e-9;
}

static void yield_ratio(void **unused)
{
  (void)unused;
  assert_true(near(ratio(0, 0, 0, 0), 1));
  assert_true(near(ratio(8, 8, 8, 8), 1));
  assert_true(near(ratio(8, 0, 8, 0), 10));
  assert_true(near(ratio(8, 2, 8, 2), 4));
  assert_true(near(ratio(80, 1, 80, 1), 10)); /* clamped */
  assert_true(near(ratio(1, 80, 1, 80), 1));
  assert_true(near(ratio(8, 0, 8, 4), 2));         /* garbage is back: believed at once */
  assert_true(near(ratio(8, 4, 8, 0), 32.0 / 12)); /* one useless run does not make it useless */
  tm_policy_state s;
  tm_policy_state_init(&s, NULL, 1);
  s.policy.kinds = TM_POLICY_GROWTH;
  s.added_bytes[1][0] = MIB;
  assert_true(near(tm__yield_ratio(&s, true), 1)); /* not asked for */
}

static void bucket(void **unused)
{
  (void)unused;
  tm_policy_state s;
  tm_policy_state_init(&s, NULL, 0);
  s.bucket_ns = 1e9;
  tm__bucket_drain(&s, 400 * MS); /* 50 %: one for one */
  assert_true(near(s.bucket_ns, 0.6e9));
  s.policy.cpu_cap_percent = 20; /* a quarter of other time */
  tm__bucket_drain(&s, 800 * MS);
  assert_true(near(s.bucket_ns, 0.5e9));
  tm__bucket_drain(&s, 700 * MS); /* time does not run backwards */
  assert_true(near(s.bucket_ns, 0.5e9));
  s.policy.cpu_cap_percent = 0;
  tm__bucket_drain(&s, SECOND);
  assert_true(near(s.bucket_ns, 0.5e9));
  assert_true(near(tm__bucket_capacity(&s), 0)); /* no time for actions at all */
  s.policy.cpu_cap_percent = 100;
  tm__bucket_drain(&s, 2 * SECOND);
  assert_true(near(s.bucket_ns, 0));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(where_the_trip_is),
      cmocka_unit_test(no_trip_wraps),
      cmocka_unit_test(yield_never_lifts_above_soft),
      cmocka_unit_test(floors),
      cmocka_unit_test(yield_ratio),
      cmocka_unit_test(bucket),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
