/* The model on recordings that are small enough to be worked out by hand. */
#include "cli/world.h"

#include "cli/made_tape.h"

#define MS ((uint64_t)1000000)

static made_tape made;
static tm__world world;

static void build(uint64_t end_ns)
{
  tm__tape tape = made_end(&made, end_ns);
  assert_int_equal(tm__world_build(&tape, &world), 0);
}

static int tear_down(void **unused)
{
  (void)unused;
  tm__world_free(&world);
  return 0;
}

static uint64_t young(uint64_t allocated)
{
  return tm__garbage_made(&world.garbage, TM__YOUNG, allocated);
}

static uint64_t old(uint64_t allocated)
{
  return tm__garbage_made(&world.garbage, TM__OLD, allocated);
}

static void nothing_was_recorded(void **unused)
{
  (void)unused;
  made_start(&made);
  build(5 * MS);
  assert_int_equal(young(1000), 0);
  assert_int_equal(old(1000), 0);
  assert_int_equal(world.recorded.elapsed_ns, 5 * MS);
  assert_true(world.cost[TM_COLLECT].assumed);
  assert_int_equal(tm__cost_ns(&world.cost[TM_COLLECT], 0, 2000), 1000); /* a guess */
  assert_false(tm__cost_refused(&world.cost[TM_COLLECT], 0));
}

/* Two minor runs found 300 of 1,000 allocated and then 100; the full one found 550 more 1,000
 * later: at 0.2 a byte, 200 of it was young. */
static void whose_garbage_it_was(void **unused)
{
  (void)unused;
  made_start(&made);
  made_sample(&made, 0, 0, 0);
  made_action(&made, TM_COLLECT_MINOR, TM_HOOK_DONE, 1 * MS, MS, 1000, 1000, 700);
  made_action(&made, TM_COLLECT_MINOR, TM_HOOK_DONE, 3 * MS, MS, 2000, 1700, 1600);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, 5 * MS, 8 * MS, 3000, 2600, 2050);
  build(20 * MS);
  assert_int_equal(young(0), 0);
  assert_int_equal(young(500), 150);
  assert_int_equal(young(1000), 300);
  assert_int_equal(young(1500), 350);
  assert_int_equal(young(2000), 400);
  assert_int_equal(young(3000), 600);
  assert_int_equal(young(4000), 800); /* on at the rate of the last runs: 0.2 */
  assert_int_equal(old(1500), 175);
  assert_int_equal(old(3000), 350);
  assert_int_equal(old(6000), 700);
  assert_int_equal(world.recorded.runs[TM_COLLECT_MINOR], 2);
  assert_int_equal(world.recorded.runs[TM_COLLECT], 1);
  assert_int_equal(world.recorded.freed_bytes[TM_COLLECT], 550);
  assert_int_equal(tm__tally_busy_ns(&world.recorded), 10 * MS);
  assert_int_equal(tm__tally_collections(&world.recorded), 3);
  assert_int_equal(world.recorded.peak_bytes, 2600);
}

static void without_minor_runs_all_of_it_is_old(void **unused)
{
  (void)unused;
  made_start(&made);
  made_sample(&made, 0, 1000, 100);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, MS, MS, 2000, 1100, 600);
  build(2 * MS);
  assert_int_equal(young(2000), 0);
  assert_int_equal(old(1000), 0);
  assert_int_equal(old(1500), 250);
  assert_int_equal(old(2000), 500);
}

/* No more garbage is made than is allocated, whatever a recording says. */
static void a_rate_has_an_end(void **unused)
{
  (void)unused;
  made_start(&made);
  made_sample(&made, 0, 0, 1 << 20);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, MS, MS, 10, 1 << 20, 0);
  build(2 * MS);
  assert_int_equal(old(10), 1 << 20);
  assert_int_equal(old(110), (1 << 20) + 100);
}

static void steps_are_one_action(void **unused)
{
  (void)unused;
  made_start(&made);
  made_sample(&made, 0, 0, 0);
  made_action(&made, TM_COLLECT, TM_HOOK_MORE, 1 * MS, MS, 1000, 900, 900);
  made_action(&made, TM_COLLECT, TM_HOOK_MORE, 3 * MS, MS, 1100, 1000, 800);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, 5 * MS, MS, 1200, 900, 400);
  build(9 * MS);
  assert_int_equal(world.recorded.runs[TM_COLLECT], 1);
  assert_int_equal(world.recorded.freed_bytes[TM_COLLECT], 700);
  assert_int_equal(old(1200), 700);
  assert_int_equal(tm__cost_ns(&world.cost[TM_COLLECT], 1200, 900), 3 * MS);
}

