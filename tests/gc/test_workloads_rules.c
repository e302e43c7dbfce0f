/*
 * The rules that end something: hosts for which a collection, a compaction or a measurement is no
 * use. Each runs with the rule, and beside it with the rule's memory wiped, which is without it.
 */
#include "gc/model.h"

#include "gc/policy.h"

static model m;

/* ---- Ineffective: collections that free nothing at the hard limit ---------------------------- */

/* The round before a request fails, as the ladder runs it: each rung once. */
static void emergency(uint64_t need)
{
  for (unsigned done = 0;;) {
    tm_inputs in = model_inputs(&m);
    tm_decision d;
    in.emergency = 1;
    in.need_bytes = need;
    in.hooks &= ~done;
    tm_decide(&in, &m.state, &d);
    if (d.kind >= 0 && d.verdict != TM_FIRED)
      m.held[d.verdict]++;
    if (d.verdict != TM_FIRED)
      return;
    done |= 1u << d.kind;
    model_run(&m, (tm_hook_kind)d.kind);
  }
}

/* Full of what lives; each millisecond a request fails, after a round. Share of time collecting. */
static double a_full_heap(bool with_the_rule)
{
  model_init(&m, NULL);
  m.hooks = 1u << TM_COLLECT;
  m.scan_ns_per_byte = 0.5; /* 50 ms for all of it */
  m.hard_bytes = 100 * MIB;
  m.live[OLD] = 99 * MIB;
  m.allocated_bytes = 99 * MIB;
  uint64_t end = m.now_ns + 60 * SECOND;
  while (m.now_ns < end) {
    m.now_ns += MS;
    model_poll(&m);
    emergency(2 * MIB);
    if (!with_the_rule) {
      m.state.strikes = 0;
      m.state.failed_ns = 0;
    }
  }
  return model_share(&m);
}

static void ineffective(void **unused)
{
  (void)unused;
  assert_true(a_full_heap(true) < 0.21); /* four runs of 50 ms, and a second of peace */
  assert_true(m.held[TM_SUPPRESSED_INEFFECTIVE] > 10000);
  assert_true(a_full_heap(false) > 0.45); /* all that the CPU cap lets through */
  assert_int_equal(m.held[TM_SUPPRESSED_INEFFECTIVE], 0);
}

/* ---- Compaction that improves nothing -------------------------------------------------------- */

static uint64_t passes_in_100_s(bool with_the_rule)
{
  tm_policy_state s;
  tm_inputs in = {.size = sizeof in, .now_ns = SECOND, .hooks = 1u << TM_COMPACT};
  tm_decision d;
  uint64_t passes = 0;
  in.footprint_bytes = 70 * MIB;
  in.committed_bytes = 100 * MIB;
  in.fixable_bytes = 20 * MIB; /* it seems; but what stands there cannot be moved */
  tm_policy_state_init(&s, NULL, in.now_ns);
  s.policy.kinds = 0;
  for (uint64_t end = in.now_ns + 100 * SECOND; in.now_ns < end; in.now_ns += MS) {
    tm_decide(&in, &s, &d);
    if (d.verdict != TM_FIRED)
      continue;
    tm_outcome o = {.kind = TM_COMPACT,
                    .start_ns = in.now_ns,
                    .end_ns = in.now_ns + 20 * MS,
                    .footprint_before_bytes = in.footprint_bytes,
                    .footprint_after_bytes = in.footprint_bytes,
                    .committed_before_bytes = in.committed_bytes,
                    .committed_after_bytes = in.committed_bytes};
    tm_decide_outcome(&s, &o);
    in.now_ns = o.end_ns;
    passes++;
    if (!with_the_rule) {
      s.compact_effort = 0.25;
      s.rung[TM_COMPACT].strikes = 0;
      s.rung[TM_COMPACT].not_before_ns = o.end_ns + 3 * 20 * MS;
    }
  }
  return passes;
}

static void compaction_that_does_not_help(void **unused)
{
  (void)unused;
  assert_in_range(passes_in_100_s(true), 5, 8); /* after 1, 2, 4, 8, 16, 32, 64 s */
  assert_true(passes_in_100_s(false) > 1000);   /* a quarter of the time, for ever */
}

/* A heap of 100 MiB that is always a little fragmented: packed, and soon as before. Each pass does
 * what it can, so the effort never falls; only the threshold says that it is not worth it. */
static uint64_t passes_for_what_comes_back(uint64_t fixable_mib, uint64_t as_if_times)
{
  tm_policy_state s;
  tm_inputs in = {.size = sizeof in, .now_ns = SECOND, .hooks = 1u << TM_COMPACT};
  tm_decision d;
  uint64_t passes = 0;
  in.footprint_bytes = 70 * MIB;
  in.committed_bytes = 100 * MIB;
  in.fixable_bytes = fixable_mib * as_if_times * MIB;
  tm_policy_state_init(&s, NULL, in.now_ns);
  s.policy.kinds = 0;
  for (uint64_t end = in.now_ns + 100 * SECOND; in.now_ns < end; in.now_ns += MS) {
    tm_decide(&in, &s, &d);
    if (d.verdict != TM_FIRED)
      continue;
    tm_outcome o = {.kind = TM_COMPACT,
                    .start_ns = in.now_ns,
                    .end_ns = in.now_ns + 20 * MS,
                    .committed_before_bytes = in.committed_bytes,
                    .committed_after_bytes = in.committed_bytes - fixable_mib * MIB};
    tm_decide_outcome(&s, &o);
    in.now_ns = o.end_ns;
    passes++;
  }
  return passes;
}

