/* DEBT, SQRT and SHARED: where they put the trip, and what they learn. Numbers by hand. */
#include "gc/decide_bench.h"

#include "gc/policy.h"

static tm_policy_state state_of(unsigned kinds)
{
  tm_policy p;
  tm_policy_state s;
  tm_policy_init(&p);
  p.kinds = kinds;
  tm_policy_state_init(&s, &p, 100 * SECOND);
  s.hooks = FULL;
  return s;
}

static uint64_t trip_of(const tm_policy_state *s, const tm_inputs *in, unsigned reason)
{
  tm__trips t;
  unsigned policy;
  tm__trips_compute(s, in, &t);
  uint64_t trip = tm__trips_lowest(&t, &policy);
  assert_int_equal(policy, reason);
  return trip;
}

static void check_trip(const char *name, uint64_t trip, uint64_t expected)
{
  if (trip != expected)
    fail_msg("%s: trip %.6f MiB, not %.6f", name, (double)trip / (double)MIB,
             (double)expected / (double)MIB);
}

/* ---- DEBT ------------------------------------------------------------------------------------ */

static void debt_trips(void **unused)
{
  (void)unused;
  static const struct {
    const char *name;
    uint64_t live, footprint, since, debt, trip;
  } table[] = {
      {"all of it is left", 0, 0, 0, 16, 16},
      {"the rest of it", 10, 20, 5, 16, 31},
      {"used up", 10, 20, 16, 16, 20},
      {"more than used up", 10, 20, 40, 16, 20},
      {"a larger one", 10, 20, 16, 48, 52},
      {"what died by itself is no reason", 100, 100, 500, 16, 105},
      {"nor below what was live", 100, 40, 500, 16, 105},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    tm_policy_state s = state_of(TM_POLICY_DEBT);
    s.live_bytes = table[i].live * MIB;
    s.debt_bytes = table[i].debt * MIB;
    s.rung[TM_COLLECT].allocated_bytes = 1000 * MIB;
    tm_inputs in = {.footprint_bytes = table[i].footprint * MIB,
                    .allocated_bytes_total = (1000 + table[i].since) * MIB};
    check_trip(table[i].name, trip_of(&s, &in, TM_REASON_DEBT), table[i].trip * MIB);
  }
}

/* Under pressure the headroom that is left is scaled, whatever was used of it. */
static void debt_under_pressure(void **unused)
{
  (void)unused;
  tm_policy_state s = state_of(TM_POLICY_DEBT | TM_POLICY_PRESSURE);
  s.live_bytes = 10 * MIB;
  s.pressure = TM_PRESSURE_LOW;
  tm_inputs in = {.footprint_bytes = 14 * MIB, .allocated_bytes_total = 4 * MIB};
  check_trip("low", trip_of(&s, &in, TM_REASON_DEBT), 18 * MIB); /* 10 + (4 + 12) / 2 */
}

static void ran_after(tm_policy_state *s, uint64_t allocated, uint64_t before, uint64_t after,
                      uint64_t ns)
{
  tm_outcome o = {.kind = TM_COLLECT,
                  .start_ns = s->last_now_ns,
                  .end_ns = s->last_now_ns + ns,
                  .footprint_before_bytes = before * MIB,
                  .footprint_after_bytes = after * MIB,
                  .allocated_bytes_total = s->rung[TM_COLLECT].allocated_bytes + allocated * MIB};
  tm_decide_outcome(s, &o);
}

static void debt_learns(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t debt, allocated, live, after_kib;
  } table[] = {
      {16, 20, 10, 28 * 1024},  /* it came late: 1.4 times what was allocated, */
      {16, 20, 5, 20 * 1024},   /* at most four times L, */
      {16, 20, 2, 16 * 1024},   /* and never less than the first one */
      {16, 16, 10, 16 * 1024},  /* in time: a fiftieth less, */
      {100, 50, 10, 98 * 1024}, /* from where it was */
      {100, 200, 1000, 280 * 1024}, {300, 400, 10, 40 * 1024},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    tm_policy_state s = state_of(TM_POLICY_DEBT);
    s.debt_bytes = table[i].debt * MIB;
    ran_after(&s, table[i].allocated, table[i].live + 1, table[i].live, 0);
    assert_int_equal(s.debt_bytes, table[i].after_kib * KIB);
  }
  tm_policy_state s = state_of(TM_POLICY_DEBT);
  ran_after(&s, 20, 30, 10, 0);
  tm__policy_adopt(&s, &s.policy); /* set again: it starts again */
  assert_int_equal(s.debt_bytes, 16 * MIB);
}

