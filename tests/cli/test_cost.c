/* What an action takes: lines, phases, hiccups, refusals. */
#include "cli/cost.h"

#include "support/check.h"

static tm__cost cost;

static int tear_down(void **unused)
{
  (void)unused;
  tm__cost_free(&cost);
  return 0;
}

static void add(uint64_t allocated, double work, double ns)
{
  assert_true(tm__cost_add(&cost, &(tm__past_run){allocated, work, ns}));
}

static void near(uint64_t ns, uint64_t expected)
{
  assert_in_range(ns, expected - expected / 1000 - 1, expected + expected / 1000 + 1);
}

static void a_line_with_a_constant(void **unused)
{
  (void)unused;
  for (uint64_t i = 1; i <= 20; i++)
    add(100 * i, 1000.0 * (double)(i % 5), 500 + 2.0 * 1000 * (double)(i % 5));
  tm__cost_fit(&cost);
  assert_false(cost.assumed);
  near(tm__cost_ns(&cost, 1000, 0), 500);
  near(tm__cost_ns(&cost, 1000, 10000), 20500);
}

static void all_alike_is_in_proportion(void **unused)
{
  (void)unused;
  for (uint64_t i = 1; i <= 5; i++)
    add(100 * i, 1000, 700);
  tm__cost_fit(&cost);
  near(tm__cost_ns(&cost, 300, 3000), 2100);
}

static void work_that_does_not_matter(void **unused)
{
  (void)unused;
  add(1, 1000, 700);
  add(2, 5000, 700);
  add(3, 9000, 700);
  tm__cost_fit(&cost);
  near(tm__cost_ns(&cost, 2, 100000), 700);
}

static void without_work_the_nearest(void **unused)
{
  (void)unused;
  add(1, 0, 100);
  add(2, 0, 300);
  tm__cost_fit(&cost);
  near(tm__cost_ns(&cost, 1, 0), 100);
  near(tm__cost_ns(&cost, 2, 0), 300);
}

/* One run of twenty was interrupted: it stays one of twenty, and as long, whatever the work. */
static void a_hiccup_stays_one(void **unused)
{
  (void)unused;
  for (uint64_t i = 0; i < 20; i++)
    add(1000 * i, 1000.0 * (double)(1 + i % 3),
        1000.0 * (double)(1 + i % 3) + (i == 10 ? 1000000 : 0));
  tm__cost_fit(&cost);
  near(tm__cost_ns(&cost, 8900, 5000), 5000);
  near(tm__cost_ns(&cost, 10200, 5000), 1005000);
  near(tm__cost_ns(&cost, 10200, 50000), 1050000);
  near(tm__cost_ns(&cost, 11000, 5000), 5000);
}

/* The program goes on to smaller objects: three times the time a byte. */
static void phases(void **unused)
{
  (void)unused;
  for (uint64_t i = 0; i < 20; i++)
    add(1000 * i, 1000, i < 10 ? 1000 : 3000);
  tm__cost_fit(&cost);
  near(tm__cost_ns(&cost, 2000, 4000), 4000);
  near(tm__cost_ns(&cost, 17000, 4000), 12000);
  near(tm__cost_ns(&cost, 900000, 4000), 12000);
}

static void none_was_recorded(void **unused)
{
  (void)unused;
  tm__cost_fit(&cost);
  assert_true(cost.assumed);
  cost.ns_per_byte = 0.5;
  assert_int_equal(tm__cost_ns(&cost, 7, 1000), 500);
  assert_false(tm__cost_refused(&cost, 7));
}

static void refusals(void **unused)
{
  (void)unused;
  assert_true(tm__cost_refuse(&cost, 100));
  assert_true(tm__cost_refuse(&cost, 200));
  add(300, 1, 1);
  add(400, 1, 1);
  assert_true(tm__cost_refuse(&cost, 500));
  assert_int_equal(cost.refusal_count, 3); /* changes only */
  assert_true(tm__cost_refused(&cost, 0));
  assert_true(tm__cost_refused(&cost, 299));
  assert_false(tm__cost_refused(&cost, 300));
  assert_false(tm__cost_refused(&cost, 499));
  assert_true(tm__cost_refused(&cost, 500));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(a_line_with_a_constant, tear_down),
      cmocka_unit_test_teardown(all_alike_is_in_proportion, tear_down),
      cmocka_unit_test_teardown(work_that_does_not_matter, tear_down),
      cmocka_unit_test_teardown(without_work_the_nearest, tear_down),
      cmocka_unit_test_teardown(a_hiccup_stays_one, tear_down),
      cmocka_unit_test_teardown(phases, tear_down),
      cmocka_unit_test_teardown(none_was_recorded, tear_down),
      cmocka_unit_test_teardown(refusals, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