static void compaction_of_what_comes_back(void **unused)
{
  (void)unused;
  assert_int_equal(passes_for_what_comes_back(9, 1), 0);
  assert_true(passes_for_what_comes_back(9, 2) > 900); /* without: a threshold of half the size */
  assert_true(passes_for_what_comes_back(10, 1) > 900);
}

/* ---- Trimming what is wanted again ----------------------------------------------------------- */

/* Demand between 40 and 100 MiB every 10 s, and the system is a little short of memory all the
 * time. What is trimmed in a trough is faulted in again at the next crest: MiB in two minutes. */
static uint64_t trimmed_in_waves(bool with_the_rule)
{
  tm_policy_state s;
  tm_inputs in = {.size = sizeof in, .now_ns = SECOND};
  tm_decision d;
  uint64_t trimmed = 0;
  tm_policy_state_init(&s, NULL, in.now_ns);
  for (uint64_t second = 0; second < 240; second++, in.now_ns += SECOND) {
    bool crest = second < 120 && second / 5 % 2 == 0; /* two minutes of waves, two of calm */
    uint64_t committed = tm__max(in.committed_bytes, crest ? 100 * MIB : 40 * MIB);
    in.footprint_bytes = crest ? 100 * MIB : 40 * MIB;
    in.committed_bytes = committed;
    in.dirty_bytes = committed - in.footprint_bytes;
    in.pressure = TM_PRESSURE_LOW;
    if (!with_the_rule)
      s.peak_bytes[0] = s.peak_bytes[1] = 0;
    tm_decide(&in, &s, &d);
    if (d.verdict != TM_FIRED)
      continue;
    assert_int_equal(d.kind, TM_TRIM);
    tm_outcome o = {.kind = TM_TRIM,
                    .start_ns = in.now_ns,
                    .end_ns = in.now_ns,
                    .footprint_before_bytes = in.footprint_bytes,
                    .footprint_after_bytes = in.footprint_bytes,
                    .committed_before_bytes = in.committed_bytes,
                    .committed_after_bytes = in.footprint_bytes,
                    .returned_bytes = in.dirty_bytes};
    tm_decide_outcome(&s, &o);
    trimmed += in.dirty_bytes / MIB;
    in.committed_bytes = in.footprint_bytes;
  }
  return trimmed;
}

static void trims_keep_the_demand_of_a_minute(void **unused)
{
  (void)unused;
  assert_int_equal(trimmed_in_waves(true), 60); /* once, when the waves are a minute ago */
  assert_int_equal(trimmed_in_waves(false), 12 * 60);
}

/* ---- Doubling: a rate that was measured on what dies by itself ------------------------------- */

/* A quiet service, small headroom; then nearly all that it allocates it also frees by hand. */
static uint64_t peak_after_a_storm(bool with_the_rule)
{
  tm_policy p;
  tm_policy_init(&p);
  p.kinds = TM_POLICY_SQRT;
  model_init(&m, &p);
  m.hooks = 1u << TM_COLLECT;
  m.work_ns_per_byte = 1000;
  m.live[OLD] = 50 * MIB;
  m.allocated_bytes = 50 * MIB;
  for (int i = 0; i < 3000; i++)
    model_allocate(&m, 0, 64 * KIB);
  assert_in_range(m.state.trip_bytes, 53 * MIB, 62 * MIB);
  m.work_ns_per_byte = 1;
  m.peak_bytes = 0;
  model_churn(&m, 10 * GIB);
  for (uint64_t runs = m.runs[TM_COLLECT]; runs == m.runs[TM_COLLECT];) {
    if (!with_the_rule)
      m.state.previous_trip_bytes = 0;
    model_churn(&m, 10 * MIB);
    model_allocate(&m, 0, 64 * KIB);
  }
  return m.peak_bytes;
}

static void one_doubling(void **unused)
{
  (void)unused;
  assert_true(peak_after_a_storm(true) <= 2 * 62 * MIB);
  assert_true(peak_after_a_storm(false) >= 190 * MIB); /* 4 L, the end of the scale */
}

/* ---- Two samples: a collector that was cold -------------------------------------------------- */

/* The first run takes a hundred times as long as later ones: what SQRT would make of it alone. */
static uint64_t trip_after_a_cold_run(bool with_the_rule)
{
  tm_policy p;
  tm_policy_init(&p);
  p.kinds = TM_POLICY_SQRT;
  model_init(&m, &p);
  m.hooks = 1u << TM_COLLECT;
  m.work_ns_per_byte = 100;
  m.live[OLD] = 50 * MIB;
  m.allocated_bytes = 50 * MIB;
  m.scan_ns_per_byte = m.fixed_ns = 0; /* too fast for the clock: no sample, but L */
  model_allocate(&m, 0, 64 * KIB);
  m.scan_ns_per_byte = 50;
  while (m.runs[TM_COLLECT] < 2)
    model_allocate(&m, 0, 64 * KIB);
  m.scan_ns_per_byte = 0.5;
  m.state.speed_samples = with_the_rule ? 1 : 2;
  model_allocate(&m, 0, 64 * KIB);
  model_poll(&m);
  return m.state.trip_bytes;
}

static void two_samples(void **unused)
{
  (void)unused;
  assert_in_range(trip_after_a_cold_run(true), 100 * MIB, 101 * MIB);  /* GROWTH */
  assert_in_range(trip_after_a_cold_run(false), 190 * MIB, 200 * MIB); /* 4 L */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ineffective),
      cmocka_unit_test(compaction_that_does_not_help),
      cmocka_unit_test(compaction_of_what_comes_back),
      cmocka_unit_test(trims_keep_the_demand_of_a_minute),
      cmocka_unit_test(one_doubling),
      cmocka_unit_test(two_samples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
