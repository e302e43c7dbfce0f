/* test_memory.c - the tightest memory limit, read from a made-up /proc and /sys. */
#define _GNU_SOURCE
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <tidemark/version.h>

#include "cli/memory.h"

static char root[] = "/tmp/tidemark-memory-XXXXXX";

/* Writes root + path, making its directories. */
static void write_file(const char *path, const char *text)
{
  char name[PATH_MAX];
  (void)snprintf(name, sizeof name, "%s%s", root, path);
  for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
    *slash = 0;
    (void)mkdir(name, 0700);
    *slash = '/';
  }
  FILE *file = fopen(name, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static int clean(void **state)
{
  (void)state;
  char command[PATH_MAX];
  (void)snprintf(command, sizeof command, "rm -rf %s/proc %s/sys", root, root);
  return system(command);
}

static int set_up(void **state)
{
  (void)state;
  return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)clean(state);
  return remove(root);
}

static void nothing_known_is_zero(void **state)
{
  (void)state;
  assert_int_equal(tm__memory_whole(root), 0);
}

static void the_machine_alone(void **state)
{
  (void)state;
  write_file("/proc/meminfo", "MemTotal:       8000000 kB\nMemFree:         100 kB\n");
  write_file("/proc/self/cgroup", "0::/\n");
  assert_int_equal(tm__memory_whole(root), 8000000u * 1024ull);
}

static void version_2_takes_the_tightest_ancestor(void **state)
{
  (void)state;
  write_file("/proc/meminfo", "MemTotal:       8000000 kB\n");
  write_file("/proc/self/cgroup", "0::/a/b/c\n");
  write_file("/sys/fs/cgroup/a/memory.max", "500000000\n");
  write_file("/sys/fs/cgroup/a/b/memory.max", "max\n");
  write_file("/sys/fs/cgroup/a/b/c/memory.max", "600000000\n");
  assert_int_equal(tm__memory_whole(root), 500000000);
}

static void version_2_inside_a_container_that_sees_the_hosts_path(void **state)
{
  (void)state;
  write_file("/proc/self/cgroup", "0::/docker/0123\n");
  write_file("/sys/fs/cgroup/memory.max", "300000000\n");
  assert_int_equal(tm__memory_whole(root), 300000000);
}

static void version_1_finds_the_memory_controller(void **state)
{
  (void)state;
  write_file("/proc/meminfo", "MemTotal:       8000000 kB\n");
  write_file("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:hugetlb,memory:/x/y\n2:mymemory:/z\n0::/\n");
  write_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write_file("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "700000000\n");
  write_file("/sys/fs/cgroup/memory/z/memory.limit_in_bytes", "1\n");
  assert_int_equal(tm__memory_whole(root), 700000000);
}

static void lines_without_sense_are_passed_over(void **state)
{
  (void)state;
  write_file("/proc/meminfo", "MemTotal:       1000 kB\n");
  write_file("/proc/self/cgroup", "\nnonsense\n1:\n:::\n0::/a\n");
  write_file("/sys/fs/cgroup/a/memory.max", "4096\n");
  assert_int_equal(tm__memory_whole(root), 4096);
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
      cmocka_unit_test_teardown(nothing_known_is_zero, clean),
      cmocka_unit_test_teardown(the_machine_alone, clean),
      cmocka_unit_test_teardown(version_2_takes_the_tightest_ancestor, clean),
      cmocka_unit_test_teardown(version_2_inside_a_container_that_sees_the_hosts_path, clean),
      cmocka_unit_test_teardown(version_1_finds_the_memory_controller, clean),
      cmocka_unit_test_teardown(lines_without_sense_are_passed_over, clean),
      cmocka_unit_test(the_real_one_is_some_memory),
      cmocka_unit_test(limits_as_people_write_them),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
