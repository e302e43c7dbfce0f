/* Events of control groups: fabricated files, and the kernel's own where root may make a group. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>

#include "gc/pressure.h"
#include "support/check.h"
#include "support/memory_group.h"
#include "support/tree.h"

enum { PATIENCE_MS = 10000 };
#define MIB ((size_t)1 << 20)

static char why[256];

static int try_open(tm_watch_kind kind, tm_pressure_watch **watch)
{
  tm_pressure_options options;
  tm_pressure_options_init(&options);
  options.root = tree;
  return tm_pressure_open(kind, &options, watch, why, sizeof why);
}

static bool is_ready(const tm_pressure_watch *watch, int ms)
{
  struct pollfd p = {tm_pressure_fd(watch), (short)tm_pressure_events(watch), 0};
  return poll(&p, 1, ms) == 1;
}

/* ---- Version 2 ------------------------------------------------------------------------------ */

static void new_events(void **state)
{
  (void)state;
  static const tm__memcg_counts before = {1, 2, 3, 4};
  static const struct {
    tm__memcg_counts now;
    tm_pressure level;
  } rows[] = {{{1, 2, 3, 4}, TM_PRESSURE_NONE},     {{2, 2, 3, 4}, TM_PRESSURE_LOW},
              {{1, 3, 3, 4}, TM_PRESSURE_LOW},      {{1, 9, 4, 4}, TM_PRESSURE_MEDIUM},
              {{9, 9, 9, 5}, TM_PRESSURE_CRITICAL}, {{0, 0, 0, 0}, TM_PRESSURE_NONE}};
  for (size_t i = 0; i < TM_ARRAY_LEN(rows); i++)
    assert_int_equal(tm__events_level(&before, &rows[i].now), rows[i].level);
}

static void version_2_tree(void)
{
  tree_file("proc/self/cgroup", "0::/a/b\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 c rw\n");
  tree_file("cg/a/memory.max", "100000000\n");
  tree_file("cg/a/b/memory.max", "max\n");
  tree_file("cg/a/b/memory.events", "low 7\n");
}

static void the_events_of_the_tightest_ancestor(void **state)
{
  (void)state;
  tm_pressure_watch *watch;
  version_2_tree();
  tree_file("cg/a/memory.events", "low 0\nhigh 5\nmax 3\noom 0\noom_kill 0\n");
  assert_int_equal(try_open(TM_WATCH_EVENTS, &watch), 0);
  assert_int_equal(tm_pressure_events(watch), POLLPRI);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE); /* what was before is no news */
  tree_file("cg/a/memory.events", "low 0\nhigh 6\nmax 3\noom 0\noom_kill 0\n");
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_LOW);
  tree_file("cg/a/memory.events", "low 0\nhigh 6\nmax 4\noom 0\noom_kill 0\noom_group_kill 0\n");
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  tree_file("cg/a/memory.events", "low 0\nhigh 6\nmax 4\noom 0\noom_kill 1\n");
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_CRITICAL);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  tm_pressure_close(watch);
}

static void hostile_events(void **state)
{
  (void)state;
  static char noise[20000];
  tm_pressure_watch *watch;
  version_2_tree();
  tree_file("cg/a/memory.events", "");
  assert_int_equal(try_open(TM_WATCH_EVENTS, &watch), 0);
  memset(noise, '9', sizeof noise);
  memcpy(noise, "max ", 4);
  tree_bytes("cg/a/memory.events", noise, sizeof noise);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  memset(noise, 0, sizeof noise);
  tree_bytes("cg/a/memory.events", noise, sizeof noise);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  tm_pressure_close(watch);
}

