/* An axis: its ticks are round, apart, inside, and at the pixels of their values. */
#include "cli/axis.h"

#include <math.h>

#include "support/check.h"
#include "support/random.h"

static tm__axis across(double gap)
{
  return (tm__axis){.from = 100, .to = 460, .gap = gap};
}

static void has_ticks(const tm__axis *a, const double *ticks, size_t count)
{
  assert_int_equal(a->count, count);
  for (size_t i = 0; i < count; i++)
    assert_true(fabs(a->ticks[i] - ticks[i]) <= 1e-9 * fabs(ticks[i]));
}

static void straight_from_zero(void **unused)
{
  (void)unused;
  static const double ticks[] = {0, 20, 40, 60, 80, 100, 120};
  tm__axis a = across(50);
  tm__axis_straight(&a, 10, 100, 1);
  has_ticks(&a, ticks, TM_ARRAY_LEN(ticks));
  assert_false(a.log);
  assert_true(fabs(tm__axis_at(&a, 0) - 100) < 1e-6);
  assert_true(fabs(tm__axis_at(&a, 60) - 280) < 1e-6);
}

static void close_values_do_not_fill_the_axis(void **unused)
{
  (void)unused;
  tm__axis a = across(20);
  tm__axis_straight(&a, 209, 209.5, 1);
  assert_true(a.low > 150 && a.high < 270);
  assert_true(a.high - a.low >= 209.5 / 5);
  for (size_t i = 0; i < a.count; i++)
    assert_true(fabs(a.ticks[i] / 10 - round(a.ticks[i] / 10)) < 1e-9);
}

static void units_are_not_decimal(void **unused)
{
  (void)unused;
  static const double ticks[] = {0, 10240, 20480, 30720, 40960, 51200};
  tm__axis a = across(20);
  tm__axis_straight(&a, 0, 45 * 1024, 1024);
  has_ticks(&a, ticks, TM_ARRAY_LEN(ticks));
}

/* As many ticks in a decade as there is room for. */
static void logarithmic(void **unused)
{
  (void)unused;
  static const double fine[] = {1, 2, 5, 10, 20, 50}, middle[] = {1, 3, 10, 30, 100, 300},
                      coarse[] = {1e0, 1e2, 1e4, 1e6}, every[] = {1, 10, 100, 1000, 1e4};
  tm__axis a = across(50);
  tm__axis_log(&a, 1, 50);
  has_ticks(&a, fine, TM_ARRAY_LEN(fine));
  assert_true(a.log && fabs(tm__axis_at(&a, sqrt(50)) - 280) < 1e-6);
  a = across(50);
  tm__axis_log(&a, 1, 400);
  has_ticks(&a, middle, TM_ARRAY_LEN(middle));
  a = across(50);
  tm__axis_log(&a, 1, 10000);
  has_ticks(&a, every, TM_ARRAY_LEN(every));
  a = across(70);
  tm__axis_log(&a, 1, 1e6); /* no room for every power of ten */
  has_ticks(&a, coarse, TM_ARRAY_LEN(coarse));
}

static void any_values(void **unused)
{
  (void)unused;
  for (uint64_t seed = 1; seed <= 2000; seed++) {
    test_random random = {seed};
    double most = 1 + (double)random_below(&random, (uint64_t)1 << (1 + random_below(&random, 60)));
    double least = most / (1 + (double)random_below(&random, 1 << random_below(&random, 30)));
    tm__axis a = across(50);
    if (most / least > 20)
      tm__axis_log(&a, least, most);
    else
      tm__axis_straight(&a, least, most, 1);
    assert_true(tm__axis_at(&a, least) >= 99.9 && tm__axis_at(&a, most) <= 460.1);
    assert_true(a.count >= 2);
    for (size_t i = 0; i < a.count; i++) {
      double at = tm__axis_at(&a, a.ticks[i]);
      assert_true(at >= 99.9 && at <= 460.1);
      assert_true(!i || at - tm__axis_at(&a, a.ticks[i - 1]) >= 50);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(straight_from_zero),
      cmocka_unit_test(close_values_do_not_fill_the_axis),
      cmocka_unit_test(units_are_not_decimal),
      cmocka_unit_test(logarithmic),
      cmocka_unit_test(any_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
