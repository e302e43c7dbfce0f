/* The life of a watch: options, descriptors, posting to a heap, fork. Sources are FIFOs. */
#define _GNU_SOURCE
#include "gc/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "base/os.h"
#include "support/check.h"
#include "support/tree.h"

static char fifo[512], why[256];

static int make_fifo(void **state)
{
  if (tree_make(state))
    return -1;
  tree_path("fifo", fifo, sizeof fifo);
  unsetenv("MEMORY_PRESSURE_WRITE");
  return mkfifo(fifo, 0600) || setenv("MEMORY_PRESSURE_WATCH", fifo, 1);
}

#define fifo_test(f) cmocka_unit_test_setup_teardown(f, make_fifo, tree_remove)

static tm_pressure_watch *open_with(const tm_pressure_options *options)
{
  tm_pressure_watch *watch;
  int error = tm_pressure_open(TM_WATCH_SYSTEMD, options, &watch, why, sizeof why);
  if (error)
    fail_msg("%d: %s", error, why);
  assert_string_equal(why, "");
  return watch;
}

static void tell(void)
{
  int fd = open(fifo, O_WRONLY | O_NONBLOCK);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, "!", 1), 1);
  (void)close(fd);
}

static bool is_ready(const tm_pressure_watch *watch)
{
  struct pollfd p = {tm_pressure_fd(watch), (short)tm_pressure_events(watch), 0};
  return poll(&p, 1, 0) == 1;
}

static void defaults(void **state)
{
  (void)state;
  tm_pressure_options o;
  tm_pressure_options_init(&o);
  assert_int_equal(o.size, sizeof o);
  assert_null(o.heap);
  assert_null(o.limits);
  assert_int_equal(o.level, TM_PRESSURE_MEDIUM);
  assert_int_equal(o.stall_us, 150000);
  assert_int_equal(o.window_us, 2000000);
  assert_string_equal(o.root, "");
}

static void names(void **state)
{
  (void)state;
  assert_string_equal(tm_watch_name(TM_WATCH_SYSTEMD), "systemd");
  assert_string_equal(tm_watch_name(TM_WATCH_USAGE), "usage");
  assert_null(tm_watch_name(TM_WATCH_COUNT));
  assert_null(tm_watch_name((tm_watch_kind)-1));
}

static void bad_arguments(void **state)
{
  (void)state;
  tm_pressure_watch *watch;
  tm_pressure_options o;
  int before = count_open_fds();
  assert_int_equal(tm_pressure_open(TM_WATCH_SYSTEMD, NULL, NULL, why, sizeof why), TM_EINVAL);
  assert_int_equal(tm_pressure_open(TM_WATCH_COUNT, NULL, &watch, why, sizeof why), TM_EINVAL);
  assert_int_equal(tm_pressure_open((tm_watch_kind)-1, NULL, &watch, NULL, 0), TM_EINVAL);
#define BAD(field, value)                                                                          \
  do {                                                                                             \
    tm_pressure_options_init(&o);                                                                  \
    o.field = value;                                                                               \
    assert_int_equal(tm_pressure_open(TM_WATCH_SYSTEMD, &o, &watch, why, sizeof why), TM_EINVAL);  \
    assert_null(watch);                                                                            \
    assert_string_not_equal(why, "");                                                              \
  } while (0)
  BAD(size, 0);
  BAD(size, sizeof o + 1);
  BAD(level, TM_PRESSURE_NONE);
  BAD(level, (tm_pressure)4);
  BAD(stall_us, 0);
  BAD(stall_us, 2000001);
  BAD(window_us, 10000001);
  BAD(root, NULL);
  assert_int_equal(tm_pressure_fd(NULL), -1);
  assert_int_equal(tm_pressure_events(NULL), 0);
  assert_int_equal(tm_pressure_read(NULL), TM_EINVAL);
  assert_string_equal(tm_pressure_error(NULL), "");
  tm_pressure_close(NULL);
  assert_int_equal(count_open_fds(), before);
}

static void a_short_why_is_cut(void **state)
{
  (void)state;
  char small[8];
  tm_pressure_watch *watch;
  setenv("MEMORY_PRESSURE_WATCH", "relative", 1);
  memset(small, '~', sizeof small);
  assert_int_equal(tm_pressure_open(TM_WATCH_SYSTEMD, NULL, &watch, small, 5), TM_EINVAL);
  assert_string_equal(small, "MEMO");
  assert_int_equal(small[5], '~');
}

static void no_memory_for_it(void **state)
{
  (void)state;
  tm_pressure_watch *watch;
  int before = count_open_fds();
  tm__os_fault(1, false);
  assert_int_equal(tm_pressure_open(TM_WATCH_SYSTEMD, NULL, &watch, why, sizeof why), TM_ENOMEM);
  tm__os_fault(0, false);
  assert_null(watch);
  assert_int_equal(count_open_fds(), before);
}