static void not_there(void **state)
{
  (void)state;
  tm_pressure_watch *watch;
  int before = count_open_fds();
  static const tm_watch_kind kinds[] = {TM_WATCH_EVENTS, TM_WATCH_LEVEL, TM_WATCH_USAGE};
  for (size_t i = 0; i < TM_ARRAY_LEN(kinds); i++) {
    assert_int_equal(try_open(kinds[i], &watch), TM_ENOTSUP);
    assert_non_null(strstr(why, "no control group of memory of version"));
  }
  version_2_tree();
  assert_int_equal(try_open(TM_WATCH_EVENTS, &watch), TM_ENOTSUP);
  assert_non_null(strstr(why, "/cg/a/memory.events: "));
  tree_file("proc/self/cgroup", "3:memory:/a\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup c rw,memory\n");
  assert_int_equal(try_open(TM_WATCH_LEVEL, &watch), TM_ENOTSUP);
  assert_non_null(strstr(why, "memory.pressure_level cannot be watched"));
  assert_int_equal(try_open(TM_WATCH_USAGE, &watch), TM_ENOTSUP);
  assert_non_null(strstr(why, "no group in sight has a limit"));
  tree_file("cg/a/memory.limit_in_bytes", "1000000\n");
  assert_int_equal(try_open(TM_WATCH_USAGE, &watch), TM_ENOTSUP);
  assert_non_null(strstr(why, "memory.usage_in_bytes cannot be watched"));
  assert_int_equal(count_open_fds(), before);
}

/* How poll and the kernel's event files get on: cgroup.events is of the same kind as memory.events,
 * and it is there without the memory controller. */
static void the_kernels_event_files(void **state)
{
  (void)state;
  tm__memcg own;
  char folder[TM__MEMCG_PATH + 64], from[TM__MEMCG_PATH + 96], to[512];
  tm_pressure_watch *watch;
  if (!tm__memcg_find("", 2, &own)) {
    print_message("SKIP: version 2 is not mounted\n");
    skip();
  }
  snprintf(folder, sizeof folder, "%.*s/tidemark-test-%d", (int)own.top, own.folder, (int)getpid());
  if (mkdir(folder, 0700) != 0) {
    print_message("SKIP: no group can be made: %s\n", strerror(errno));
    skip();
  }
  version_2_tree();
  snprintf(from, sizeof from, "%s/cgroup.events", folder);
  tree_path("cg/a/memory.events", to, sizeof to);
  assert_int_equal(symlink(from, to), 0);
  assert_int_equal(try_open(TM_WATCH_EVENTS, &watch), 0);
  bool calm = !is_ready(watch, 0), told = true, taken = true;
  strcpy(memory_group, folder);
  for (int i = 0; i < 2 && told && taken; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(memory_group_enter(folder) ? 0 : 1);
    told = is_ready(watch, PATIENCE_MS);
    (void)waitpid(child, NULL, 0);
    told = told && is_ready(watch, PATIENCE_MS) && tm_pressure_read(watch) == TM_PRESSURE_NONE;
    while (is_ready(watch, 50)) /* it came and it went: one or two events */
      taken = taken && tm_pressure_read(watch) == TM_PRESSURE_NONE;
  }
  memory_group_remove();
  int gone = tm_pressure_read(watch);
  tm_pressure_close(watch);
  assert_true(calm);
  assert_true(told);
  assert_true(taken);
  assert_int_equal(gone, TM_EIO); /* the group is gone */
}

/* ---- Version 1, the kernel's own ------------------------------------------------------------ */

static void usage_levels(void **state)
{
  (void)state;
  assert_int_equal(tm__usage_level(0, 1000), TM_PRESSURE_NONE);
  assert_int_equal(tm__usage_level(799, 1000), TM_PRESSURE_NONE);
  assert_int_equal(tm__usage_level(800, 1000), TM_PRESSURE_LOW);
  assert_int_equal(tm__usage_level(900, 1000), TM_PRESSURE_MEDIUM);
  assert_int_equal(tm__usage_level(950, 1000), TM_PRESSURE_CRITICAL);
  assert_int_equal(tm__usage_level(2000, 1000), TM_PRESSURE_CRITICAL);
  assert_int_equal(tm__usage_level(1, (uint64_t)1 << 61), TM_PRESSURE_NONE);
}

static void touch(size_t bytes)
{
  char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(p != MAP_FAILED);
  (void)madvise(p, bytes, MADV_NOHUGEPAGE);
  memset(p, 1, bytes);
}

static uint64_t usage(void)
{
  tm__memcg group = {.version = 1};
  strcpy(group.folder, memory_group);
  return tm__memcg_number(&group, "memory.usage_in_bytes");
}

