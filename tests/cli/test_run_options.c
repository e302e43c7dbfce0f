/* test_run_options.c - the command line of `tidemark run`, without running anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/run_options.h"

enum { MAX_ARGUMENTS = 16 };
static const uint64_t whole = 1000u << 20;

/* Splits at blanks, as a shell would a simple line; the result lives until the next call. */
static char **split(const char *line)
{
  static char text[512];
  static char *arguments[MAX_ARGUMENTS + 1];
  size_t count = 0;
  assert_true(strlen(line) < sizeof text);
  memcpy(text, line, strlen(line) + 1);
  for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
    assert_true(count < MAX_ARGUMENTS);
    arguments[count++] = word;
  }
  arguments[count] = NULL;
  return arguments;
}

static tm__run_options parsed(const char *line)
{
  tm__run_options options;
  tm__complaint complaint = {0};
  if (tm__run_options_parse(split(line), whole, &options, &complaint) != 0)
    fail_msg("%s: %s", line, complaint.text);
  return options;
}

static void every_option_in_both_spellings(void **state)
{
  (void)state;
  tm__run_options o =
      parsed("--soft 512M --hard=1G --limits-from-cgroup --policy growth=50 --serve :9100 "
             "--report --record r.trace -- ls -l");
  assert_int_equal(o.soft_bytes, 512u << 20);
  assert_int_equal(o.hard_bytes, 1u << 30);
  assert_true(o.group_limits);
  assert_string_equal(o.policy, "growth=50");
  assert_string_equal(o.serve, ":9100");
  assert_string_equal(o.report, "-");
  assert_string_equal(o.record, "r.trace");
  assert_string_equal(o.command[0], "ls");
  assert_string_equal(o.command[1], "-l");
  assert_null(o.command[2]);
}

static void the_command_starts_at_the_first_argument_that_is_no_option(void **state)
{
  (void)state;
  tm__run_options o = parsed("--soft=1.5G python3 --soft 3 -- x");
  assert_int_equal(o.soft_bytes, (3u << 30) / 2);
  assert_string_equal(o.command[0], "python3");
  assert_string_equal(o.command[1], "--soft");
  assert_string_equal(o.command[3], "--");
  assert_int_equal(o.hard_bytes, 0);
  assert_false(o.group_limits);
  assert_null(o.policy);
  assert_null(o.serve);
  assert_null(o.report);
  assert_string_equal(parsed("-- --odd").command[0], "--odd");
}

static void a_group_and_its_budget(void **state)
{
  (void)state;
  tm__run_options o = parsed("--group web --budget 50% x");
  assert_string_equal(o.group, "web");
  assert_int_equal(o.budget_bytes, 500u << 20);
  o = parsed("--group=/run/app/web-1 x"); /* the budget is the one that the group has */
  assert_string_equal(o.group, "/run/app/web-1");
  assert_int_equal(o.budget_bytes, 0);
  assert_null(parsed("x").group);
}

static void percentages_are_of_the_whole(void **state)
{
  (void)state;
  assert_int_equal(parsed("--hard 75% x").hard_bytes, 750u << 20);
  assert_int_equal(parsed("--soft 12.5% x").soft_bytes, 125u << 20);
  assert_int_equal(parsed("--soft 100% x").soft_bytes, whole);
}

static void the_report_takes_its_file_by_equals_only(void **state)
{
  (void)state;
  assert_string_equal(parsed("--report=out.json x").report, "out.json");
  tm__run_options o = parsed("--report out.json x");
  assert_string_equal(o.report, "-");
  assert_string_equal(o.command[0], "out.json");
}

static void a_later_option_wins(void **state)
{
  (void)state;
  tm__run_options o = parsed("--soft 2G --soft 4M x");
  assert_int_equal(o.soft_bytes, 4u << 20);
}

static void help_needs_nothing_else(void **state)
{
  (void)state;
  assert_true(parsed("--help").help);
  assert_true(parsed("-h").help);
  assert_false(parsed("x --help").help);
}

static void equal_limits_are_good(void **state)
{
  (void)state;
  assert_int_equal(parsed("--soft 1G --hard 1G x").soft_bytes, 1u << 30);
}