static void debt_counts_from_the_last_full_run(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL);
  b->s.policy.kinds = TM_POLICY_DEBT;
  b->s.policy.young_bytes = 12 * MIB;
  b->s.young_bytes = 12 * MIB;
  b->s.live_bytes = 4 * MIB;
  grown(b, 12);
  expect(b, TM_FIRED, TM_COLLECT_MINOR);
  ran(b, TM_COLLECT_MINOR, TM_HOOK_DONE, 0, 2);
  expect_nothing(b);
  grown(b, 8); /* 18 MiB, of which the minor run took 10 */
  expect(b, TM_FIRED, TM_COLLECT_MINOR);
  assert_int_equal(b->d.reasons, TM_REASON_DEBT);
}

/* ---- SQRT ------------------------------------------------------------------------------------ */

typedef struct root_case {
  const char *name;
  double live, rate, speed, net; /* MiB, MiB/s, MiB/s, part */
  unsigned share, target;
  uint64_t samples, previous;
  double trip; /* MiB */
} root_case;

/* sqrt((L + 4) * g / s * 1 MiB) / share, between max(2 MiB, L / 20) and 3 L */
static const root_case roots[] = {
    {"the example", 60, 16, 1024, 1, 2, 0, 2, 0, 110},
    {"four times the rate, twice the headroom", 60, 64, 1024, 1, 2, 0, 2, 0, 160},
    {"four times the speed, half of it", 60, 16, 4096, 1, 2, 0, 2, 0, 85},
    {"four times the heap, twice", 252, 16, 1024, 1, 2, 0, 2, 0, 352},
    {"half of the share, twice", 60, 16, 1024, 1, 1, 0, 2, 0, 160},
    {"ten percent", 60, 16, 1024, 1, 10, 0, 2, 0, 70},
    {"at least a twentieth", 60, 16, 1024, 1, 100, 0, 2, 0, 63},
    {"at least 2 MiB", 12, 16, 1024, 1, 50, 0, 2, 0, 14},
    {"a small heap", 12, 16, 1024, 1, 2, 0, 2, 0, 37},
    {"at most 3 L", 5, 16, 1024, 1, 2, 0, 2, 0, 20},
    {"nothing live", 0, 16, 1024, 1, 2, 0, 2, 0, 2},
    {"a storm", 60, 1e9, 1, 1, 2, 0, 2, 0, 240},
    {"most dies by itself", 60, 16, 1024, 0.25, 2, 0, 2, 0, 85},
    /* L * g / (s * q) */
    {"a share asked for", 64, 16, 1024, 1, 2, 2, 2, 0, 114},
    {"half of it", 64, 16, 1024, 1, 2, 1, 2, 0, 164},
    {"a large share", 64, 16, 1024, 1, 2, 50, 2, 0, 64 + 3.2},
    {"a small share", 64, 64, 1024, 1, 2, 1, 2, 0, 256},
    /* GROWTH until there are two samples */
    {"no sample", 60, 16, 0, 1, 2, 0, 0, 0, 120},
    {"one sample", 60, 16, 1024, 1, 2, 0, 1, 0, 120},
    {"nothing allocated", 60, 0, 1024, 1, 2, 0, 2, 0, 120},
    /* at most twice the trip before */
    {"refused", 60, 16, 1024, 1, 2, 0, 2, 50, 100},
    {"not refused", 60, 16, 1024, 1, 2, 0, 2, 55, 110},
    {"refused below L", 60, 16, 1024, 1, 2, 0, 2, 20, 63},
};

