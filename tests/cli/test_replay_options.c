/* test_replay_options.c - the command line of `tidemark replay`. */
#include "cli/replay_options.h"

#include "support/check.h"

enum { MAX_ARGUMENTS = 64 };

static char **split(const char *line)
{
  static char text[1024];
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

static tm__replay_options parsed(const char *line)
{
  tm__replay_options options;
  tm__complaint complaint = {0};
  if (tm__replay_options_parse(split(line), &options, &complaint) != 0)
    fail_msg("%s: %s", line, complaint.text);
  return options;
}

static void everything(void **unused)
{
  (void)unused;
  tm__replay_options o = parsed("--policy growth=50 run.trace --policy=fixed=64M --soft 512M "
                                "--hard=1G --sweep --json --plot front.svg");
  assert_string_equal(o.file, "run.trace");
  assert_int_equal(o.policy_count, 2);
  assert_string_equal(o.policies[0], "growth=50");
  assert_string_equal(o.policies[1], "fixed=64M");
  assert_true(o.own_soft && o.own_hard && o.sweep && o.json && !o.help);
  assert_int_equal(o.soft_bytes, 512u << 20);
  assert_int_equal(o.hard_bytes, 1u << 30);
  assert_string_equal(o.plot, "front.svg");
}

static void nothing_but_a_file(void **unused)
{
  (void)unused;
  tm__replay_options o = parsed("-- --soft");
  assert_string_equal(o.file, "--soft");
  assert_int_equal(o.policy_count, 0);
  assert_false(o.own_soft || o.own_hard || o.sweep || o.json);
  assert_null(o.plot);
  o = parsed("x --soft 0");
  assert_true(o.own_soft);
  assert_int_equal(o.soft_bytes, 0);
  assert_true(parsed("-h --frobnicate").help);
}

static void each_mistake_has_its_sentence(void **unused)
{
  (void)unused;
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"", "replay needs a recording"},
      {"a b", "'b' would be a second one"},
      {"a --polcy x", "there is no option --polcy; did you mean --policy?"},
      {"a --frobnicate", "'tidemark replay --help' lists them"},
      {"a --policy", "--policy needs a value, as in --policy growth=50"},
      {"a --policy magic", "'magic' cannot be used: policies are"},
      {"a --soft lots", "--soft: 'lots' is not a size"},
      {"a --hard 8E", "--hard: '8E' is not a size"},
      {"a --soft 2G --hard 1G", "--soft is above --hard"},
      {"a --sweep=1", "--sweep takes no value"},
      {"a --plot=", "--plot needs the name of a file"},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    tm__replay_options o;
    tm__complaint complaint = {0};
    assert_int_equal(tm__replay_options_parse(split(cases[i].line), &o, &complaint), TM_EXIT_USAGE);
    if (!strstr(complaint.text, cases[i].says))
      fail_msg("%s: \"%s\"", cases[i].line, complaint.text);
  }
}

static void too_many_policies(void **unused)
{
  (void)unused;
  char line[1024] = "x";
  for (int i = 0; i < TM__REPLAY_POLICIES; i++)
    (void)strncat(line, " --policy=off", sizeof line - strlen(line) - 1);
  assert_int_equal(parsed(line).policy_count, TM__REPLAY_POLICIES);
  (void)strncat(line, " --policy=off", sizeof line - strlen(line) - 1);
  tm__replay_options o;
  tm__complaint complaint = {0};
  assert_int_equal(tm__replay_options_parse(split(line), &o, &complaint), TM_EXIT_USAGE);
  assert_non_null(strstr(complaint.text, "at most 16 policies"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything),
      cmocka_unit_test(nothing_but_a_file),
      cmocka_unit_test(each_mistake_has_its_sentence),
      cmocka_unit_test(too_many_policies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
