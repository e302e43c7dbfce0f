/* Limits from the control group: beside those that were set, never above them. */
#define _GNU_SOURCE
#include <sys/wait.h>

#include <tidemark/pressure.h>
#include <tidemark/stats.h>

#include "support/check.h"
#include "support/clock.h"
#include "support/tree.h"

#define MIB ((int64_t)1 << 20)

static void group_max(const char *max, const char *high)
{
  tree_file("proc/self/cgroup", "0::/a/b\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n");
  tree_file("cg/a/memory.max", max);
  tree_file("cg/a/b/memory.high", high);
}

static tm_heap *fresh(void)
{
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  return heap;
}

static tm_limits_options options(void)
{
  tm_limits_options o;
  tm_limits_options_init(&o);
  o.root = tree;
  return o;
}

static tm_limits *attach(tm_heap *heap)
{
  tm_limits_options o = options();
  tm_limits *limits;
  assert_int_equal(tm_limits_from_environment(heap, &o, &limits), 0);
  assert_non_null(limits);
  return limits;
}

static void in_force(const tm_heap *heap, int64_t soft, int64_t hard)
{
  assert_int_equal(tm_limit_get(heap, TM_SOFT), soft);
  assert_int_equal(tm_limit_get(heap, TM_HARD), hard);
}

static void defaults(void **state)
{
  (void)state;
  tm_limits_options o;
  tm_limits_options_init(&o);
  assert_int_equal(o.size, sizeof o);
  assert_string_equal(o.root, "");
  assert_int_equal(o.hard_percent, 90);
  assert_int_equal(o.soft_percent, 75);
  assert_int_equal(o.interval_ms, 10000);
}

