/* Sentences with numbers in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/sentence.h"

static char text[64];

static void each_kind_of_argument(void **state)
{
  (void)state;
  tm__sentence(text, sizeof text, "%s: %b in %t, %n of %n", "heap", UINT64_C(1536) << 10,
               UINT64_C(1500000), UINT64_C(7), UINT64_MAX);
  assert_string_equal(text, "heap: 1.50 MiB in 1.50 ms, 7 of 18446744073709551615");
  tm__sentence(text, sizeof text, "100 %% of %x");
  assert_string_equal(text, "100 % of x");
  tm__sentence(text, sizeof text, "ends in %");
  assert_string_equal(text, "ends in %");
}

static void percentages_have_the_digits_that_count(void **state)
{
  static const struct {
    double percent;
    const char *text;
  } cases[] = {{97.4, "97"}, {97.6, "98"},   {100, "100"},     {12345, "12345"},
               {9.96, "10"}, {2.345, "2.3"}, {0.3, "0.3"},     {0.0015, "0.002"},
               {0, "0"},     {0.0001, "0"},  {1e6, "999999+"}, {1e300, "999999+"}};
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    tm__sentence(text, sizeof text, "%p", cases[i].percent);
    assert_string_equal(text, cases[i].text);
  }
  assert_true(tm__percent(1, 0) == 0.0);
  assert_true(tm__percent(3, 4) == 75.0);
  assert_true(tm__percent(UINT64_MAX, UINT64_MAX) == 100.0);
}

static void is_cut_to_the_buffer(void **state)
{
  char small[8] = "#######";
  (void)state;
  tm__sentence(small, 5, "%s", "longer than that");
  assert_string_equal(small, "long");
  assert_int_equal(small[5], '#');
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_kind_of_argument),
      cmocka_unit_test(percentages_have_the_digits_that_count),
      cmocka_unit_test(is_cut_to_the_buffer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