static void each_mistake_has_its_sentence(void **state)
{
  (void)state;
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"", "needs a COMMAND"},
      {"--soft 1G", "needs a COMMAND"},
      {"--", "needs a COMMAND"},
      {"--sotf 1G x", "did you mean --soft?"},
      {"--harb=1G x", "no option --harb; did you mean --hard?"},
      {"--frobnicate x", "no option --frobnicate; 'tidemark run --help'"},
      {"-x y", "no option -x;"},
      {"--soft", "--soft needs a value, as in --soft 512M"},
      {"--soft -- x", "--soft needs a value"},
      {"--hard", "--hard needs a value, as in --hard 1G"},
      {"--serve", "--serve needs a value"},
      {"--policy", "--policy needs a value"},
      {"--soft lots x", "--soft: 'lots' is not a size"},
      {"--soft= x", "--soft: '' is not a size"},
      {"--hard -1 x", "--hard: '-1' is not a size"},
      {"--hard 0x10 x", "'0x10' is not a size"},
      {"--hard 101% x", "'101%' is not a size"},
      {"--hard 0% x", "'0%' is not a size"},
      {"--hard 1.2.3% x", "'1.2.3%' is not a size"},
      {"--hard % x", "'%' is not a size"},
      {"--hard 10%% x", "'10%%' is not a size"},
      {"--soft 0 x", "'0' is too little for any program; leave the option out"},
      {"--soft 512 x", "did you mean 512M?"},
      {"--soft 512K x", "'512K' is too little"},
      {"--soft 0.01% x", "'0.01%' is too little"},
      {"--hard 99999999E x", "more than any machine has"},
      {"--hard 15E x", "more than any machine has"},
      {"--soft 2G --hard 1G x", "--soft (2.00 GiB) is above --hard (1.00 GiB)"},
      {"--policy sqrt=0 x", "'sqrt=0' cannot be used: sqrt takes a share of the time from 1"},
      {"--policy magic x", "'magic' cannot be used: policies are"},
      {"--group a/b x", "--group: 'a/b' is not a name; write up to 48 letters"},
      {"--group= x", "--group: '' is not a name"},
      {"--group", "--group needs a value, as in --group web"},
      {"--budget 1G x", "--budget is shared by the members of a group; name it"},
      {"--group web --budget lots x", "--budget: 'lots' is not a size"},
      {"--group web --budget 5 x", "did you mean 5M?"},
      {"--report= x", "--report= needs the name of a file"},
      {"--help=1 x", "--help takes no value"},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    tm__run_options options;
    tm__complaint complaint = {0};
    int code = tm__run_options_parse(split(cases[i].line), whole, &options, &complaint);
    if (code != TM_EXIT_USAGE || complaint.exit_code != code)
      fail_msg("'%s' gave %d", cases[i].line, code);
    if (!strstr(complaint.text, cases[i].says))
      fail_msg("'%s': \"%s\" does not say \"%s\"", cases[i].line, complaint.text, cases[i].says);
  }
}

static void an_empty_command_and_an_unknown_whole(void **state)
{
  (void)state;
  char empty[] = "", soft[] = "--soft", half[] = "50%", command[] = "x";
  tm__run_options options;
  tm__complaint complaint;
  char *nameless[] = {empty, NULL};
  assert_int_equal(tm__run_options_parse(nameless, whole, &options, &complaint), TM_EXIT_USAGE);
  assert_non_null(strstr(complaint.text, "COMMAND is empty"));
  char *percent[] = {soft, half, command, NULL};
  assert_int_equal(tm__run_options_parse(percent, 0, &options, &complaint), TM_EXIT_USAGE);
  assert_non_null(strstr(complaint.text, "could not be found out"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_option_in_both_spellings),
      cmocka_unit_test(the_command_starts_at_the_first_argument_that_is_no_option),
      cmocka_unit_test(a_group_and_its_budget),
      cmocka_unit_test(percentages_are_of_the_whole),
      cmocka_unit_test(the_report_takes_its_file_by_equals_only),
      cmocka_unit_test(a_later_option_wins),
      cmocka_unit_test(help_needs_nothing_else),
      cmocka_unit_test(equal_limits_are_good),
      cmocka_unit_test(each_mistake_has_its_sentence),
      cmocka_unit_test(an_empty_command_and_an_unknown_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
