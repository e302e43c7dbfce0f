/* Replays against the truth: the same host, lived under the policy that was replayed. */
#define _GNU_SOURCE
#include "cli/recorded_host.h"

static tm__tape tape;
static tm__world world;

static int tear_down(void **unused)
{
  (void)unused;
  tm__tape_close(&tape);
  tm__world_free(&world);
  return 0;
}

static tm__tally replayed(const tm_policy *policy, const tm__scenario *limits)
{
  tm__scenario scenario = limits ? *limits : (tm__scenario){0};
  tm__tally first, second;
  scenario.policy = policy;
  assert_int_equal(tm__simulate(&tape, &world, &scenario, &first), 0);
  assert_int_equal(tm__simulate(&tape, &world, &scenario, &second), 0);
  assert_memory_equal(&first, &second, sizeof first); /* to the bit */
  return first;
}

/* Within so many percent, or within two where there are few. */
static void near_count(uint64_t predicted, uint64_t lived, uint64_t percent, const char *what)
{
  uint64_t slack = lived * percent / 100 > 2 ? lived * percent / 100 : 2;
  if (predicted > lived + slack || predicted + slack < lived)
    fail_msg("%s: predicted %lu, lived %lu", what, predicted, lived);
}

static void near_truth(const tm__tally *predicted, const tm__tally *lived, const char *who)
{
  print_message("%s\n", who);
  near_count(tm__tally_collections(predicted), tm__tally_collections(lived), 10, "collections");
  near_count(predicted->runs[TM_COLLECT], lived->runs[TM_COLLECT], 25, "full runs");
  near_count(predicted->peak_bytes / KIB, lived->peak_bytes / KIB, 10, "KiB at the peak");
  near_count(predicted->elapsed_ns / MS, lived->elapsed_ns / MS, 5, "ms");
}

static const struct {
  const char *name;
  host_life life;
  bool generations;
} lives[] = {
    {"building", life_building, false},  {"building, generations", life_building, true},
    {"garbage", life_of_garbage, false}, {"garbage, generations", life_of_garbage, true},
    {"waves", life_of_waves, false},     {"waves, generations", life_of_waves, true},
};

static void the_recorded_policy_gives_the_recorded_run(void **unused)
{
  (void)unused;
  tm_policy policy = growth(100);
  for (size_t i = 0; i < TM_ARRAY_LEN(lives); i++)
    for (uint64_t soft = 0; soft <= 64 * MIB; soft += 64 * MIB) {
      tm__tally lived =
          host_record(lives[i].life, lives[i].generations, &policy, soft, &tape, &world);
      tm__tally again = replayed(NULL, NULL);
      assert_int_equal(world.recorded.runs[TM_COLLECT], lived.runs[TM_COLLECT]);
      assert_int_equal(world.recorded.runs[TM_COLLECT_MINOR], lived.runs[TM_COLLECT_MINOR]);
      assert_int_equal(world.soft_bytes, soft);
      near_truth(&again, &lived, lives[i].name);
      (void)tear_down(NULL);
    }
}

static void another_policy_is_predicted(void **unused)
{
  (void)unused;
  static const unsigned percents[] = {25, 50, 200, 400};
  tm_policy recorded = growth(100);
  for (size_t i = 0; i < TM_ARRAY_LEN(lives); i++) {
    (void)host_record(lives[i].life, lives[i].generations, &recorded, 0, &tape, &world);
    for (size_t p = 0; p < TM_ARRAY_LEN(percents); p++) {
      tm_policy other = growth(percents[p]);
      tm__tally predicted = replayed(&other, NULL);
      tm__tally lived = host_live(lives[i].life, lives[i].generations, &other, 0, NULL);
      near_truth(&predicted, &lived, lives[i].name);
    }
    (void)tear_down(NULL);
  }
}

static void a_soft_limit_is_predicted(void **unused)
{
  (void)unused;
  tm_policy policy = growth(400);
  (void)host_record(life_of_garbage, true, &policy, 0, &tape, &world);
  tm__scenario limits = {.own_soft = true, .soft_bytes = 64 * MIB};
  tm__tally predicted = replayed(NULL, &limits), without = replayed(NULL, NULL);
  tm__tally lived = host_live(life_of_garbage, true, &policy, 64 * MIB, NULL);
  near_truth(&predicted, &lived, "soft");
  assert_true(predicted.peak_bytes < without.peak_bytes);
  assert_int_equal(without.above_soft_ns, 0); /* there is none */
  limits.soft_bytes = 20 * MIB;               /* below what lives: above it from then on */
  predicted = replayed(NULL, &limits);
  assert_true(predicted.above_soft_ns > predicted.elapsed_ns / 10 * 9);
  assert_true(predicted.above_soft_ns < predicted.elapsed_ns);
}

