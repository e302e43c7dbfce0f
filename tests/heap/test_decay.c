/* test_decay.c - the curve along which free pages go back, with time as an argument. */
#include "heap/decay.h"
#include "support/check.h"

enum { WINDOW_S = 10 };
static const uint64_t SECOND = 1000000000;
static const uint64_t MIB = 1 << 20;

static tm__decay decay_new(void)
{
  tm__decay decay;
  tm__decay_init(&decay, WINDOW_S * SECOND);
  return decay;
}

/* What the curve 1 - (3x^2 - 2x^3) leaves of `bytes` after `age_ns`. */
static double curve(uint64_t bytes, uint64_t age_ns)
{
  double x = (double)age_ns / (double)(WINDOW_S * SECOND);
  return x >= 1 ? 0 : (double)bytes * (1 - x * x * (3 - 2 * x));
}

static void what_was_just_freed_may_stay(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  assert_int_equal(tm__decay_limit(&decay, 100 * SECOND, 64 * MIB), 64 * MIB);
  assert_int_equal(tm__decay_limit(&decay, 100 * SECOND, 64 * MIB), 64 * MIB);
}

static void the_limit_follows_the_curve(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  uint64_t bytes = 640 * MIB, start = 100 * SECOND, last = bytes;
  (void)tm__decay_limit(&decay, start, bytes);
  for (uint64_t age = 0; age <= WINDOW_S * SECOND; age += SECOND / 20) {
    uint64_t limit = tm__decay_limit(&decay, start + age, bytes);
    double want = curve(bytes, age);
    assert_true(limit <= last);
    assert_true((double)limit <= want + (double)bytes * 0.03);
    assert_true((double)limit >= want - (double)bytes * 0.03);
    last = limit;
  }
}

static void nothing_may_stay_after_the_window(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  (void)tm__decay_limit(&decay, 100 * SECOND, 64 * MIB);
  assert_true(tm__decay_limit(&decay, 109 * SECOND, 64 * MIB) > 0);
  assert_int_equal(tm__decay_limit(&decay, 110 * SECOND + SECOND / 2, 64 * MIB), 0);
  assert_int_equal(tm__decay_limit(&decay, 1000 * SECOND, 64 * MIB), 0);
}

static void bursts_decay_each_for_itself(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  (void)tm__decay_limit(&decay, 100 * SECOND, 100 * MIB);
  (void)tm__decay_limit(&decay, 105 * SECOND, 300 * MIB);
  for (uint64_t s = 105; s <= 116; s++) {
    double want = curve(100 * MIB, (s - 100) * SECOND) + curve(200 * MIB, (s - 105) * SECOND);
    double have = (double)tm__decay_limit(&decay, s * SECOND, 300 * MIB);
    assert_true(have <= want + 9 * (double)MIB);
    assert_true(have >= want - 9 * (double)MIB);
  }
}

/* Pages that are used again leave the books of dirt; what is freed later is new. */
static void reuse_is_no_new_dirt(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  (void)tm__decay_limit(&decay, 100 * SECOND, 64 * MIB);
  (void)tm__decay_limit(&decay, 105 * SECOND, 16 * MIB);
  assert_int_equal(tm__decay_limit(&decay, 111 * SECOND, 16 * MIB), 0);
  assert_int_equal(tm__decay_limit(&decay, 111 * SECOND, 48 * MIB), 32 * MIB);
}

static void a_clock_that_goes_back_does_no_harm(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  (void)tm__decay_limit(&decay, 100 * SECOND, 64 * MIB);
  assert_int_equal(tm__decay_limit(&decay, 50 * SECOND, 64 * MIB), 64 * MIB);
  assert_int_equal(tm__decay_limit(&decay, 111 * SECOND, 64 * MIB), 0);
}

static void the_first_seconds_after_boot(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  assert_int_equal(tm__decay_limit(&decay, 0, 64 * MIB), 64 * MIB);
  assert_true(tm__decay_limit(&decay, 5 * SECOND, 64 * MIB) < 34 * MIB);
  assert_int_equal(tm__decay_limit(&decay, 11 * SECOND, 64 * MIB), 0);
}

/* No product overflows: a whole arena may be dirty. */
static void huge_numbers_are_exact(void **state)
{
  (void)state;
  tm__decay decay = decay_new();
  uint64_t bytes = (uint64_t)1 << 47;
  assert_int_equal(tm__decay_limit(&decay, UINT64_MAX / 2, bytes), bytes);
  uint64_t half = tm__decay_limit(&decay, UINT64_MAX / 2 + 5 * SECOND, bytes);
  assert_true(half > bytes / 2 - bytes / 40 && half < bytes / 2 + bytes / 40);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_just_freed_may_stay),
      cmocka_unit_test(the_limit_follows_the_curve),
      cmocka_unit_test(nothing_may_stay_after_the_window),
      cmocka_unit_test(bursts_decay_each_for_itself),
      cmocka_unit_test(reuse_is_no_new_dirt),
      cmocka_unit_test(a_clock_that_goes_back_does_no_harm),
      cmocka_unit_test(the_first_seconds_after_boot),
      cmocka_unit_test(huge_numbers_are_exact),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
