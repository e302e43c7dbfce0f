/* What a control group allows: the tightest ancestor, whatever the version. */
#define _GNU_SOURCE
#include "gc/allowance.h"
#include "support/check.h"
#include "support/tree.h"

#define MIB ((uint64_t)1 << 20)

static void say(const char *cgroup)
{
  tree_file("proc/self/cgroup", cgroup);
  tree_file("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n"
                                   "2 1 0:2 / /mem rw - cgroup cgroup rw,memory\n");
}

static tm__allowance read_it(void)
{
  tm__allowance allowance;
  assert_true(tm__allowance_read(tree, &allowance));
  return allowance;
}

static void the_tightest_ancestor_counts(void **state)
{
  (void)state;
  say("0::/a/b/c\n");
  tree_file("cg/a/memory.max", "400000000\n");
  tree_file("cg/a/memory.high", "max\n");
  tree_file("cg/a/b/memory.max", "300000000\n");
  tree_file("cg/a/b/memory.high", "250000000\n");
  tree_file("cg/a/b/c/memory.max", "max\n");
  tree_file("cg/a/b/c/memory.high", "260000000\n");
  tm__allowance a = read_it();
  assert_int_equal(a.version, 2);
  assert_int_equal(a.max_bytes, 300000000);
  assert_int_equal(a.high_bytes, 250000000);
  assert_string_equal(a.tightest.folder + strlen(tree), "/cg/a/b");
}

static void no_limit(void **state)
{
  (void)state;
  say("0::/a\n");
  tree_file("cg/a/memory.max", "max\n");
  tree_file("cg/memory.max", "garbage\n");
  tm__allowance a = read_it();
  assert_true(a.max_bytes == TM__NO_LIMIT && a.high_bytes == TM__NO_LIMIT);
  assert_string_equal(a.tightest.folder + strlen(tree), "/cg/a");
}

static void no_group(void **state)
{
  (void)state;
  tm__allowance a;
  assert_false(tm__allowance_read(tree, &a));
  say("5:cpu:/a\n");
  assert_false(tm__allowance_read(tree, &a));
}

static void version_1(void **state)
{
  (void)state;
  say("7:memory:/a/b\n0::/a/b\n");
  tree_file("cg/a/b/memory.max", "1000000\n"); /* a mixed set-up: this is not the controller */
  tree_file("mem/memory.limit_in_bytes", "9223372036854771712\n");
  tree_file("mem/a/memory.limit_in_bytes", "200000000\n");
  tree_file("mem/a/memory.soft_limit_in_bytes", "9223372036854771712\n");
  tree_file("mem/a/b/memory.limit_in_bytes", "300000000\n");
  tree_file("mem/a/b/memory.soft_limit_in_bytes", "150000000\n");
  tm__allowance a = read_it();
  assert_int_equal(a.version, 1);
  assert_int_equal(a.max_bytes, 200000000);
  assert_int_equal(a.high_bytes, 150000000);
  assert_string_equal(a.tightest.folder + strlen(tree), "/mem/a");
}

static void version_1_without_hierarchy(void **state)
{
  (void)state;
  say("7:memory:/a/b\n");
  tree_file("mem/a/memory.limit_in_bytes", "200000000\n");
  tree_file("mem/a/b/memory.limit_in_bytes", "300000000\n");
  tree_file("mem/a/b/memory.use_hierarchy", "0\n");
  assert_int_equal(read_it().max_bytes, 300000000);
  tree_file("mem/a/b/memory.use_hierarchy", "1\n");
  assert_int_equal(read_it().max_bytes, 200000000);
}

/* The kernel knows ancestors that a container does not see. */
static void version_1_out_of_sight(void **state)
{
  (void)state;
  say("7:memory:/a\n");
  tree_file("mem/a/memory.limit_in_bytes", "9223372036854771712\n");
  tree_file("mem/a/memory.stat", "cache 1\nrss 2\nhierarchical_memory_limit 100000000\n");
  assert_int_equal(read_it().max_bytes, 100000000);
  tree_file("mem/a/memory.stat", "hierarchical_memory_limit 9223372036854771712\n");
  assert_true(read_it().max_bytes == TM__NO_LIMIT);
}

static void limits_of(uint64_t max, uint64_t high, uint64_t soft, uint64_t hard)
{
  tm__allowance a = {.max_bytes = max, .high_bytes = high};
  uint64_t got_soft, got_hard;
  tm__allowance_limits(&a, 75, 90, &got_soft, &got_hard);
  assert_int_equal(got_soft, soft);
  assert_int_equal(got_hard, hard);
}

static void limits(void **state)
{
  (void)state;
  const uint64_t none = TM__NO_LIMIT;
  limits_of(none, none, 0, 0);
  limits_of(1000 * MIB, none, 750 * MIB, 900 * MIB);
  limits_of(1000 * MIB, 600 * MIB, 600 * MIB, 900 * MIB);
  limits_of(1000 * MIB, 800 * MIB, 750 * MIB, 900 * MIB);
  limits_of(none, 600 * MIB, 600 * MIB, 0);
  limits_of(100 * MIB + 99, none, 75 * MIB + 74, 90 * MIB + 89);
  limits_of(0, none, MIB, MIB); /* no program starts in less: it would only fail */
  limits_of(none, 0, MIB, 0);
  limits_of(((uint64_t)1 << 62) - 1, none, 3458764513820540927u, 4150517416584649112u);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      tree_test(the_tightest_ancestor_counts),
      tree_test(no_limit),
      tree_test(no_group),
      tree_test(version_1),
      tree_test(version_1_without_hierarchy),
      tree_test(version_1_out_of_sight),
      cmocka_unit_test(limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
