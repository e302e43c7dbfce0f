/* What is learned from an action: L, means, yields, strikes, cooldowns, the young budget. */
#include "gc/model.h"
#include "gc/policy.h"

static tm_policy_state s;
static uint64_t now_ns, allocated;

static int new_state(void **unused)
{
  (void)unused;
  now_ns = 100 * SECOND;
  allocated = 0;
  tm_policy_state_init(&s, NULL, now_ns);
  s.hooks = 1u << TM_COLLECT | 1u << TM_COLLECT_MINOR;
  return 0;
}

static void later(uint64_t ns)
{
  now_ns += ns;
}

static void ran(tm_hook_kind kind, int result, uint64_t ns, uint64_t before, uint64_t after)
{
  tm_outcome o = {.kind = kind,
                  .result = result,
                  .start_ns = now_ns,
                  .end_ns = now_ns + ns,
                  .footprint_before_bytes = before,
                  .footprint_after_bytes = after,
                  .allocated_bytes_total = allocated};
  now_ns += ns;
  tm_decide_outcome(&s, &o);
}

static bool near(double a, double b)
{
  return a >= b * 0.999999 - 1e-6 && a <= b * 1.000001 + 1e-6;
}

static void a_full_run_sets_live(void **unused)
{
  (void)unused;
  allocated = 77 * MIB;
  ran(TM_COLLECT, TM_HOOK_DONE, 20 * MS, 50 * MIB, 40 * MIB);
  assert_int_equal(s.live_bytes, 40 * MIB);
  assert_int_equal(s.base_bytes, 40 * MIB);
  assert_int_equal(s.allocated_at_run_bytes, 77 * MIB);
  assert_int_equal(s.collect_end_ns, now_ns);
  assert_true(near(s.collect_speed, 40.0 * MIB / 0.020));
  const tm_rung_state *r = &s.rung[TM_COLLECT];
  assert_int_equal(r->runs, 1);
  assert_int_equal(r->believed, 1);
  assert_int_equal(r->last_end_ns, now_ns);
  assert_int_equal(r->last_duration_ns, 20 * MS);
  assert_int_equal(r->not_before_ns, now_ns + 80 * MS);
  assert_int_equal(r->allocated_bytes, 77 * MIB);
  assert_true(near(r->freed_bytes, 10.0 * MIB));
  assert_true(near(r->duration_ns, 20e6));
  ran(TM_COLLECT, TM_HOOK_DONE, 40 * MS, 60 * MIB, 40 * MIB); /* means: half old, half new */
  assert_true(near(r->freed_bytes, 15.0 * MIB));
  assert_true(near(r->duration_ns, 30e6));
  assert_true(near(s.collect_speed, 40.0 * MIB / 0.040 / 2 + 40.0 * MIB / 0.020 / 2));
}

static void a_minor_run_does_not(void **unused)
{
  (void)unused;
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 50 * MIB, 40 * MIB);
  ran(TM_COLLECT_MINOR, TM_HOOK_DONE, 0, 48 * MIB, 45 * MIB);
  assert_int_equal(s.live_bytes, 40 * MIB);
  assert_int_equal(s.base_bytes, 45 * MIB);
  /* What was live died by itself: L follows, an eighth of the way at a time. */
  ran(TM_COLLECT_MINOR, TM_HOOK_DONE, 0, 32 * MIB, 32 * MIB);
  assert_int_equal(s.live_bytes, 39 * MIB);
  for (int i = 0; i < 100; i++)
    ran(TM_COLLECT_MINOR, TM_HOOK_DONE, 0, 32 * MIB, 32 * MIB);
  assert_in_range(s.live_bytes, 32 * MIB, 32 * MIB + 64);
}

static void other_rungs_lower_live(void **unused)
{
  (void)unused;
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 50 * MIB, 40 * MIB);
  ran(TM_DROP_CACHES, TM_HOOK_DONE, 0, 45 * MIB, 30 * MIB);
  assert_int_equal(s.live_bytes, 25 * MIB);
  ran(TM_TRIM, TM_HOOK_DONE, 0, 30 * MIB, 30 * MIB);
  assert_int_equal(s.live_bytes, 25 * MIB);
  assert_int_equal(s.rung[TM_TRIM].not_before_ns, now_ns + SECOND);
  ran(TM_DROP_CACHES, TM_HOOK_DONE, 0, 30 * MIB, 0);
  assert_int_equal(s.live_bytes, 0); /* never below nothing */
}

static void refusals_teach_nothing(void **unused)
{
  (void)unused;
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 50 * MIB, 40 * MIB);
  ran(TM_COLLECT, TM_HOOK_BUSY, 5 * MS, 90 * MIB, 90 * MIB);
  assert_int_equal(s.live_bytes, 40 * MIB);
  assert_int_equal(s.rung[TM_COLLECT].runs, 1);
  assert_int_equal(s.rung[TM_COLLECT].refusals, 1);
  assert_int_equal(s.rung[TM_COLLECT].not_before_ns, now_ns + 20 * MS);
  assert_true(near(s.bucket_ns, 5e6)); /* but its time counts */
  ran(TM_COLLECT, TM_HOOK_ERROR, 0, 90 * MIB, 90 * MIB);
  assert_int_equal(s.rung[TM_COLLECT].not_before_ns, now_ns + 20 * MS);
  ran((tm_hook_kind)99, TM_HOOK_DONE, 0, 0, 0); /* not a kind: nothing happens */
  ran((tm_hook_kind)-1, TM_HOOK_DONE, 0, 0, 0);
}