static void less_headroom_costs_time_and_saves_memory(void **unused)
{
  (void)unused;
  tm_policy recorded = growth(100), tight = growth(25), wide = growth(400);
  (void)host_record(life_of_garbage, false, &recorded, 0, &tape, &world);
  tm__tally little = replayed(&tight, NULL), much = replayed(&wide, NULL);
  assert_true(little.peak_bytes < much.peak_bytes);
  assert_true(tm__tally_busy_ns(&little) > 2 * tm__tally_busy_ns(&much));
  assert_true(little.runs[TM_COLLECT] > 4 * much.runs[TM_COLLECT]);
}

static void a_hard_limit_that_is_too_low(void **unused)
{
  (void)unused;
  tm_policy policy = growth(100);
  (void)host_record(life_of_garbage, false, &policy, 0, &tape, &world);
  tm__scenario limits = {.own_hard = true, .hard_bytes = 25 * MIB};
  tm__tally t = replayed(NULL, &limits);
  assert_true(t.refused >= 1);
  assert_in_range(t.refused_first_ns, 25 * MIB * 5 - 10 * MS, 25 * MIB * 5 + 200 * MS);
  limits.hard_bytes = 128 * MIB;
  t = replayed(NULL, &limits);
  assert_int_equal(t.refused, 0);
  assert_true(t.peak_bytes <= 128 * MIB);
}

static void limits_that_do_not_go_together(void **unused)
{
  (void)unused;
  tm__scenario limits = {.own_soft = true, .own_hard = true, .soft_bytes = 2, .hard_bytes = 1};
  tm_policy policy = growth(100);
  tm__tally t;
  (void)host_record(life_of_garbage, false, &policy, 0, &tape, &world);
  assert_int_equal(tm__simulate(&tape, &world, &limits, &t), TM_EINVAL);
}

static void life_of_refusal(host *h)
{
  h->refuses = 1;
  life_building(h);
  h->refuses = 0;
  life_of_garbage(h);
}

/* A program that forbids collections for a while forbids them in the replay, too. */
static void what_was_refused_is_refused(void **unused)
{
  (void)unused;
  tm_policy policy = growth(100), other = growth(50);
  tm__tally lived = host_record(life_of_refusal, true, &policy, 0, &tape, &world);
  tm__tally again = replayed(NULL, NULL);
  near_truth(&again, &lived, "refusal");
  again = replayed(&other, NULL);
  assert_true(again.peak_bytes > 399 * MIB);
}

static void life_under_pressure(host *h)
{
  for (int i = 0; i < 8; i++) {
    assert_int_equal(tm__engine_pressure_post(&h->f->engine, TM_PRESSURE_CRITICAL), 0);
    for (uint64_t done = 0; done < 400 * MIB; done += STEP)
      host_step(h, 0, STEP / 2, STEP / 2);
  }
}

static void pressure_is_replayed(void **unused)
{
  (void)unused;
  tm_policy policy = growth(100), deaf = growth(100);
  tm__tally lived = host_record(life_under_pressure, false, &policy, 0, &tape, &world);
  tm__tally again = replayed(NULL, NULL);
  near_truth(&again, &lived, "pressure");
  deaf.kinds &= ~(unsigned)TM_POLICY_PRESSURE;
  assert_true(replayed(&deaf, NULL).runs[TM_COLLECT] < lived.runs[TM_COLLECT]);
}

static void life_of_two_policies(host *h)
{
  tm_policy tight = growth(20);
  life_of_garbage(h);
  assert_int_equal(tm__engine_policy_set(&h->f->engine, &tight), 0);
  for (uint64_t done = 0; done < 1024 * MIB; done += STEP)
    host_step(h, 0, 0, STEP);
}

static void the_policy_may_change(void **unused)
{
  (void)unused;
  tm_policy wide = growth(400);
  tm__tally lived = host_record(life_of_two_policies, false, &wide, 0, &tape, &world);
  tm__tally again = replayed(NULL, NULL), one = replayed(&wide, NULL);
  near_truth(&again, &lived, "two policies");
  assert_int_equal(world.policy.growth_percent, 20);
  assert_true(one.runs[TM_COLLECT] * 2 < lived.runs[TM_COLLECT]); /* ours replaces both */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(another_policy_is_predicted, tear_down),
      cmocka_unit_test_teardown(less_headroom_costs_time_and_saves_memory, tear_down),
      cmocka_unit_test_teardown(a_hard_limit_that_is_too_low, tear_down),
      cmocka_unit_test_teardown(limits_that_do_not_go_together, tear_down),
      cmocka_unit_test_teardown(what_was_refused_is_refused, tear_down),
      cmocka_unit_test_teardown(pressure_is_replayed, tear_down),
      cmocka_unit_test_teardown(the_policy_may_change, tear_down),
  };
  const struct CMUnitTest exact[] = {
      cmocka_unit_test_teardown(the_recorded_policy_gives_the_recorded_run, tear_down),
      cmocka_unit_test_teardown(a_soft_limit_is_predicted, tear_down),
  };
  int failed = 0;
  if (TM_STRESS_TRIP)
    print_message("SKIP: exact counts, because stress-trip acts at every crossing\n");
  else
    failed = cmocka_run_group_tests(exact, NULL, NULL);
  return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
