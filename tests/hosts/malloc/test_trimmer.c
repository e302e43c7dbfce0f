/* test_trimmer.c - the thread that gives memory back for programs that never poll. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <tidemark/tidemark.h>

#include "base/atomics.h"
#include "base/os.h"
#include "hosts/malloc/trimmer.h"

enum { BLOCKS = 200, BLOCK_BYTES = 100000, PATIENCE_MS = 5000 };

static _Atomic(uint64_t) now_ns;

static uint64_t read_clock(void *context)
{
  (void)context;
  return atomic_load(&now_ns);
}

static int count_threads(void)
{
  char line[128];
  int threads = -1;
  FILE *file = fopen("/proc/self/status", "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file))
    (void)sscanf(line, "Threads: %d", &threads);
  (void)fclose(file);
  return threads;
}

static uint64_t dirty_bytes(void)
{
  tm_stats stats;
  tm_stats_init(&stats);
  assert_int_equal(tm_stats_read(tm_heap_default(), &stats), 0);
  return stats.dirty_bytes;
}

/* Another thread has to get there; its own sleep is 160 ms. */
static bool comes_true(bool (*condition)(void))
{
  struct timespec ms = {0, 1000000};
  for (int i = 0; i < PATIENCE_MS; i++) {
    if (condition())
      return true;
    (void)nanosleep(&ms, NULL);
  }
  return false;
}

/* ThreadSanitizer's own thread comes with our first, but not in a forked child. */
static bool two_threads(void)
{
  int threads = (int)count_threads();
  return threads == 2 || (TM_TSAN && threads == 3);
}

/* Decay starts when the thread first sees the dirt, so time goes on while we look. */
static bool nothing_dirty_later(void)
{
  atomic_fetch_add(&now_ns, (uint64_t)100 * 1000000);
  return dirty_bytes() == 0;
}

static bool nothing_pending(void)
{
  return !tm_pending(tm_heap_default());
}

/* 20 MB: well above the first trip of 4 MiB. */
static void grow_and_shrink(void)
{
  static void *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = tm_malloc(tm_heap_default(), TM_OBJ, BLOCK_BYTES);
    assert_non_null(blocks[i]);
    memset(blocks[i], 1, BLOCK_BYTES);
  }
  for (size_t i = 0; i < BLOCKS; i++)
    tm_free(tm_heap_default(), TM_OBJ, blocks[i]);
}

static void a_small_program_gets_no_thread(void **state)
{
  (void)state;
  tm__trimmer_install(tm_heap_default());
  tm_free(tm_heap_default(), TM_OBJ, tm_malloc(tm_heap_default(), TM_OBJ, 100));
  /* under stress every request crosses, a small one too */
  assert_int_equal(count_threads(), TM_STRESS_TRIP ? 2 : 1);
}

static void the_first_crossing_starts_it_and_it_polls(void **state)
{
  (void)state;
  grow_and_shrink();
  assert_true(comes_true(two_threads));
  assert_true(comes_true(nothing_pending));
}

static void idle_memory_goes_back_when_its_time_has_come(void **state)
{
  (void)state;
  grow_and_shrink();
  assert_true(dirty_bytes() > 1 << 20);
  assert_true(comes_true(nothing_dirty_later));
  assert_true(two_threads());
}

static void a_forked_child_starts_its_own(void **state)
{
  (void)state;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    tm__trimmer_forget();
    if (count_threads() != 1)
      _exit(1);
    tm_policy policy; /* a trip that is crossed for sure */
    tm_policy_init(&policy);
    policy.kinds = TM_POLICY_FIXED;
    policy.fixed_bytes = 1 << 20;
    if (tm_policy_set(tm_heap_default(), &policy) != 0)
      _exit(2);
    grow_and_shrink();
    _exit(comes_true(two_threads) ? 0 : 3);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static int set_up(void **state)
{
  (void)state;
  atomic_store(&now_ns, tm__os_now_ns()); /* the heap may have looked at the real one already */
  tm__os_clock_set(read_clock, NULL);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_small_program_gets_no_thread),
      cmocka_unit_test(the_first_crossing_starts_it_and_it_polls),
      cmocka_unit_test(idle_memory_goes_back_when_its_time_has_come),
      cmocka_unit_test(a_forked_child_starts_its_own),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