static void fill_up(void *ctx)
{
  (void)ctx;
  tm_pressure_watch *watch;
  must(tm_pressure_open(TM_WATCH_USAGE, NULL, &watch, why, sizeof why) == 0);
  must(tm_pressure_events(watch) == POLLIN);
  must(!is_ready(watch, 0));
  touch(85 * MIB - usage());
  must(is_ready(watch, PATIENCE_MS));
  must_equal(tm_pressure_read(watch), TM_PRESSURE_LOW);
  must(!is_ready(watch, 0));
  touch(92 * MIB - usage());
  must(is_ready(watch, PATIENCE_MS));
  must_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  must(memory_group_write(memory_group, "memory.limit_in_bytes", "209715200"));
  touch(110 * MIB - usage()); /* beyond the last of the old thresholds: nothing that matters */
  must(is_ready(watch, PATIENCE_MS));
  must_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  must(!is_ready(watch, 0));
  touch(165 * MIB - usage()); /* the first of the new ones */
  must(is_ready(watch, PATIENCE_MS));
  must_equal(tm_pressure_read(watch), TM_PRESSURE_LOW);
  tm_pressure_close(watch);
}

static void thresholds_of_usage(void **state)
{
  (void)state;
  if (TEST_SANITIZED) {
    print_message("SKIP: a sanitizer's own memory would be in the group\n");
    skip();
  }
  if (!memory_group_make("104857600"))
    skip();
  int status = memory_group_run(fill_up, NULL);
  memory_group_remove();
  assert_int_equal(status, 0);
}

static void press(void *ctx)
{
  (void)ctx;
  tm_pressure_watch *watch;
  must(tm_pressure_open(TM_WATCH_LEVEL, NULL, &watch, why, sizeof why) == 0);
  must(tm_pressure_events(watch) == POLLIN);
  must(!is_ready(watch, 0));
  must(tm_pressure_read(watch) == TM_PRESSURE_NONE);
  int hole = memory_group_hole();
  bool told = false;
  for (int i = 0; i < 50 && !told; i++) {
    memory_group_press(hole);
    told = is_ready(watch, 100);
  }
  must(told);
  int level = tm_pressure_read(watch);
  must(level >= TM_PRESSURE_LOW && level <= TM_PRESSURE_CRITICAL);
  while (is_ready(watch, 100)) /* late ones: each is taken */
    must(tm_pressure_read(watch) > TM_PRESSURE_NONE);
  tm_pressure_close(watch);
}

static void levels_of_pressure(void **state)
{
  (void)state;
  if (!memory_group_make("67108864"))
    skip();
  int status = memory_group_run(press, NULL);
  memory_group_remove();
  assert_int_equal(status, 0);
}

static void leave_and_remove(void *ctx)
{
  const char *before = ctx;
  tm_pressure_watch *level, *used;
  must(tm_pressure_open(TM_WATCH_LEVEL, NULL, &level, why, sizeof why) == 0);
  must(tm_pressure_open(TM_WATCH_USAGE, NULL, &used, why, sizeof why) == 0);
  must(memory_group_enter(before));
  memory_group_remove();
  must(is_ready(level, PATIENCE_MS) && is_ready(used, PATIENCE_MS));
  must(tm_pressure_read(level) == TM_EIO && tm_pressure_read(used) == TM_EIO);
  must(strstr(tm_pressure_error(level), "the control group is gone") != NULL);
  tm_pressure_close(level);
  tm_pressure_close(used);
}

static void a_group_that_is_removed(void **state)
{
  (void)state;
  tm__memcg own;
  if (!memory_group_make("104857600"))
    skip();
  assert_true(tm__memcg_find("", 1, &own));
  int status = memory_group_run(leave_and_remove, own.folder);
  memory_group_remove();
  assert_int_equal(status, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(new_events),
      tree_test(the_events_of_the_tightest_ancestor),
      tree_test(hostile_events),
      tree_test(not_there),
      tree_test(the_kernels_event_files),
      cmocka_unit_test(usage_levels),
      cmocka_unit_test(thresholds_of_usage),
      cmocka_unit_test(levels_of_pressure),
      cmocka_unit_test(a_group_that_is_removed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