static void the_bucket_fills(void **unused)
{
  (void)unused;
  ran(TM_COLLECT, TM_HOOK_DONE, 300 * MS, 0, 0);
  assert_true(near(s.bucket_ns, 300e6));
  later(100 * MS);
  ran(TM_DROP_CACHES, TM_HOOK_DONE, 50 * MS, 0, 0);
  assert_true(near(s.bucket_ns, 250e6));
  ran(TM_COLLECT, TM_HOOK_DONE, 5 * SECOND, 0, 0); /* nothing overflows: it has to be paid */
  assert_true(near(s.bucket_ns, 5250e6));
}

static void strikes(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t before, freed, hard;
    bool strike, near;
  } table[] = {
      {10 * MIB, MIB, 0, false, false},       {10 * MIB, MIB - 1, 0, true, false},
      {100 * MIB, 5 * MIB, 0, false, false},  {100 * MIB, 5 * MIB - 1, 0, true, false},
      {100 * MIB, 0, 200 * MIB, true, false}, {180 * MIB, 0, 200 * MIB, true, true},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    (void)new_state(NULL);
    s.hard_limit_bytes = table[i].hard;
    ran(TM_COLLECT, TM_HOOK_DONE, MS, table[i].before, table[i].before - table[i].freed);
    assert_int_equal(s.rung[TM_COLLECT].strikes, table[i].strike);
    assert_int_equal(s.strikes, table[i].near);
    assert_int_equal(s.strike_busy_ns, table[i].near ? MS : 0);
  }
  ran(TM_COLLECT, TM_HOOK_DONE, MS, 180 * MIB, 179 * MIB);
  assert_int_equal(s.strikes, 2);
  assert_int_equal(s.strike_busy_ns, 2 * MS);
  ran(TM_COLLECT, TM_HOOK_DONE, MS, 180 * MIB, 170 * MIB); /* garbage after all */
  assert_int_equal(s.strikes, 0);
  assert_int_equal(s.rung[TM_COLLECT].strikes, 0);
}

/* Minor runs free a small part of a large heap by nature: they are no strikes. */
static void minor_runs_are_no_strikes(void **unused)
{
  (void)unused;
  s.hard_limit_bytes = 200 * MIB;
  for (int i = 0; i < 10; i++)
    ran(TM_COLLECT_MINOR, TM_HOOK_DONE, MS, 190 * MIB, 182 * MIB);
  assert_int_equal(s.strikes, 0);
}

static void a_productive_full_run_voids_beliefs(void **unused)
{
  (void)unused;
  ran(TM_COLLECT_MINOR, TM_HOOK_DONE, MS, 40 * MIB, 40 * MIB);
  assert_int_equal(s.rung[TM_COLLECT_MINOR].believed, 1);
  ran(TM_COLLECT, TM_HOOK_DONE, MS, 40 * MIB, 40 * MIB);
  assert_int_equal(s.rung[TM_COLLECT_MINOR].believed, 1);
  ran(TM_COLLECT, TM_HOOK_DONE, MS, 40 * MIB, 20 * MIB);
  assert_int_equal(s.rung[TM_COLLECT_MINOR].believed, 0);
}

/* ---- The young budget ------------------------------------------------------------------------ */

static void minor(uint64_t added_mib, uint64_t freed_mib, uint64_t elapsed_ns, uint64_t ns)
{
  uint64_t before = s.base_bytes + added_mib * MIB;
  later(elapsed_ns);
  allocated += added_mib * MIB;
  ran(TM_COLLECT_MINOR, TM_HOOK_DONE, ns, before, before - freed_mib * MIB);
}

static void young_stays_small_when_it_pays(void **unused)
{
  (void)unused;
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 400 * MIB, 400 * MIB);
  for (int i = 0; i < 20; i++) {
    minor(8, 8, 100 * MS, 20000);
    assert_int_equal(s.young_bytes, 8 * MIB);
  }
}

static void young_grows_while_it_frees_nothing(void **unused)
{
  (void)unused;
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 16 * MIB, 16 * MIB);
  minor(8, 0, 100 * MS, 500000);
  assert_int_equal(s.young_bytes, 8 * MIB); /* a small heap: a quarter of it would be less */
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 92 * MIB, 92 * MIB);
  minor(8, 0, 100 * MS, 500000);
  assert_int_equal(s.young_bytes, 25 * MIB); /* a quarter of 100 MiB */
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 992 * MIB, 992 * MIB);
  minor(8, 0, 100 * MS, 500000);
  assert_int_equal(s.young_bytes, 80 * MIB); /* ten times the first one is the end */
  minor(80, 80, 900 * MS, 500000);
  assert_int_equal(s.young_bytes, 8 * MIB); /* garbage is back: believed at once */
  s.policy.kinds &= ~(unsigned)TM_POLICY_YIELD;
  minor(8, 0, 100 * MS, 500000);
  assert_int_equal(s.young_bytes, 8 * MIB);
}

