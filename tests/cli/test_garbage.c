/* Whose garbage it was: small histories that can be worked out by hand. */
#include "cli/garbage.h"

#include "support/check.h"

static tm__garbage garbage;

static int tear_down(void **unused)
{
  (void)unused;
  tm__garbage_free(&garbage);
  return 0;
}

static void learn(const tm__found *found, size_t count)
{
  assert_int_equal(tm__garbage_learn(&garbage, 0, 100, found, count), 0);
}

static uint64_t young(uint64_t allocated)
{
  return tm__garbage_made(&garbage, TM__YOUNG, allocated);
}

static uint64_t old(uint64_t allocated)
{
  return tm__garbage_made(&garbage, TM__OLD, allocated);
}

static void nothing_was_found(void **unused)
{
  (void)unused;
  learn(NULL, 0);
  assert_int_equal(young(1000), 0);
  assert_int_equal(old(1000), 0);
  assert_int_equal(tm__garbage_left(&garbage, 1000, 500, 0), 0);
}

/* Eight minor runs, each of which leaves 10 more bytes than the one before: that is a leak. */
static void what_rises_leaks(void **unused)
{
  (void)unused;
  tm__found found[9];
  for (size_t i = 0; i < 8; i++)
    found[i] = (tm__found){TM__BY_MINOR, 100 * (i + 1), 50, 100 + 10 * (i + 1)};
  found[8] = (tm__found){TM__BY_FULL, 800, 80, 100};
  learn(found, 9);
  assert_int_equal(young(400), 200);
  assert_int_equal(young(800), 400);
  assert_int_equal(old(400), 40);
  assert_int_equal(old(800), 80);
  assert_int_equal(old(1600), 160);
  assert_int_equal(tm__garbage_left(&garbage, 400, 50, 0), 0);
}

/* Each minor run leaves 80 bytes, and never more: they float, and come with the first runs. */
static void what_does_not_rise_floats(void **unused)
{
  (void)unused;
  tm__found found[9];
  for (size_t i = 0; i < 8; i++)
    found[i] = (tm__found){TM__BY_MINOR, 100 * (i + 1), 50, i ? 180 : 140};
  found[8] = (tm__found){TM__BY_FULL, 800, 80, 100};
  learn(found, 9);
  assert_int_equal(old(800), 0);
  assert_int_equal(young(100), 50 + 50); /* at most as much as was found */
  assert_int_equal(young(700), 350 + 50);
  assert_int_equal(young(750), 350 + 50 + 25); /* the rest at the full run */
  assert_int_equal(young(800), 400 + 80);
  assert_int_equal(tm__garbage_left(&garbage, 400, 100, 0), 50); /* half of what is there */
  assert_int_equal(tm__garbage_left(&garbage, 400, 100, 70), 70);
  assert_int_equal(tm__garbage_left(&garbage, 400, 1000, 70), 80);
  assert_int_equal(tm__garbage_left(&garbage, 400, 60, 70), 60);
  assert_int_equal(tm__garbage_left(&garbage, 9000, 1000, 0), 80); /* as in the last interval */
}

/* The live bytes grow by 80 meanwhile, and so does what minor runs leave: nothing leaks. */
static void growth_is_no_leak(void **unused)
{
  (void)unused;
  tm__found found[9];
  for (size_t i = 0; i < 8; i++)
    found[i] = (tm__found){TM__BY_MINOR, 100 * (i + 1), 50, 150 + 10 * (i + 1)};
  found[8] = (tm__found){TM__BY_FULL, 800, 50, 180};
  learn(found, 9);
  assert_int_equal(old(800), 0);
  assert_int_equal(young(800), 450);
}

static void made_never_falls(void **unused)
{
  (void)unused;
  tm__found found[40];
  for (size_t i = 0; i < 40; i++)
    found[i] = (tm__found){i % 10 == 9 ? TM__BY_FULL : TM__BY_MINOR, 100 * i, i * 7919 % 300,
                           i * 104729 % 1000};
  learn(found, 40);
  for (uint64_t a = 1; a < 5000; a++) {
    assert_true(young(a) >= young(a - 1));
    assert_true(old(a) >= old(a - 1));
  }
  uint64_t freed = 0;
  for (size_t i = 0; i < 40; i++)
    freed += found[i].freed_bytes;
  assert_int_equal(young(3900) + old(3900), freed); /* the last run was a full one */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(nothing_was_found, tear_down),
      cmocka_unit_test_teardown(what_rises_leaks, tear_down),
      cmocka_unit_test_teardown(what_does_not_rise_floats, tear_down),
      cmocka_unit_test_teardown(growth_is_no_leak, tear_down),
      cmocka_unit_test_teardown(made_never_falls, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