static void what_is_read_is_posted(void **state)
{
  (void)state;
  tm_heap *heap;
  tm_record record;
  uint64_t cursor = 0;
  tm_pressure_options o;
  tm_pressure_options_init(&o);
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  void *block = tm_malloc(heap, TM_OBJ, 1 << 20);
  o.heap = heap;
  o.level = TM_PRESSURE_CRITICAL;
  tm_pressure_watch *watch = open_with(&o);
  assert_false(is_ready(watch));
  while (tm_log_read(heap, &cursor, &record) == 1) /* stress-trip has been busy */
    ;
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  assert_int_equal(tm_log_read(heap, &cursor, &record), 0); /* nothing came, nothing is posted */
  tell();
  assert_true(is_ready(watch));
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_CRITICAL);
  assert_false(is_ready(watch));
  assert_true(tm_pending(heap));
  (void)tm_poll(heap);
  bool seen = false;
  while (tm_log_read(heap, &cursor, &record) == 1)
    seen = seen || record.pressure == TM_PRESSURE_CRITICAL;
  assert_true(seen);
  tm_pressure_close(watch);
  tm_free(heap, TM_OBJ, block);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void an_event_looks_at_the_limits_again(void **state)
{
  (void)state;
  tm_heap *heap;
  tm_limits *limits;
  tm_limits_options lo;
  tm_pressure_options o;
  tm_limits_options_init(&lo);
  lo.root = tree;
  tm_pressure_options_init(&o);
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  tree_file("proc/self/cgroup", "0::/\n");
  tree_file("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 c rw\n");
  tree_file("cg/memory.max", "100000000");
  assert_int_equal(tm_limits_from_environment(heap, &lo, &limits), 0);
  o.limits = limits;
  tm_pressure_watch *watch = open_with(&o);
  tree_file("cg/memory.max", "200000000");
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  assert_int_equal(tm_limit_get(heap, TM_HARD), 90000000);
  tell();
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  assert_int_equal(tm_limit_get(heap, TM_HARD), 180000000);
  tm_pressure_close(watch);
  assert_int_equal(tm_limits_close(limits), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void nothing_leaks(void **state)
{
  (void)state;
  tm_pressure_watch *watches[20];
  int before = count_open_fds();
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 20; i++) {
      watches[i] = open_with(NULL);
      int flags = fcntl(tm_pressure_fd(watches[i]), F_GETFD);
      assert_true(flags & FD_CLOEXEC);
      assert_true(fcntl(tm_pressure_fd(watches[i]), F_GETFL) & O_NONBLOCK);
    }
    for (int i = 0; i < 20; i++) /* first, last and from between */
      tm_pressure_close(watches[(i * 7) % 20]);
    assert_int_equal(count_open_fds(), before);
  }
  for (int kind = 0; kind < TM_WATCH_COUNT; kind++)
    for (int i = 0; i < 10; i++)
      if (tm_pressure_open((tm_watch_kind)kind, NULL, &watches[0], why, sizeof why) == 0)
        tm_pressure_close(watches[0]);
      else
        assert_string_not_equal(why, "");
  assert_int_equal(count_open_fds(), before);
}

/* The child's copies are closed: it does not take its parent's events. */
static void a_forked_child_has_none(void **state)
{
  (void)state;
  tm_pressure_watch *first = open_with(NULL), *second = open_with(NULL);
  int fd = tm_pressure_fd(first), status;
  tell();
  pid_t child = fork();
  if (child == 0) {
    must(tm_pressure_fd(first) == -1 && tm_pressure_fd(second) == -1);
    must(fcntl(fd, F_GETFD) == -1);
    must(tm_pressure_read(first) == TM_EIO);
    must(*tm_pressure_error(first));
    tm_pressure_watch *own;
    must(tm_pressure_open(TM_WATCH_SYSTEMD, NULL, &own, why, sizeof why) == 0);
    must(tm_pressure_fd(own) >= 0);
    tm_pressure_close(own);
    tm_pressure_close(second);
    tm_pressure_close(first);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(tm_pressure_read(first), TM_PRESSURE_MEDIUM);
  tm_pressure_close(first);
  tm_pressure_close(second);
}

/* Its descriptors are in another table: in the child those numbers are somebody else's. */
static void a_child_leaves_those_apart_alone(void **state)
{
  (void)state;
  tm_pressure_watch *watch;
  int status;
  assert_int_equal(tm__pressure_open_apart(TM_WATCH_SYSTEMD, NULL, &watch, why, sizeof why), 0);
  int fd = tm_pressure_fd(watch);
  pid_t child = fork();
  if (child == 0) {
    must(tm_pressure_fd(watch) == -1);
    must(fcntl(fd, F_GETFD) != -1);
    tm_pressure_close(watch);
    must(fcntl(fd, F_GETFD) != -1);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  tm_pressure_close(watch);
  assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void errno_is_kept(void **state)
{
  (void)state;
  tm_pressure_watch *watch;
  errno = 4711;
  assert_int_equal(tm_pressure_open(TM_WATCH_SYSTEMD, NULL, &watch, why, sizeof why), 0);
  (void)tm_pressure_read(watch);
  tm_pressure_close(watch);
  assert_int_equal(errno, 4711);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),
      cmocka_unit_test(names),
      fifo_test(bad_arguments),
      fifo_test(a_short_why_is_cut),
      fifo_test(no_memory_for_it),
      fifo_test(what_is_read_is_posted),
      fifo_test(an_event_looks_at_the_limits_again),
      fifo_test(nothing_leaks),
      fifo_test(a_forked_child_has_none),
      fifo_test(a_child_leaves_those_apart_alone),
      fifo_test(errno_is_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
