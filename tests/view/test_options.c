/* The views' command lines. */
#include "support/check.h"
#include "view/options.h"

enum { ALL = 31 };

static tm__view_options options;
static tm__complaint complaint;

static int parse(unsigned takes, const char *a, const char *b, const char *c, const char *d)
{
  char *arguments[] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c,
                       (char *)(uintptr_t)d, NULL};
  return tm__view_options_parse(arguments, "view", takes, &options, &complaint);
}

static void what_is_not_said(void **state)
{
  (void)state;
  assert_int_equal(parse(0, NULL, NULL, NULL, NULL), 0);
  assert_int_equal(options.interval_ms, 1000);
  assert_int_equal(options.count, 0);
  assert_null(options.target);
  assert_false(options.once || options.json || options.follow);
}

static void flags(void **state)
{
  (void)state;
  assert_int_equal(parse(ALL, "--once", "--json", "12", "--follow"), 0);
  assert_true(options.once && options.json && options.follow);
  assert_string_equal(options.target, "12");
  assert_int_equal(parse(ALL, "--interval", "0.25", "--", "--once"), 0);
  assert_int_equal(options.interval_ms, 250);
  assert_string_equal(options.target, "--once");
  assert_false(options.once);
  assert_int_equal(parse(ALL, "--interval=3.1", "7", NULL, NULL), 0);
  assert_int_equal(options.interval_ms, 3100);
}

static void counts(void **state)
{
  (void)state;
  assert_int_equal(parse(ALL, ":1", "2", "30", NULL), 0);
  assert_int_equal(options.interval_ms, 2000);
  assert_int_equal(options.count, 30);
  assert_int_equal(parse(ALL, ":1", "0.125", NULL, NULL), 0);
  assert_int_equal(options.interval_ms, 125);
  assert_int_equal(parse(ALL, ":1", "86400", NULL, NULL), 0);
}

static void complaints(void **state)
{
  static const char *const intervals[] = {"",   "0",  "0.05", "86401", "1.2345",
                                          "1s", "-1", "1e",   ".5",    "99999999999999999999"};
  (void)state;
  assert_int_equal(parse(TM__TAKES_JSON, "--once", NULL, NULL, NULL), TM_EXIT_USAGE);
  assert_int_equal(parse(ALL, "--jsom", NULL, NULL, NULL), TM_EXIT_USAGE);
  assert_non_null(strstr(complaint.text, "did you mean --json?"));
  assert_int_equal(parse(ALL, "-x", NULL, NULL, NULL), TM_EXIT_USAGE);
  assert_non_null(strstr(complaint.text, "'tidemark view --help'"));
  assert_int_equal(parse(ALL, "--json=1", NULL, NULL, NULL), TM_EXIT_USAGE);
  assert_int_equal(parse(ALL, "--interval", NULL, NULL, NULL), TM_EXIT_USAGE);
  assert_int_equal(parse(TM__TAKES_JSON, "1", "2", NULL, NULL), TM_EXIT_USAGE);
  assert_int_equal(parse(ALL, "1", "1", "1", "1"), TM_EXIT_USAGE);
  assert_int_equal(parse(ALL, "1", "1", "0", NULL), TM_EXIT_USAGE);
  assert_int_equal(parse(ALL, "1", "1", "5x", NULL), TM_EXIT_USAGE);
  assert_int_equal(parse(ALL, "1", "1", " 5", NULL), TM_EXIT_USAGE);
  for (size_t i = 0; i < TM_ARRAY_LEN(intervals); i++)
    if (parse(ALL, "1", intervals[i], NULL, NULL) != TM_EXIT_USAGE)
      fail_msg("'%s' was taken", intervals[i]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_not_said),
      cmocka_unit_test(flags),
      cmocka_unit_test(counts),
      cmocka_unit_test(complaints),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
