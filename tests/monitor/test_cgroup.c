/* Limits of control groups, on trees of files that the test makes. */
#define _GNU_SOURCE
#include "monitor/cgroup.h"
#include "support/check.h"
#include "support/tree.h"

static void say(const char *cgroup)
{
  tree_file("proc/self/cgroup", cgroup);
  tree_file("proc/self/mountinfo", "1 1 0:1 / /mnt rw - cgroup2 cgroup2 rw\n"
                                   "2 1 0:2 / /mnt/memory rw - cgroup cgroup rw,memory\n");
}

static tm__cgroup read_group(void)
{
  tm__cgroup group;
  tm__cgroup_read(tree, &group);
  return group;
}

static void tightest_ancestor_counts(void **state)
{
  (void)state;
  say("0::/system.slice/app.service/worker\n");
  tree_file("mnt/system.slice/memory.max", "max\n");
  tree_file("mnt/system.slice/memory.high", "900000\n");
  tree_file("mnt/system.slice/memory.current", "800000\n");
  tree_file("mnt/system.slice/app.service/memory.max", "500000\n");
  tree_file("mnt/system.slice/app.service/memory.high", "max\n");
  tree_file("mnt/system.slice/app.service/memory.current", "300000\n");
  tree_file("mnt/system.slice/app.service/worker/memory.max", "600000\n");
  tree_file("mnt/system.slice/app.service/worker/memory.high", "max\n");
  tree_file("mnt/system.slice/app.service/worker/memory.current", "100000\n");
  tree_file("mnt/system.slice/app.service/worker/memory.events",
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
  say("0::/a\n");
  tree_file("mnt/a/memory.max", "max\n");
  tree_file("mnt/a/memory.current", "4096\n");
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
  say("0::/docker/0123456789abcdef\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 /docker/0123456789abcdef /mnt ro - cgroup2 c rw\n");
  tree_file("mnt/memory.max", "700000\n");
  tree_file("mnt/memory.current", "1000\n");
  tm__cgroup group = read_group();
  assert_int_equal(group.limit_bytes, 700000);
  assert_int_equal(group.current_bytes, 1000);
}

static void version_1(void **state)
{
  (void)state;
  say("12:cpu,cpuacct:/x\n5:memory:/user/app\n0::/\n");
  tree_file("mnt/memory/memory.limit_in_bytes", "9223372036854771712\n");
  tree_file("mnt/memory/user/memory.limit_in_bytes", "400000\n");
  tree_file("mnt/memory/user/memory.usage_in_bytes", "200000\n");
  tree_file("mnt/memory/user/app/memory.limit_in_bytes", "9223372036854771712\n");
  tree_file("mnt/memory/user/app/memory.usage_in_bytes", "150000\n");
  tree_file("mnt/memory/user/app/memory.soft_limit_in_bytes", "1000\n");
  tm__cgroup group = read_group();
  assert_int_equal(group.limit_bytes, 400000);
  assert_int_equal(group.current_bytes, 200000);
  assert_true(group.high_bytes == TM__CGROUP_UNKNOWN); /* a soft limit throttles nobody */
}

/* Not every machine mounts it at /sys/fs/cgroup. */
static void the_mount_is_looked_up(void **state)
{
  (void)state;
  say("0::/a\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 / /elsewhere rw - cgroup2 cgroup2 rw\n");
  tree_file("sys/fs/cgroup/a/memory.max", "1\n");
  tree_file("elsewhere/a/memory.max", "500000\n");
  assert_int_equal(read_group().limit_bytes, 500000);
}

/* The controller is not handed down to our own group: its files begin one level up. */
static void a_group_that_does_not_count(void **state)
{
  (void)state;
  say("0::/a/b\n");
  tree_file("mnt/a/b/cgroup.procs", "");
  tree_file("mnt/a/memory.current", "5000\n");
  assert_int_equal(read_group().current_bytes, 5000);
}

static void nothing_there(void **state)
{
  tm__cgroup group;
  (void)state;
  tm__cgroup_read("no/such/folder", &group);
  assert_true(group.limit_bytes == TM__CGROUP_UNKNOWN);
  assert_true(group.current_bytes == TM__CGROUP_UNKNOWN);
}

static void odd_files(void **state)
{
  (void)state;
  say("garbage\n0::relative\n0::\n0::/");
  tree_file("mnt/memory.max", "");
  tree_file("mnt/memory.current", "x\n");
  tree_file("mnt/memory.events", "oom\nhigh x\nmax 7");
  tm__cgroup group = read_group();
  assert_true(group.limit_bytes == TM__CGROUP_UNKNOWN);
  assert_true(group.oom == TM__CGROUP_UNKNOWN);
  assert_true(group.high == TM__CGROUP_UNKNOWN);
  assert_int_equal(group.max, 7);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      tree_test(tightest_ancestor_counts),
      tree_test(no_limit_is_unknown),
      tree_test(foreign_path_falls_back_to_the_mount),
      tree_test(version_1),
      tree_test(the_mount_is_looked_up),
      tree_test(a_group_that_does_not_count),
      cmocka_unit_test(nothing_there),
      tree_test(odd_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