static void root_trips(void **unused)
{
  (void)unused;
  const double mib = (double)MIB;
  for (size_t i = 0; i < TM_ARRAY_LEN(roots); i++) {
    const root_case *c = &roots[i];
    tm_policy_state s = state_of(TM_POLICY_SQRT);
    s.policy.collector_share_percent = c->share;
    s.policy.target_share_percent = c->target;
    s.live_bytes = (uint64_t)(c->live * mib);
    s.alloc_rate = c->rate * mib;
    s.collect_speed = c->speed * mib;
    s.speed_samples = c->samples;
    s.net_share = c->net;
    s.previous_trip_bytes = c->previous * MIB;
    tm_inputs in = {.footprint_bytes = s.live_bytes};
    check_trip(c->name, trip_of(&s, &in, TM_REASON_SQRT), (uint64_t)(c->trip * mib));
  }
}

/* On the way to a large headroom the rate is looked at again: an eighth, a quarter, half of it. */
static void looks_on_the_way(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t footprint, look_kib;
  } table[] = {{60, 66 * 1024 + 256}, {66, 66 * 1024 + 256}, {67, 72 * 1024 + 512},
               {80, 85 * 1024},       {84, 85 * 1024},       {85, 110 * 1024}};
  bench *b = fresh(FULL);
  b->s.policy.kinds = TM_POLICY_SQRT;
  b->s.live_bytes = b->s.base_bytes = 60 * MIB;
  b->s.alloc_rate = 16.0 * (double)MIB;
  b->s.collect_speed = 1024.0 * (double)MIB;
  b->s.speed_samples = 2;
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    b->in.footprint_bytes = table[i].footprint * MIB;
    expect_nothing(b);
    assert_int_equal(b->d.look_bytes, table[i].look_kib * KIB);
    assert_int_equal(b->d.trip_bytes, 110 * MIB); /* T is what it is */
    assert_int_equal(b->d.policy, TM_REASON_SQRT);
  }
  b->in.footprint_bytes = 70 * MIB;
  b->in.now_ns += 100 * SECOND; /* the storm is over: 70 MiB are too much for so little */
  b->in.allocated_bytes_total += 10 * MIB;
  expect(b, TM_FIRED, TM_COLLECT);
}

static bool near(double a, double b)
{
  return a >= b * 0.999999 - 1e-9 && a <= b * 1.000001 + 1e-9;
}

static void what_a_root_is_made_of(void **unused)
{
  (void)unused;
  tm_policy_state s = state_of(TM_POLICY_SQRT);
  s.proposed_bytes = 120 * MIB;
  ran_after(&s, 60, 120, 64, 0); /* too fast for the clock: nothing is known of the speed */
  assert_int_equal(s.speed_samples, 0);
  assert_int_equal(s.previous_trip_bytes, 120 * MIB);
  assert_true(near(s.net_share, 1)); /* 120 MiB grew of 60 that were allocated: clipped */
  ran_after(&s, 80, 84, 64, 64 * MS);
  assert_int_equal(s.speed_samples, 1);
  assert_true(near(s.net_share, (1 + 20.0 / 80) / 2));
  ran_after(&s, 0, 84, 64, 128 * MS); /* nothing allocated: nothing learned of it */
  assert_int_equal(s.speed_samples, 2);
  assert_true(near(s.net_share, (1 + 20.0 / 80) / 2));
  assert_true(near(s.collect_speed, (1000.0 + 500.0) / 2 * (double)MIB));
  s.alloc_rate = 1000;
  assert_true(near(tm__growth_rate(&s), 625));
  s.proposed_bytes = NO_TRIP; /* no policy at all: nothing to double */
  ran_after(&s, 0, 84, 64, MS);
  assert_int_equal(s.previous_trip_bytes, 0);
}

/* From the first byte on: GROWTH, GROWTH, then the rule, which may double the trip at most, however
 * often the rate is looked at meanwhile. */
static void from_growth_to_the_root(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->s.policy.kinds = TM_POLICY_SQRT;
  uint64_t previous = 0;
  for (unsigned run = 0; run < 8; run++) {
    for (unsigned looks = 0; decide(b) < 0; looks++) { /* up to the trip, which may rise */
      assert_in_range(looks, 0, 64);
      b->in.allocated_bytes_total += b->d.look_bytes - b->in.footprint_bytes;
      b->in.footprint_bytes = b->d.look_bytes;
      b->in.now_ns += SECOND / 50;
    }
    expect(b, TM_FIRED, TM_COLLECT);
    assert_int_equal(b->d.reasons, TM_REASON_SQRT);
    uint64_t live = b->s.live_bytes;
    if (run < 2)
      assert_int_equal(b->d.trip_bytes, live + (live > 4 * MIB ? live : 4 * MIB));
    else
      assert_true(b->d.trip_bytes <= 2 * previous);
    previous = b->d.trip_bytes;
    ran(b, TM_COLLECT, TM_HOOK_DONE, MS / 2, run < 4 ? 3 : 3 + run);
  }
  assert_int_equal(b->s.speed_samples, 8);
}

