/* Numbers, rates and decisions in words. */
#include "support/check.h"
#include "view/words.h"

static char text[TM__WORD];

static void numbers(void **state)
{
  (void)state;
  assert_string_equal(tm__size_word(text, 1536), "1.50 KiB");
  assert_string_equal(tm__time_word(text, 1500000), "1.50 ms");
  assert_string_equal(tm__count_word(text, 0), "0");
  assert_string_equal(tm__count_word(text, 999), "999");
  assert_string_equal(tm__count_word(text, 1000), "1,000");
  assert_string_equal(tm__count_word(text, UINT64_MAX), "18,446,744,073,709,551,615");
}

static void rates(void **state)
{
  (void)state;
  assert_string_equal(tm__size_rate(text, 1024, 3072, 2000000000), "1.00 KiB/s");
  assert_string_equal(tm__count_rate(text, 0, 5000, 500000000), "10,000/s");
  assert_string_equal(tm__size_rate(text, 0, 1, 0), "-");
  assert_string_equal(tm__count_rate(text, 2, 1, 1000), "-");
}

static const char *words_of(const char *json)
{
  static char line[256];
  json_error_t error;
  json_t *record = json_loads(json, 0, &error);
  assert_non_null(record);
  tm__record_words(record, line, sizeof line);
  json_decref(record);
  return line;
}

static void decisions(void **state)
{
  (void)state;
  assert_string_equal(words_of("{\"verdict\":\"fired\",\"kind\":\"full\",\"reasons\":[\"soft\","
                               "\"growth\"],\"footprint_before_bytes\":2097152,"
                               "\"footprint_after_bytes\":1048576,\"duration_ns\":1200000}"),
                      "full        soft,growth  2.00 MiB -> 1.00 MiB in 1.20 ms");
  assert_string_equal(
      words_of("{\"verdict\":\"fired\",\"kind\":\"trim\",\"reasons\":[\"pressure\"],"
               "\"returned_bytes\":1048576,\"duration_ns\":5000}"),
      "trim        pressure     gave back 1.00 MiB in 5.00 us");
  assert_string_equal(
      words_of("{\"verdict\":\"cooldown\",\"kind\":\"minor\",\"reasons\":[\"young\"],"
               "\"footprint_before_bytes\":1024}"),
      "minor       young        at 1.00 KiB: cooldown");
  assert_string_equal(words_of("{\"kind\":null,\"reasons\":[3]}"),
                      "-           ?            at 0 B: ");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers),
      cmocka_unit_test(rates),
      cmocka_unit_test(decisions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
