/* Sizes as people write them, read and shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tidemark/version.h>

#include "stats/units.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define EIB ((uint64_t)1 << 60)

static void reads_sizes(void **state)
{
  static const struct {
    const char *text;
    uint64_t bytes;
  } cases[] = {{"0", 0},
               {"1", 1},
               {"4096", 4096},
               {"007", 7},
               {"0K", 0},
               {"100K", 100 * KIB},
               {"100k", 100 * KIB},
               {"100KB", 100 * KIB},
               {"100KiB", 100 * KIB},
               {"100kib", 100 * KIB},
               {"512M", 512 * MIB},
               {"512MiB", 512 * MIB},
               {"2G", 2 * GIB},
               {"2gb", 2 * GIB},
               {"3T", 3 * 1024 * GIB},
               {"1P", EIB / 1024},
               {"15E", 15 * EIB},
               {"64B", 64},
               {"1.5G", 3 * GIB / 2},
               {"0.5K", 512},
               {"0.1K", 102},
               {"1.25", 1},
               {"0.0625M", 64 * KIB},
               {"1.000000000000000000000000000000000000000000001G", GIB},
               {"15.999999999999999999999999999999999999999999999E", UINT64_MAX},
               {"18446744073709551615", UINT64_MAX},
               {"18014398509481983K", UINT64_MAX - 1023}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint64_t bytes = 77;
    assert_int_equal(tm__size_parse(cases[i].text, &bytes), 0);
    if (bytes != cases[i].bytes)
      fail_msg("%s is %llu", cases[i].text, (unsigned long long)bytes);
  }
}

static void refuses_what_is_no_size(void **state)
{
  static const char *const texts[] = {
      "",    " ",   "K",    "B",     "-1",   "+1",     "1 K",  " 1",  "1 ",  "1KK",  "1X",
      "1.",  ".5",  "1..5", "1.5.5", "0x10", "1e3",    "1,5G", "1iB", "1Ki", "1Kb ", "1KiBB",
      "1BB", "1Bi", "１",   "NaN",   "inf",  "512M\n", "1.G",  "..",  "1-",  "G1",   "%"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    uint64_t bytes = 77;
    if (tm__size_parse(texts[i], &bytes) != TM_EINVAL)
      fail_msg("'%s' was read as %llu", texts[i], (unsigned long long)bytes);
    assert_int_equal(bytes, 77);
  }
  uint64_t bytes = 77;
  assert_int_equal(tm__size_parse(NULL, &bytes), TM_EINVAL);
  assert_int_equal(tm__size_parse("1", NULL), TM_EINVAL);
}

static void refuses_what_does_not_fit(void **state)
{
  static const char *const texts[] = {"18446744073709551616",
                                      "18014398509481984K",
                                      "16E",
                                      "17592186044416M",
                                      "99999999999999999999999999",
                                      "99999999999999999999999999.5K",
                                      "16384P"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    uint64_t bytes = 77;
    if (tm__size_parse(texts[i], &bytes) != TM_ERANGE)
      fail_msg("'%s' was read as %llu", texts[i], (unsigned long long)bytes);
    assert_int_equal(bytes, 77);
  }
}

static void shows_sizes(void **state)
{
  static const struct {
    uint64_t bytes;
    const char *text;
  } cases[] = {{0, "0 B"},
               {1, "1 B"},
               {1023, "1023 B"},
               {1024, "1.00 KiB"},
               {1536, "1.50 KiB"},
               {10 * KIB + 512, "10.5 KiB"},
               {123 * KIB + 1023, "123 KiB"},
               {MIB - 1, "1023 KiB"},
               {MIB, "1.00 MiB"},
               {12 * MIB + 3 * MIB / 10 + 1, "12.3 MiB"},
               {GIB, "1.00 GiB"},
               {1024 * GIB, "1.00 TiB"},
               {EIB, "1.00 EiB"},
               {UINT64_MAX, "15.9 EiB"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char buffer[16];
    assert_int_equal(tm__size_format(cases[i].bytes, buffer, sizeof buffer), strlen(cases[i].text));
    assert_string_equal(buffer, cases[i].text);
  }
}

static void shows_times(void **state)
{
  static const struct {
    uint64_t ns;
    const char *text;
  } cases[] = {{0, "0 s"},
               {850, "850 ns"},
               {1000, "1.00 us"},
               {12300, "12.3 us"},
               {999999, "999 us"},
               {4560000, "4.56 ms"},
               {1230000000, "1.23 s"},
               {61000000000, "61.0 s"},
               {119999999999, "119 s"},
               {120000000000, "2 min"},
               {125000000000, "2 min 5 s"},
               {12000000000000, "3 h 20 min"},
               {3600000000000, "1 h"},
               {371000000000000, "4 d 7 h"},
               {UINT64_MAX, "213503 d 23 h"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char buffer[24];
    size_t length = tm__time_format(cases[i].ns, buffer, sizeof buffer);
    if (strcmp(buffer, cases[i].text) != 0)
      fail_msg("%llu ns is shown as %s", (unsigned long long)cases[i].ns, buffer);
    assert_int_equal(length, strlen(cases[i].text));
  }
}

static void cuts_short_buffers(void **state)
{
  char buffer[8] = "~~~~~~~";
  (void)state;
  assert_int_equal(tm__size_format(1536, buffer, 4), 8);
  assert_string_equal(buffer, "1.5");
  assert_int_equal(buffer[4], '~');
  assert_int_equal(tm__size_format(1536, NULL, 0), 8);
  assert_int_equal(tm__time_format(1000, buffer, 1), 7);
  assert_int_equal(buffer[0], 0);
}

/* What is shown exactly is read back exactly. */
static void shown_sizes_can_be_read(void **state)
{
  (void)state;
  for (unsigned shift = 10; shift < 64; shift++) {
    char text[16];
    uint64_t bytes = 0;
    tm__size_format((uint64_t)1 << shift, text, sizeof text);
    char *blank = strchr(text, ' ');
    assert_non_null(blank);
    memmove(blank, blank + 1, strlen(blank));
    assert_int_equal(tm__size_parse(text, &bytes), 0);
    assert_int_equal(bytes, (uint64_t)1 << shift);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_sizes),
      cmocka_unit_test(refuses_what_is_no_size),
      cmocka_unit_test(refuses_what_does_not_fit),
      cmocka_unit_test(shows_sizes),
      cmocka_unit_test(shows_times),
      cmocka_unit_test(cuts_short_buffers),
      cmocka_unit_test(shown_sizes_can_be_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