/* ---- SHARED ---------------------------------------------------------------------------------- */

static void shared_trips(void **unused)
{
  (void)unused;
  static const struct {
    const char *name;
    uint64_t share, trip;
  } table[] = {
      {"a share", 30 * MIB, 130 * MIB},
      {"no group: GROWTH", 0, 200 * MIB},
      {"nothing left: the floor", 1, 105 * MIB},
      {"no wrapping", UINT64_MAX, NO_TRIP},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    tm_policy_state s = state_of(TM_POLICY_SHARED);
    s.live_bytes = 100 * MIB;
    tm_inputs in = {.footprint_bytes = 100 * MIB, .shared_headroom_bytes = table[i].share};
    unsigned reason = table[i].trip == NO_TRIP ? 0 : TM_REASON_SHARED;
    check_trip(table[i].name, trip_of(&s, &in, reason), table[i].trip);
  }
}

/* ---- All of them ----------------------------------------------------------------------------- */

static const unsigned every_kind[] = {TM_POLICY_FIXED, TM_POLICY_GROWTH, TM_POLICY_DEBT,
                                      TM_POLICY_SQRT, TM_POLICY_SHARED};

/* Bytes that the host told of weigh as much as those of the heap. */
static void informed_bytes_weigh_in_every_policy(void **unused)
{
  (void)unused;
  for (size_t i = 0; i < TM_ARRAY_LEN(every_kind); i++)
    for (uint64_t limit = 0; limit <= 100; limit += 50) {
      bench *b = fresh(FULL);
      b->s.policy.kinds = every_kind[i];
      b->s.live_bytes = 40 * MIB;
      b->s.alloc_rate = 16.0 * (double)MIB;
      b->s.collect_speed = 1024.0 * (double)MIB;
      b->s.speed_samples = 2;
      b->in.soft_limit_bytes = limit * MIB;
      b->in.hard_limit_bytes = 2 * limit * MIB;
      b->in.shared_headroom_bytes = 20 * MIB;
      for (uint64_t mib = 40; mib < 100; mib++) {
        grown(b, mib);
        bench own = *b, told = *b;
        own.in.committed_bytes = mib * MIB;
        told.in.informed_bytes = mib * MIB;
        (void)decide(&own);
        (void)decide(&told);
        assert_memory_equal(&own.d, &told.d, sizeof own.d);
      }
      assert_int_equal(decide(b), TM_COLLECT); /* by 99 MiB each of them had a reason */
    }
}

static void the_log_names_the_policy(void **unused)
{
  (void)unused;
  static const unsigned reasons[] = {TM_REASON_FIXED, TM_REASON_GROWTH, TM_REASON_DEBT,
                                     TM_REASON_SQRT, TM_REASON_SHARED};
  for (size_t i = 0; i < TM_ARRAY_LEN(every_kind); i++) {
    bench *b = fresh(FULL);
    b->s.policy.kinds = every_kind[i];
    grown(b, 64);
    expect(b, TM_FIRED, TM_COLLECT);
    assert_int_equal(b->d.reasons, reasons[i]);
    assert_int_equal(b->d.policy, reasons[i]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(debt_trips),
      cmocka_unit_test(debt_under_pressure),
      cmocka_unit_test(debt_learns),
      cmocka_unit_test(debt_counts_from_the_last_full_run),
      cmocka_unit_test(root_trips),
      cmocka_unit_test(looks_on_the_way),
      cmocka_unit_test(what_a_root_is_made_of),
      cmocka_unit_test(from_growth_to_the_root),
      cmocka_unit_test(shared_trips),
      cmocka_unit_test(informed_bytes_weigh_in_every_policy),
      cmocka_unit_test(the_log_names_the_policy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
