/* test_memory.c - the tightest memory limit, read from a made-up /proc and /sys. */
#define _GNU_SOURCE
#include <tidemark/version.h>

#include "gc/memory.h"
#include "support/check.h"
#include "support/tree.h"

/* The machine, our groups, and where both versions are mounted. */
static void say(const char *meminfo, const char *cgroup)
{
  tree_file("proc/meminfo", meminfo);
  tree_file("proc/self/cgroup", cgroup);
  tree_file("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n"
                                   "2 1 0:2 / /mem rw - cgroup cgroup rw,hugetlb,memory\n");
}

static void nothing_known_is_zero(void **state)
{
  (void)state;
  assert_int_equal(tm__memory_whole(tree), 0);
}

static void the_machine_alone(void **state)
{
  (void)state;
  say("MemTotal:       8000000 kB\nMemFree:         100 kB\n", "0::/\n");
  assert_int_equal(tm__memory_whole(tree), 8000000u * 1024ull);
}

static void a_limit_above_the_machine(void **state)
{
  (void)state;
  say("MemTotal:       1000 kB\n", "0::/a\n");
  tree_file("cg/a/memory.max", "500000000\n");
  assert_int_equal(tm__memory_whole(tree), 1000u * 1024ull);
}

static void version_2_takes_the_tightest_ancestor(void **state)
{
  (void)state;
  say("MemTotal:       8000000 kB\n", "0::/a/b/c\n");
  tree_file("cg/a/memory.max", "500000000\n");
  tree_file("cg/a/b/memory.max", "max\n");
  tree_file("cg/a/b/c/memory.max", "600000000\n");
  assert_int_equal(tm__memory_whole(tree), 500000000);
}

static void version_2_inside_a_container_that_sees_the_hosts_path(void **state)
{
  (void)state;
  say("", "0::/docker/0123\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 /docker/0123 /cg ro - cgroup2 cgroup2 rw\n");
  tree_file("cg/memory.max", "300000000\n");
  assert_int_equal(tm__memory_whole(tree), 300000000);
}

static void version_1_finds_the_memory_controller(void **state)
{
  (void)state;
  say("MemTotal:       8000000 kB\n",
      "5:cpu,cpuacct:/x\n4:hugetlb,memory:/x/y\n2:mymemory:/z\n0::/\n");
  tree_file("mem/memory.limit_in_bytes", "9223372036854771712\n");
  tree_file("mem/x/y/memory.limit_in_bytes", "700000000\n");
  tree_file("mem/z/memory.limit_in_bytes", "1\n");
  assert_int_equal(tm__memory_whole(tree), 700000000);
}

static void lines_without_sense_are_passed_over(void **state)
{
  (void)state;
  say("MemTotal:       1000 kB\n", "\nnonsense\n1:\n:::\n0::/a\n");
  tree_file("cg/a/memory.max", "4096\n");
  assert_int_equal(tm__memory_whole(tree), 4096);
}

static void the_real_one_is_some_memory(void **state)
{
  (void)state;
  assert_true(tm__memory_whole("") > 1u << 20);
}

static void limits_as_people_write_them(void **state)
{
  (void)state;
  uint64_t bytes = 7;
  assert_int_equal(tm__limit_parse("33.333%", 3000000, &bytes), TM_OK);
  assert_int_equal(bytes, 999990);
  assert_int_equal(tm__limit_parse("50%", (uint64_t)1 << 62, &bytes), TM_OK);
  assert_int_equal(bytes, (uint64_t)1 << 61);
  assert_int_equal(tm__limit_parse("64K", 0, &bytes), TM_OK);
  assert_int_equal(bytes, 65536);
  assert_int_equal(tm__limit_parse("8E", 0, &bytes), TM_ERANGE);
  assert_int_equal(tm__limit_parse("", 0, &bytes), TM_EINVAL);
  assert_int_equal(tm__limit_parse("+1%", 100, &bytes), TM_EINVAL);
  assert_int_equal(bytes, 65536);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      tree_test(nothing_known_is_zero),
      tree_test(the_machine_alone),
      tree_test(a_limit_above_the_machine),
      tree_test(version_2_takes_the_tightest_ancestor),
      tree_test(version_2_inside_a_container_that_sees_the_hosts_path),
      tree_test(version_1_finds_the_memory_controller),
      tree_test(lines_without_sense_are_passed_over),
      cmocka_unit_test(the_real_one_is_some_memory),
      cmocka_unit_test(limits_as_people_write_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