static void they_come_and_go(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  group_max("104857600\n", "max\n");
  tm_limits *limits = attach(heap);
  in_force(heap, 75 * MIB, 90 * MIB);
  group_max("104857600\n", "52428800\n");
  assert_int_equal(tm_limits_refresh(limits), 1);
  in_force(heap, 50 * MIB, 90 * MIB);
  assert_int_equal(tm_limits_refresh(limits), 0);
  group_max("max\n", "max\n");
  assert_int_equal(tm_limits_refresh(limits), 1);
  in_force(heap, 0, 0);
  group_max("209715200\n", "max\n");
  assert_int_equal(tm_limits_refresh(limits), 1);
  in_force(heap, 150 * MIB, 180 * MIB);
  assert_int_equal(tm_limits_close(limits), 0);
  in_force(heap, 0, 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void what_was_set_is_never_loosened(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  assert_int_equal(tm_limit_set(heap, TM_HARD, 60 * MIB), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 40 * MIB), 0);
  group_max("104857600\n", "max\n");
  tm_limits *limits = attach(heap);
  in_force(heap, 40 * MIB, 60 * MIB);
  group_max("52428800\n", "max\n"); /* tighter than what was set */
  assert_int_equal(tm_limits_refresh(limits), 1);
  in_force(heap, 39321600, 45 * MIB);
  group_max("max\n", "max\n"); /* and what was set is back */
  assert_int_equal(tm_limits_refresh(limits), 1);
  in_force(heap, 40 * MIB, 60 * MIB);
  assert_int_equal(tm_limits_close(limits), 0);
  in_force(heap, 40 * MIB, 60 * MIB);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void setting_while_they_hold(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  group_max("104857600\n", "max\n");
  tm_limits *limits = attach(heap);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 50 * MIB), 0); /* soft follows what is in force */
  in_force(heap, 50 * MIB, 50 * MIB);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 500 * MIB), 0);
  in_force(heap, 75 * MIB, 90 * MIB); /* asked for more than the group allows */
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 200 * MIB), 0);
  in_force(heap, 75 * MIB, 90 * MIB);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 501 * MIB), TM_EINVAL);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 10 * MIB), 0);
  in_force(heap, 10 * MIB, 90 * MIB);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 0), 0);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
  in_force(heap, 75 * MIB, 90 * MIB); /* removing one's own does not remove the group's */
  assert_int_equal(tm_limits_close(limits), 0);
  in_force(heap, 0, 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void the_hard_limit_holds(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  group_max("20971520\n", "max\n");
  tm_limits *limits = attach(heap);
  void *fits = tm_malloc(heap, TM_OBJ, 17 * (size_t)MIB);
  assert_non_null(fits);
  assert_null(tm_malloc(heap, TM_OBJ, 2 * (size_t)MIB));
  group_max("41943040\n", "max\n");
  assert_int_equal(tm_limits_refresh(limits), 1);
  void *more = tm_malloc(heap, TM_OBJ, 2 * (size_t)MIB);
  assert_non_null(more);
  tm_free(heap, TM_OBJ, more);
  tm_free(heap, TM_OBJ, fits);
  assert_int_equal(tm_limits_close(limits), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void a_poll_looks_once_per_interval(void **state)
{
  (void)state;
  test_clock clock;
  tm_limits_found found;
  tm_heap *heap = fresh();
  group_max("104857600\n", "max\n");
  test_clock_start(&clock);
  tm_limits *limits = attach(heap);
  group_max("52428800\n", "max\n");
  test_clock_move_ms(&clock, 9999);
  assert_int_equal(tm_limits_poll(limits), 0);
  in_force(heap, 75 * MIB, 90 * MIB);
  test_clock_move_ms(&clock, 1);
  assert_int_equal(tm_limits_poll(limits), 1);
  in_force(heap, 39321600, 45 * MIB);
  assert_int_equal(tm_limits_poll(limits), 0);
  assert_int_equal(tm_limits_read(limits, &found), 0);
  assert_int_equal(found.looks_total, 2);
  assert_int_equal(found.changes_total, 2);
  assert_int_equal(found.version, 2);
  assert_int_equal(found.max_bytes, 50 * MIB);
  assert_int_equal(found.high_bytes, 0);
  assert_int_equal(found.soft_bytes, 39321600);
  assert_int_equal(found.hard_bytes, 45 * MIB);
  assert_int_equal(tm_limits_close(limits), 0);
  test_clock_stop();
  assert_int_equal(tm_heap_close(heap), 0);
}

static void log_and_stats_say_where_they_come_from(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  tm_stats stats;
  tm_record record;
  uint64_t cursor = 0;
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 10 * MIB), 0);
  group_max("104857600\n", "max\n");
  tm_limits *limits = attach(heap);
  do
    assert_int_equal(tm_log_read(heap, &cursor, &record), 1);
  while (record.verdict != TM_LIMITS_CHANGED);
  assert_int_equal(record.environment, 1u << TM_HARD); /* the soft one was set */
  assert_int_equal(record.soft_limit_bytes, 10 * MIB);
  assert_int_equal(record.hard_limit_bytes, 90 * MIB);
  tm_stats_init(&stats);
  assert_int_equal(tm_stats_read(heap, &stats), 0);
  assert_int_equal(stats.soft_limit_bytes, 10 * MIB);
  assert_int_equal(stats.environment_soft_bytes, 75 * MIB);
  assert_int_equal(stats.hard_limit_bytes, 90 * MIB);
  assert_int_equal(stats.environment_hard_bytes, 90 * MIB);
  assert_int_equal(tm_limits_close(limits), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void bad_arguments(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  tm_limits *limits, *second;
  tm_limits_found found;
  tm_limits_options o = options();
  assert_int_equal(tm_limits_from_environment(heap, &o, &limits), TM_ENOTSUP);
  assert_null(limits);
  group_max("104857600\n", "max\n");
  assert_int_equal(tm_limits_from_environment(NULL, &o, &limits), TM_EINVAL);
  assert_int_equal(tm_limits_from_environment(heap, &o, NULL), TM_EINVAL);
#define BAD(field, value)                                                                          \
  do {                                                                                             \
    o = options();                                                                                 \
    o.field = value;                                                                               \
    assert_int_equal(tm_limits_from_environment(heap, &o, &limits), TM_EINVAL);                    \
  } while (0)
  BAD(size, 0);
  BAD(size, sizeof o + 1);
  BAD(root, NULL);
  BAD(hard_percent, 0);
  BAD(hard_percent, 101);
  BAD(soft_percent, 91);
  BAD(soft_percent, 0);
  BAD(interval_ms, 99);
  BAD(interval_ms, 3600001);
  in_force(heap, 0, 0);
  limits = attach(heap);
  o = options();
  assert_int_equal(tm_limits_from_environment(heap, &o, &second), TM_EBUSY);
  assert_null(second);
  assert_int_equal(tm_limits_close(limits), 0);
  limits = attach(heap);
  assert_int_equal(tm_limits_read(limits, NULL), TM_EINVAL);
  assert_int_equal(tm_limits_read(NULL, &found), TM_EINVAL);
  assert_int_equal(tm_limits_poll(NULL), TM_EINVAL);
  assert_int_equal(tm_limits_refresh(NULL), TM_EINVAL);
  assert_int_equal(tm_limits_close(NULL), TM_EINVAL);
  assert_int_equal(tm_limits_close(limits), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void no_memory_for_it(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  tm_limits *limits;
  tm_limits_options o = options();
  group_max("104857600\n", "max\n");
  tm__os_fault(1, false);
  assert_int_equal(tm_limits_from_environment(heap, &o, &limits), TM_ENOMEM);
  tm__os_fault(0, false);
  assert_null(limits);
  in_force(heap, 0, 0);
  assert_int_equal(tm_limits_close(attach(heap)), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void a_group_out_of_sight_leaves_them(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  group_max("104857600\n", "max\n");
  tm_limits *limits = attach(heap);
  tree_file("proc/self/cgroup", "");
  assert_int_equal(tm_limits_refresh(limits), 0);
  in_force(heap, 75 * MIB, 90 * MIB);
  assert_int_equal(tm_limits_close(limits), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void they_go_on_in_a_forked_child(void **state)
{
  (void)state;
  tm_heap *heap = fresh();
  group_max("104857600\n", "max\n");
  tm_limits *limits = attach(heap);
  group_max("209715200\n", "max\n");
  pid_t child = fork();
  if (child == 0) {
    bool ok = tm_limit_get(heap, TM_HARD) == 90 * MIB && tm_limits_refresh(limits) == 1 &&
              tm_limit_get(heap, TM_HARD) == 180 * MIB;
    _exit(ok ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  in_force(heap, 75 * MIB, 90 * MIB);
  assert_int_equal(tm_limits_close(limits), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),
      tree_test(they_come_and_go),
      tree_test(what_was_set_is_never_loosened),
      tree_test(setting_while_they_hold),
      tree_test(the_hard_limit_holds),
      tree_test(a_poll_looks_once_per_interval),
      tree_test(log_and_stats_say_where_they_come_from),
      tree_test(bad_arguments),
      tree_test(no_memory_for_it),
      tree_test(a_group_out_of_sight_leaves_them),
      tree_test(they_go_on_in_a_forked_child),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
