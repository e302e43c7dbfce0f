/* tm_trace_start and tm_trace_stop on a real heap, with fork and close. */
#include <tidemark/tidemark.h>
#include <tidemark/trace.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/clock.h"

static char path[64];
static test_clock clock_now;

static int set_up(void **unused)
{
  (void)unused;
  test_clock_start(&clock_now);
  memcpy(path, "/tmp/tidemark-trace-XXXXXX", 27);
  int fd = mkstemp(path);
  return fd >= 0 && close(fd) == 0 ? 0 : -1;
}

static int tear_down(void **unused)
{
  (void)unused;
  test_clock_stop();
  return unlink(path);
}

static off_t length(void)
{
  struct stat st;
  return stat(path, &st) == 0 ? st.st_size : -1;
}

static void churn(tm_heap *heap, int blocks)
{
  for (int i = 0; i < blocks; i++) {
    void *p = tm_malloc(heap, TM_MEM, 1 << 20);
    assert_non_null(p);
    tm_free(heap, TM_MEM, p);
    test_clock_move_ms(&clock_now, 1);
  }
}

static void arguments(void **unused)
{
  (void)unused;
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  assert_int_equal(tm_trace_start(NULL, path), TM_EINVAL);
  assert_int_equal(tm_trace_start(heap, NULL), TM_EINVAL);
  assert_int_equal(tm_trace_stop(NULL), TM_EINVAL);
  assert_int_equal(tm_trace_stop(heap), TM_EINVAL);
  assert_int_equal(tm_trace_start(heap, "/no/such/directory/x"), TM_EIO);
  assert_int_equal(errno, ENOENT);
  assert_int_equal(tm_trace_start(heap, path), 0);
  assert_int_equal(tm_trace_start(heap, path), TM_EBUSY);
  assert_int_equal(tm_trace_stop(heap), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void slow_paths_are_recorded(void **unused)
{
  (void)unused;
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  assert_int_equal(tm_trace_start(heap, path), 0);
  assert_int_equal(tm_trace_stop(heap), 0);
  off_t empty = length();
  assert_int_equal(tm_trace_start(heap, path), 0); /* replaces what was there */
  churn(heap, 200);
  assert_int_equal(tm_heap_check(heap), 0); /* nothing of it came from the heap */
  assert_int_equal(tm_trace_stop(heap), 0);
  assert_true(length() > empty + 200);
  off_t ended = length();
  churn(heap, 200);
  assert_int_equal(length(), ended);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void closing_a_heap_ends_it(void **unused)
{
  (void)unused;
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  assert_int_equal(tm_trace_start(heap, path), 0);
  churn(heap, 50);
  assert_int_equal(length(), 12); /* the head alone: a block is a second or 64 KiB */
  assert_int_equal(tm_heap_close(heap), 0);
  assert_true(length() > 100);
  assert_int_equal(tm_heap_new(&heap, NULL), 0); /* perhaps in the same struct */
  assert_int_equal(tm_trace_stop(heap), TM_EINVAL);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* The child neither writes nor holds the file, and the parent goes on. */
static void a_child_does_not_record(void **unused)
{
  (void)unused;
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  assert_int_equal(tm_trace_start(heap, path), 0);
  churn(heap, 50);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 50; i++) {
      void *p = tm_malloc(heap, TM_MEM, 1 << 20);
      must(p);
      tm_free(heap, TM_MEM, p);
    }
    must(length() == 12);
    must(tm_trace_stop(heap) == TM_EINVAL);
    must(tm_heap_close(heap) == 0);
    must(length() == 12);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  churn(heap, 50);
  assert_int_equal(tm_trace_stop(heap), 0);
  assert_true(length() > 100);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(arguments, set_up, tear_down),
      cmocka_unit_test_setup_teardown(slow_paths_are_recorded, set_up, tear_down),
      cmocka_unit_test_setup_teardown(closing_a_heap_ends_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_child_does_not_record, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