/* A host whose minor run costs 5 ms however little is young: 1 % of the time, not 50 %. */
static void young_grows_with_a_fixed_cost(void **unused)
{
  (void)unused;
  uint64_t largest = 0;
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 1000 * MIB, 1000 * MIB);
  for (int i = 0; i < 40; i++) {
    uint64_t mib = s.young_bytes / MIB;
    minor(mib, mib, mib * MS, 5 * MS);
    largest = s.young_bytes > largest ? s.young_bytes : largest;
  }
  assert_true(largest >= 60 * MIB);
}

/* One whose cost is in proportion has nothing to win from a larger budget. */
static void young_does_not_grow_with_a_cost_in_proportion(void **unused)
{
  (void)unused;
  ran(TM_COLLECT, TM_HOOK_DONE, 0, 1000 * MIB, 1000 * MIB);
  for (int i = 0; i < 40; i++) {
    uint64_t mib = s.young_bytes / MIB;
    minor(mib, mib, mib * MS, mib * 200000);
    assert_true(s.young_bytes <= 12 * MIB); /* half as large again every other time, to measure */
  }
  assert_true(s.young_fixed_ns < 100000);
}

/* ---- Compaction ------------------------------------------------------------------------------ */

static void compact(uint64_t before, uint64_t after)
{
  tm_outcome o = {.kind = TM_COMPACT,
                  .start_ns = now_ns,
                  .end_ns = now_ns + 10 * MS,
                  .committed_before_bytes = before,
                  .committed_after_bytes = after};
  now_ns += 10 * MS;
  tm_decide_outcome(&s, &o);
}

static void compaction_effort(void **unused)
{
  (void)unused;
  compact(100 * MIB, 90 * MIB); /* 25 % of the time: three times the pass, and the cooldown */
  assert_int_equal(s.rung[TM_COMPACT].not_before_ns, now_ns + 40 * MS);
  assert_true(near(s.compact_effort, 0.25));
  for (uint64_t poor = 0; poor < 60; poor++) {
    compact(100 * MIB, 99 * MIB);
    uint64_t pause = SECOND << (poor < 6 ? poor : 6);
    assert_int_equal(s.rung[TM_COMPACT].not_before_ns, now_ns + pause);
  }
  assert_true(near(s.compact_effort, 0.01)); /* a seventh less each time, but never nothing */
  compact(100 * MIB, 98 * MIB);
  assert_true(near(s.compact_effort, 0.25));
}

/* An unfixable fragmentation is at the least effort within 22 passes, whatever a pass takes. */
static void compaction_that_is_no_use_ends_within_22_passes(void **unused)
{
  (void)unused;
  uint64_t passes = 0;
  for (; s.compact_effort > 0.01 && passes < 100; passes++)
    compact(100 * MIB, 100 * MIB);
  assert_int_equal(passes, 22);
  now_ns += 1000 * SECOND;
  compact(100 * MIB, 90 * MIB); /* it can be fixed again: the whole effort at once */
  assert_true(near(s.compact_effort, 0.25));
}

/* The effort is a share of time: a pass of 2 s at 1 % has 198 s of peace, more than any pause. */
static void compaction_rests_as_long_as_its_effort_says(void **unused)
{
  (void)unused;
  for (int i = 0; i < 22; i++)
    compact(100 * MIB, 100 * MIB);
  tm_outcome o = {.kind = TM_COMPACT,
                  .start_ns = now_ns,
                  .end_ns = now_ns + 2 * SECOND,
                  .committed_before_bytes = 100 * MIB,
                  .committed_after_bytes = 100 * MIB};
  tm_decide_outcome(&s, &o);
  uint64_t wait = s.rung[TM_COMPACT].not_before_ns - o.end_ns;
  assert_in_range(wait, 198 * SECOND - MS, 198 * SECOND + MS);
}

#define TEST(name) cmocka_unit_test_setup(name, new_state)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(a_full_run_sets_live),
      TEST(a_minor_run_does_not),
      TEST(other_rungs_lower_live),
      TEST(refusals_teach_nothing),
      TEST(the_bucket_fills),
      TEST(strikes),
      TEST(minor_runs_are_no_strikes),
      TEST(a_productive_full_run_voids_beliefs),
      TEST(young_stays_small_when_it_pays),
      TEST(young_grows_while_it_frees_nothing),
      TEST(young_grows_with_a_fixed_cost),
      TEST(young_does_not_grow_with_a_cost_in_proportion),
      TEST(compaction_effort),
      TEST(compaction_that_is_no_use_ends_within_22_passes),
      TEST(compaction_rests_as_long_as_its_effort_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
