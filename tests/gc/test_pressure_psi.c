/* PSI files: what their numbers mean, and the kernel's own, under pressure that the test makes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "gc/pressure.h"
#include "support/check.h"
#include "support/memory_group.h"
#include "support/tree.h"

static char why[256];

static const char calm[] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=100\n"
                           "full avg10=0.00 avg60=0.00 avg300=0.00 total=50\n";

static void parse(void **state)
{
  (void)state;
  tm__psi psi;
  assert_true(tm__psi_parse(calm, &psi));
  assert_int_equal(psi.some_total_us, 100);
  assert_true(tm__psi_parse("some avg10=12.34 avg60=99.99 avg300=1.00 total=18446744073709551615\n"
                            "full avg10=5.06 avg60=0.00 avg300=0.00 total=7\n",
                            &psi));
  assert_int_equal(psi.some_avg10, 1234);
  assert_int_equal(psi.full_avg10, 506);
  assert_true(psi.some_total_us == UINT64_MAX);
  assert_true(tm__psi_parse("some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n", &psi));
  assert_int_equal(psi.full_avg10, 0); /* no second line: some kernels have none */
  assert_true(tm__psi_parse("some avg10=4294967396.00 avg60=0.00 avg300=0.00 total=5\n", &psi));
  assert_int_equal(psi.some_avg10, 10000);
}

static void parse_anything_else(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "",
      "some",
      "some \n",
      "some avg10=",
      "some avg10=1",
      "some avg10=1.",
      "some avg10=x.00 total=1",
      "some avg10=1.00 avg60=0.00 avg300=0.00\n",
      "some avg10=1.00 avg60=0.00 avg300=0.00 total=x\n",
      "full avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
      "\xff\xfe\x01",
  };
  tm__psi psi;
  for (size_t i = 0; i < TM_ARRAY_LEN(texts); i++)
    assert_false(tm__psi_parse(texts[i], &psi));
}

static void levels(void **state)
{
  (void)state;
  static const struct {
    uint64_t some, full;
    tm_pressure level;
  } rows[] = {{0, 0, TM_PRESSURE_LOW},           {1999, 499, TM_PRESSURE_LOW},
              {2000, 0, TM_PRESSURE_MEDIUM},     {0, 500, TM_PRESSURE_MEDIUM},
              {10000, 1999, TM_PRESSURE_MEDIUM}, {2000, 2000, TM_PRESSURE_CRITICAL}};
  for (size_t i = 0; i < TM_ARRAY_LEN(rows); i++) {
    tm__psi psi = {rows[i].some, rows[i].full, 0};
    assert_int_equal(tm__psi_level(&psi), rows[i].level);
  }
}

static tm_pressure_watch *open_in_tree(tm_watch_kind kind)
{
  tm_pressure_options options;
  tm_pressure_watch *watch;
  tm_pressure_options_init(&options);
  options.root = tree;
  options.level = TM_PRESSURE_CRITICAL;
  int error = tm_pressure_open(kind, &options, &watch, why, sizeof why);
  if (error)
    fail_msg("%s", why);
  return watch;
}

/* An event without stalled time was for nothing: somebody's poll took it, or there was none. */
static void only_time_that_was_lost_counts(void **state)
{
  (void)state;
  tree_file("proc/pressure/memory", calm);
  tm_pressure_watch *watch = open_in_tree(TM_WATCH_PSI);
  assert_int_equal(tm_pressure_events(watch), POLLPRI);
  char text[20];
  assert_int_equal(pread(tm_pressure_fd(watch), text, sizeof text, 0), sizeof text);
  assert_memory_equal(text, "some 150000 2000000", sizeof text); /* with its NUL */
  tree_file("proc/pressure/memory", calm);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_LOW); /* from the trigger's text to calm */
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  tree_file("proc/pressure/memory", "some avg10=30.00 avg60=0.00 avg300=0.00 total=101\n");
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  tree_file("proc/pressure/memory", "\xff nonsense");
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_CRITICAL); /* options.level */
  tm_pressure_close(watch);
}

static void the_groups_own_file(void **state)
{
  (void)state;
  tm_pressure_options options;
  tm_pressure_watch *watch;
  tree_file("proc/self/cgroup", "0::/a\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 c rw\n");
  tree_file("cg/a/memory.pressure", calm);
  watch = open_in_tree(TM_WATCH_GROUP_PSI);
  assert_int_equal(tm_pressure_events(watch), POLLPRI);
  tm_pressure_close(watch);
  tm_pressure_options_init(&options);
  options.root = tree;
  tree_file("proc/self/cgroup", "3:memory:/a\n");
  assert_int_equal(tm_pressure_open(TM_WATCH_GROUP_PSI, &options, &watch, why, sizeof why),
                   TM_ENOTSUP);
  assert_non_null(strstr(why, "version 2"));
  assert_int_equal(tm_pressure_open(TM_WATCH_PSI, &options, &watch, why, sizeof why), TM_ENOTSUP);
  assert_non_null(strstr(why, "/proc/pressure/memory"));
}

/* ---- The kernel's own ----------------------------------------------------------------------- */

static void press_for_ever(void *ctx)
{
  (void)ctx;
  int hole = memory_group_hole();
  (void)alarm(30); /* also if the test dies */
  for (;;)
    memory_group_press(hole);
}

/* Not by memory_group_run: it goes on while we wait. */
static pid_t start_pressing(void)
{
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    must(memory_group_enter(memory_group));
    press_for_ever(NULL);
  }
  return child;
}

static void the_kernel_tells(void **state)
{
  (void)state;
  tm_pressure_options options;
  tm_pressure_watch *watch;
  tm_pressure_options_init(&options);
  options.stall_us = 20000; /* 1 % of 2 s */
  int error = tm_pressure_open(TM_WATCH_PSI, &options, &watch, why, sizeof why);
  if (error) {
    print_message("SKIP: no PSI here: %s\n", why);
    skip();
  }
  if (!memory_group_make("16777216")) {
    tm_pressure_close(watch);
    skip();
  }
  pid_t child = start_pressing();
  struct pollfd p = {tm_pressure_fd(watch), (short)tm_pressure_events(watch), 0};
  int ready = poll(&p, 1, 20000);
  int level = ready == 1 ? tm_pressure_read(watch) : -99;
  (void)kill(child, SIGKILL);
  (void)waitpid(child, NULL, 0);
  memory_group_remove();
  assert_int_equal(ready, 1);
  assert_true(p.revents & POLLPRI);
  assert_in_range(level, TM_PRESSURE_LOW, TM_PRESSURE_CRITICAL);
  assert_true(watch->stalled_us > 0);
  tm_pressure_close(watch);
}

static void a_window_that_the_kernel_refuses(void **state)
{
  (void)state;
  tm_pressure_options options;
  tm_pressure_watch *watch;
  int before = count_open_fds();
  tm_pressure_options_init(&options);
  options.stall_us = 1;
  options.window_us = 1000; /* below what any process may have */
  int error = tm_pressure_open(TM_WATCH_PSI, &options, &watch, why, sizeof why);
  if (error == TM_ENOTSUP) {
    print_message("SKIP: no PSI here: %s\n", why);
    skip();
  }
  assert_int_equal(error, TM_EIO);
  assert_int_equal(count_open_fds(), before);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parse),
      cmocka_unit_test(parse_anything_else),
      cmocka_unit_test(levels),
      tree_test(only_time_that_was_lost_counts),
      tree_test(the_groups_own_file),
      cmocka_unit_test(the_kernel_tells),
      cmocka_unit_test(a_window_that_the_kernel_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