static void caches_are_a_kind_of_their_own(void **unused)
{
  (void)unused;
  made_start(&made);
  made_sample(&made, 0, 0, 0);
  made_action(&made, TM_DROP_CACHES, TM_HOOK_DONE, MS, MS, 1000, 900, 500);
  build(2 * MS);
  assert_int_equal(tm__garbage_made(&world.garbage, TM__CACHE, 500), 200);
  assert_int_equal(old(1000), 0);
}

/* 1 ms and 10 ns a byte, twice as slow at the end of the recording. */
static void what_a_run_takes(void **unused)
{
  (void)unused;
  made_start(&made);
  made_sample(&made, 0, 0, 0);
  const uint64_t sizes[] = {100000, 400000, 200000, 300000};
  uint64_t now = 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++)
    made_action(&made, TM_COLLECT, TM_HOOK_DONE, now += 10 * MS, MS + 10 * sizes[i], 1000 * (i + 1),
                sizes[i], sizes[i]);
  build(now + 10 * MS);
  assert_in_range(tm__cost_ns(&world.cost[TM_COLLECT], 2500, 250000), 3499990, 3500010);
  assert_in_range(tm__cost_ns(&world.cost[TM_COLLECT], 9000, 0), 999990, 1000010);
  /* none was recorded: byte by byte as dear as a full one */
  assert_in_range(tm__cost_ns(&world.cost[TM_COLLECT_MINOR], 2500, 1000), 9990, 10010);
  assert_int_equal(tm__cost_ns(&world.cost[TM_TRIM], 2500, 0), 0);
  tm__world_free(&world);
  made_start(&made);
  for (uint64_t i = 1; i <= 2; i++)
    made_action(&made, TM_COLLECT, TM_HOOK_DONE, 10 * i * MS, i * MS, 1000 * i, 500, 500);
  build(50 * MS);
  assert_in_range(tm__cost_ns(&world.cost[TM_COLLECT], 0, 500), MS - 10, MS + 10);
  assert_in_range(tm__cost_ns(&world.cost[TM_COLLECT], 1400, 500), MS - 10, MS + 10);
  assert_in_range(tm__cost_ns(&world.cost[TM_COLLECT], 1600, 500), 2 * MS - 10, 2 * MS + 10);
  assert_in_range(tm__cost_ns(&world.cost[TM_COLLECT], 9000, 500), 2 * MS - 10, 2 * MS + 10);
}

static void refusals_teach_nothing_but_themselves(void **unused)
{
  (void)unused;
  made_start(&made);
  made_sample(&made, 0, 0, 0);
  made_action(&made, TM_COLLECT, TM_HOOK_BUSY, 1 * MS, 100, 1000, 900, 900);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, 2 * MS, MS, 2000, 900, 400);
  made_action(&made, TM_COLLECT, TM_HOOK_ERROR, 4 * MS, 100, 3000, 900, 900);
  build(9 * MS);
  assert_int_equal(world.recorded.runs[TM_COLLECT], 1);
  assert_true(tm__cost_refused(&world.cost[TM_COLLECT], 0));
  assert_true(tm__cost_refused(&world.cost[TM_COLLECT], 1999));
  assert_false(tm__cost_refused(&world.cost[TM_COLLECT], 2000));
  assert_true(tm__cost_refused(&world.cost[TM_COLLECT], 3000));
  assert_int_equal(tm__cost_ns(&world.cost[TM_COLLECT], 3500, 900), MS);
}

static void time_above_the_soft_limit(void **unused)
{
  (void)unused;
  tm__trace_record limits = {.kind = TM__TRACE_LIMITS, .soft_bytes = 1000, .hard_bytes = 2000};
  made_start(&made);
  made_add(&made, &limits);
  made_sample(&made, 0, 0, 500);
  made_sample(&made, 10 * MS, 800, 1200);
  made_sample(&made, 14 * MS, 900, 900);
  build(20 * MS);
  assert_int_equal(world.recorded.above_soft_ns, 4 * MS);
  assert_int_equal(world.soft_bytes, 1000);
  assert_int_equal(world.hard_bytes, 2000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(nothing_was_recorded, tear_down),
      cmocka_unit_test_teardown(whose_garbage_it_was, tear_down),
      cmocka_unit_test_teardown(without_minor_runs_all_of_it_is_old, tear_down),
      cmocka_unit_test_teardown(a_rate_has_an_end, tear_down),
      cmocka_unit_test_teardown(steps_are_one_action, tear_down),
      cmocka_unit_test_teardown(caches_are_a_kind_of_their_own, tear_down),
      cmocka_unit_test_teardown(what_a_run_takes, tear_down),
      cmocka_unit_test_teardown(refusals_teach_nothing_but_themselves, tear_down),
      cmocka_unit_test_teardown(time_above_the_soft_limit, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
