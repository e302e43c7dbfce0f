/* test_settings.c - the environment contract, from an environment made up for it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "hosts/malloc/settings.h"

enum { PID = 77 };

static const char *const *environment; /* name, value, name, value, ..., NULL */

static const char *lookup(const char *name)
{
  for (const char *const *e = environment; *e; e += 2)
    if (strcmp(*e, name) == 0)
      return e[1];
  return NULL;
}

/* What was said meanwhile. */
static int messages;
static const char *said(void)
{
  static char text[1024];
  ssize_t length = pread(messages, text, sizeof text - 1, 0);
  assert_true(length >= 0);
  text[length] = 0;
  return text;
}

static int set_up(void **state)
{
  (void)state;
  messages = memfd_create("messages", 0);
  tm__report_fd_set(messages);
  return messages >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  tm__report_fd_set(STDERR_FILENO);
  return close(messages);
}

static tm__settings read_from(const char *const *pairs)
{
  tm__settings settings;
  environment = pairs;
  tm__settings_read(&settings, lookup, PID);
  return settings;
}

static void nothing_is_set(void **state)
{
  (void)state;
  tm__settings s = read_from((const char *const[]){NULL});
  assert_int_equal(s.soft_bytes, 0);
  assert_int_equal(s.hard_bytes, 0);
  assert_false(s.has_policy);
  assert_false(s.mismatch_given);
  assert_true(s.is_run); /* preloaded by hand */
  assert_int_equal(s.serve_fd, -1);
  assert_string_equal(s.report, "");
  assert_string_equal(s.record, "");
  assert_string_equal(said(), "");
}

static void everything_is_set(void **state)
{
  (void)state;
  char policy[] = "fixed=64M", report[] = "/tmp/r.json";
  tm__settings s = read_from((const char *const[]){
      "TM_SOFT", "1048576", "TM_HARD", "2M", "TM_POLICY", policy, "TM_MISMATCH", "abort",
      "TM_RUN_PID", "77", "TM_SERVE_FD", "500", "TM_SERVE_ID", "18446744073709551615", "TM_REPORT",
      report, "TM_RECORD", "/tmp/r.trace", NULL});
  memset(policy, 'x', sizeof policy - 1); /* as a program does that changes its title */
  memset(report, 'x', sizeof report - 1);
  assert_int_equal(s.soft_bytes, 1 << 20);
  assert_int_equal(s.hard_bytes, 2 << 20);
  assert_true(s.has_policy);
  assert_int_equal(s.policy.fixed_bytes, 64 << 20);
  assert_string_equal(s.policy_text, "fixed=64M");
  assert_true(s.mismatch_given);
  assert_true(s.is_run);
  assert_int_equal(s.serve_fd, 500);
  assert_int_equal(s.serve_id, UINT64_MAX);
  assert_string_equal(s.report, "/tmp/r.json");
  assert_string_equal(s.record, "/tmp/r.trace");
  assert_string_equal(said(), "");
}

