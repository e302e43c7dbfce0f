/* What time and bytes alone change: rates, pressure, the demand, edges, the end of giving up. */
#include "gc/decide_bench.h"

#include "gc/policy.h"

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

static bool near(double a, double b)
{
  return a >= b * 0.999999 && a <= b * 1.000001;
}

/* g: 0.95 of what it was, 0.05 of what it is; the first sample stands alone. */
static void allocation_rate(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->in.now_ns += 100 * MS;
  b->in.allocated_bytes_total = 10 * MIB;
  (void)decide(b);
  assert_true(near(b->s.alloc_rate, 100.0 * MIB));
  b->in.now_ns += MS / 2; /* too short to be a sample */
  b->in.allocated_bytes_total += 10 * MIB;
  (void)decide(b);
  assert_true(near(b->s.alloc_rate, 100.0 * MIB));
  b->in.now_ns += 99 * MS + MS / 2;
  b->in.allocated_bytes_total += 20 * MIB;
  (void)decide(b);
  assert_true(near(b->s.alloc_rate, 0.95 * 100 * MIB + 0.05 * 300 * MIB));
}

/* Collector time is not the host's time. */
static void allocation_rate_without_the_collector(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  grown(b, 4);
  ran(b, TM_COLLECT, TM_HOOK_DONE, 400 * MS, 0);
  b->in.now_ns += 100 * MS;
  b->in.allocated_bytes_total = 10 * MIB;
  (void)decide(b);
  assert_true(near(b->s.alloc_rate, 100.0 * MIB));
}

static void the_demand_of_a_minute(void **unused)
{
  (void)unused;
  bench *b = fresh(0);
  b->s.policy.kinds = 0;
  b->in.footprint_bytes = 50 * MIB;
  (void)decide(b);
  b->in.footprint_bytes = 10 * MIB;
  b->in.now_ns += 29 * SECOND;
  (void)decide(b);
  assert_int_equal(b->s.peak_bytes[0], 50 * MIB);
  b->in.now_ns += SECOND;
  (void)decide(b);
  assert_int_equal(b->s.peak_bytes[0], 10 * MIB);
  assert_int_equal(b->s.peak_bytes[1], 50 * MIB);
  b->in.now_ns += 30 * SECOND;
  (void)decide(b);
  assert_int_equal(b->s.peak_bytes[1], 10 * MIB);
  b->in.footprint_bytes = 70 * MIB;
  (void)decide(b);
  b->in.footprint_bytes = 5 * MIB;
  b->in.now_ns += 600 * SECOND; /* nobody asked for ten minutes: all of it is history */
  (void)decide(b);
  assert_int_equal(b->s.peak_bytes[0], 5 * MIB);
  assert_int_equal(b->s.peak_bytes[1], 5 * MIB);
}

static void the_base_follows_down(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL);
  b->s.live_bytes = b->s.base_bytes = 100 * MIB;
  b->in.footprint_bytes = 40 * MIB; /* freed by reference counts */
  (void)decide(b);
  assert_int_equal(b->s.base_bytes, 40 * MIB);
  assert_int_equal(b->d.trip_bytes, 48 * MIB);
  b->in.footprint_bytes = 44 * MIB;
  (void)decide(b);
  assert_int_equal(b->s.base_bytes, 40 * MIB);
  assert_int_equal(b->s.live_bytes, 100 * MIB); /* L does not: a dip must not cause a full run */
}

static void edges_fade(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t edge_mib, footprint_mib;
    bool stays;
  } table[] = {{42, 40, true}, {42, 38, true}, {42, 37, false}, {10, 8, true}, {10, 7, false}};
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++)
    for (size_t edge = 0; edge < TM__EDGE_COUNT; edge++) {
      bench *b = fresh(FULL);
      b->s.edge_bytes[edge] = table[i].edge_mib * MIB;
      b->in.footprint_bytes = table[i].footprint_mib * MIB;
      (void)tm__state_advance(&b->s, &b->in);
      assert_int_equal(b->s.edge_bytes[edge], table[i].stays ? table[i].edge_mib * MIB : 0);
    }
}

/* In a round for a request the hooks are what is left of it, not what there is. */
static void hooks_of_a_round(void **unused)
{
  (void)unused;
  bench *b = fresh(MINOR | FULL);
  b->in.hooks = FULL;
  b->in.need_bytes = 1;
  (void)tm__state_advance(&b->s, &b->in);
  assert_int_equal(b->s.hooks, MINOR | FULL);
  b->in.need_bytes = 0;
  b->in.emergency = 1;
  (void)tm__state_advance(&b->s, &b->in);
  assert_int_equal(b->s.hooks, MINOR | FULL);
  b->in.emergency = 0;
  (void)tm__state_advance(&b->s, &b->in);
  assert_int_equal(b->s.hooks, FULL);
}

static void the_bucket_drains(void **unused)
{
  (void)unused;
  bench *b = fresh(FULL);
  b->s.bucket_ns = 500e6;
  b->in.now_ns += 200 * MS;
  (void)tm__state_advance(&b->s, &b->in);
  assert_true(near(b->s.bucket_ns, 300e6));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pressure_decays),
      cmocka_unit_test(time_that_stands_or_jumps_back),
      cmocka_unit_test(allocation_rate),
      cmocka_unit_test(allocation_rate_without_the_collector),
      cmocka_unit_test(the_demand_of_a_minute),
      cmocka_unit_test(the_base_follows_down),
      cmocka_unit_test(edges_fade),
      cmocka_unit_test(hooks_of_a_round),
      cmocka_unit_test(the_bucket_drains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
