/* Limits of control groups, on trees of files that the test makes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/cgroup.h"

static char root[64];

static void write_file(const char *name, const char *text)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s", root, name);
  for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    (void)mkdir(path, 0700);
    *slash = '/';
  }
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static tm__cgroup read_group(void)
{
  char self[128], mount[128];
  tm__cgroup group;
  snprintf(self, sizeof self, "%s/self", root);
  snprintf(mount, sizeof mount, "%s/mnt", root);
  tm__cgroup_read(self, mount, &group);
  return group;
}

static int make_root(void **state)
{
  (void)state;
  strcpy(root, "cgroup-XXXXXX");
  return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s'", root);
  return system(command);
}

static void tightest_ancestor_counts(void **state)
{
  (void)state;
  write_file("self", "0::/system.slice/app.service/worker\n");
  write_file("mnt/system.slice/memory.max", "max\n");
  write_file("mnt/system.slice/memory.high", "900000\n");
  write_file("mnt/system.slice/memory.current", "800000\n");
  write_file("mnt/system.slice/app.service/memory.max", "500000\n");
  write_file("mnt/system.slice/app.service/memory.high", "max\n");
  write_file("mnt/system.slice/app.service/memory.current", "300000\n");
  write_file("mnt/system.slice/app.service/worker/memory.max", "600000\n");
  write_file("mnt/system.slice/app.service/worker/memory.high", "max\n");
  write_file("mnt/system.slice/app.service/worker/memory.current", "100000\n");
  write_file("mnt/system.slice/app.service/worker/memory.events",
             "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
  tm__cgroup group = read_group();
  assert_int_equal(group.limit_bytes, 500000);
  assert_int_equal(group.current_bytes, 300000);
  assert_int_equal(group.high_bytes, 900000);
  assert_int_equal(group.low, 1);
  assert_int_equal(group.high, 2);
  assert_int_equal(group.max, 3);
  assert_int_equal(group.oom, 4);
  assert_int_equal(group.oom_kill, 5);
}

static void no_limit_is_unknown(void **state)
{
  (void)state;
  write_file("self", "0::/a\n");
  write_file("mnt/a/memory.max", "max\n");
  write_file("mnt/a/memory.current", "4096\n");
  tm__cgroup group = read_group();
  assert_true(group.limit_bytes == TM__CGROUP_UNKNOWN);
  assert_true(group.high_bytes == TM__CGROUP_UNKNOWN);
  assert_true(group.oom == TM__CGROUP_UNKNOWN);
  assert_int_equal(group.current_bytes, 4096);
}

/* A container without a namespace of its own sees a path that its mount does not have. */
static void foreign_path_falls_back_to_the_mount(void **state)
{
  (void)state;
  write_file("self", "0::/docker/0123456789abcdef\n");
  write_file("mnt/memory.max", "700000\n");
  write_file("mnt/memory.current", "1000\n");
  tm__cgroup group = read_group();
  assert_int_equal(group.limit_bytes, 700000);
  assert_int_equal(group.current_bytes, 1000);
}

static void version_1(void **state)
{
  (void)state;
  write_file("self", "12:cpu,cpuacct:/x\n5:memory:/user/app\n0::/\n");
  write_file("mnt/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write_file("mnt/memory/user/memory.limit_in_bytes", "400000\n");
  write_file("mnt/memory/user/memory.usage_in_bytes", "200000\n");
  write_file("mnt/memory/user/app/memory.limit_in_bytes", "9223372036854771712\n");
  write_file("mnt/memory/user/app/memory.usage_in_bytes", "150000\n");
  tm__cgroup group = read_group();
  assert_int_equal(group.limit_bytes, 400000);
  assert_int_equal(group.current_bytes, 200000);
}

static void nothing_there(void **state)
{
  tm__cgroup group;
  (void)state;
  tm__cgroup_read("no/such/file", "no/such/folder", &group);
  assert_true(group.limit_bytes == TM__CGROUP_UNKNOWN);
  assert_true(group.current_bytes == TM__CGROUP_UNKNOWN);
}

static void odd_files(void **state)
{
  (void)state;
  write_file("self", "garbage\n0::relative\n0::");
  write_file("mnt/memory.max", "");
  write_file("mnt/memory.current", "x\n");
  write_file("mnt/memory.events", "oom\nhigh x\nmax 7");
  tm__cgroup group = read_group();
  assert_true(group.limit_bytes == TM__CGROUP_UNKNOWN);
  assert_true(group.oom == TM__CGROUP_UNKNOWN);
  assert_true(group.high == TM__CGROUP_UNKNOWN);
  assert_int_equal(group.max, 7);
}

int main(void)
{
#define ON_A_TREE(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
  const struct CMUnitTest tests[] = {
      ON_A_TREE(tightest_ancestor_counts),
      ON_A_TREE(no_limit_is_unknown),
      ON_A_TREE(foreign_path_falls_back_to_the_mount),
      ON_A_TREE(version_1),
      cmocka_unit_test(nothing_there),
      ON_A_TREE(odd_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