static void bad_values_are_said_and_left_out(void **state)
{
  (void)state;
  static const struct {
    const char *name, *value, *says;
  } cases[] = {
      {"TM_SOFT", "lots", "tidemark: TM_SOFT=lots is ignored: it is not a size such as 512M\n"},
      {"TM_SOFT", "0", "tidemark: TM_SOFT=0 is ignored: it is not a size such as 512M\n"},
      {"TM_LIMITS", "group", "tidemark: TM_LIMITS=group is ignored: it can only be cgroup\n"},
      {"TM_HARD", "8E", "tidemark: TM_HARD=8E is ignored: it is not a size such as 512M\n"},
      {"TM_POLICY", "sqrt=0", "TM_POLICY=sqrt=0 is ignored: sqrt takes a share of the time from 1"},
      {"TM_GROUP", "a b", "TM_GROUP=a b is ignored: it is not a name of letters and digits"},
      {"TM_REPORT", "r.txt", "TM_REPORT=r.txt is ignored: it is neither - nor an absolute path\n"},
      {"TM_RECORD", "r.trace", "TM_RECORD=r.trace is ignored: it is not an absolute path\n"},
      {"TM_SERVE_FD", "3x", "TM_SERVE_FD=3x is ignored: it is not a number"},
      {"TM_SERVE_FD", "2147483648", "is ignored: it is not a number"},
      {"TM_SERVE_ID", "18446744073709551616", "is ignored: it is not a number"},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    assert_int_equal(ftruncate(messages, 0), 0);
    (void)lseek(messages, 0, SEEK_SET);
    tm__settings s = read_from((const char *const[]){cases[i].name, cases[i].value, NULL});
    assert_int_equal(s.soft_bytes, 0);
    assert_int_equal(s.hard_bytes, 0);
    assert_false(s.has_policy);
    assert_int_equal(s.serve_fd, -1);
    assert_string_equal(s.report, "");
    assert_string_equal(s.group, "");
    if (!strstr(said(), cases[i].says))
      fail_msg("%s=%s: \"%s\"", cases[i].name, cases[i].value, said());
  }
}

static void a_soft_limit_above_the_hard_one_is_left_out(void **state)
{
  (void)state;
  tm__settings s = read_from((const char *const[]){"TM_SOFT", "2M", "TM_HARD", "1M", NULL});
  assert_int_equal(s.soft_bytes, 0);
  assert_int_equal(s.hard_bytes, 1 << 20);
  assert_string_equal(said(), "tidemark: TM_SOFT=2M is ignored: it is above TM_HARD\n");
}

static void children_are_not_the_one_and_do_not_complain(void **state)
{
  (void)state;
  tm__settings s = read_from(
      (const char *const[]){"TM_RUN_PID", "78", "TM_SOFT", "lots", "TM_HARD", "1M", NULL});
  assert_false(s.is_run);
  assert_int_equal(s.hard_bytes, 1 << 20);
  assert_string_equal(said(), "");
}

static void limits_of_the_control_group(void **state)
{
  (void)state;
  assert_true(read_from((const char *const[]){"TM_LIMITS", "cgroup", NULL}).group_limits);
  assert_false(read_from((const char *const[]){"TM_LIMITS", "", NULL}).group_limits);
  assert_false(read_from((const char *const[]){NULL}).group_limits);
}

static void a_group(void **state)
{
  (void)state;
  tm__settings s = read_from((const char *const[]){"TM_GROUP", "web", "TM_BUDGET", "2G", NULL});
  assert_string_equal(s.group, "web");
  assert_int_equal(s.budget_bytes, UINT64_C(2) << 30);
  s = read_from((const char *const[]){"TM_GROUP", "/run/web", NULL});
  assert_string_equal(s.group, "/run/web");
  assert_int_equal(s.budget_bytes, 0);
  s = read_from((const char *const[]){"TM_BUDGET", "2G", NULL});
  assert_int_equal(s.budget_bytes, 0); /* of nothing */
  assert_string_equal(said(), "");
}

static void empty_values_are_not_set(void **state)
{
  (void)state;
  tm__settings s = read_from((const char *const[]){"TM_SOFT", "", "TM_POLICY", "", "TM_REPORT", "",
                                                   "TM_MISMATCH", "", "TM_SERVE_FD", "", NULL});
  assert_int_equal(s.soft_bytes, 0);
  assert_false(s.has_policy || s.mismatch_given);
  assert_int_equal(s.serve_fd, -1);
  assert_string_equal(said(), "");
}

#define quiet_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      quiet_test(nothing_is_set),
      quiet_test(everything_is_set),
      quiet_test(bad_values_are_said_and_left_out),
      quiet_test(a_soft_limit_above_the_hard_one_is_left_out),
      quiet_test(children_are_not_the_one_and_do_not_complain),
      quiet_test(limits_of_the_control_group),
      quiet_test(a_group),
      quiet_test(empty_values_are_not_set),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
