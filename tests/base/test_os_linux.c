/* test_os_linux.c - what os.h promises, call by call, and that each call can be made to fail. */
#define _GNU_SOURCE
#include "base/os.h"

#include <errno.h>
#include <signal.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomics.h"
#include "support/check.h"
#include "support/clock.h"
#include "support/pages.h"
#include "support/threads.h"

enum { PAGES = 16, BYTES = PAGES * TM_OS_PAGE };

static int no_faults(void **state)
{
  (void)state;
  tm__os_fault(0, false);
  return 0;
}

static char *committed(size_t bytes)
{
  char *p = tm__os_reserve(bytes, TM_OS_PAGE);
  assert_non_null(p);
  assert_int_equal(tm__os_commit(p, bytes), 0);
  return p;
}

static void assert_all(const char *p, size_t n, int byte)
{
  for (size_t i = 0; i < n; i++)
    assert_int_equal(p[i], byte);
}

/* ---- Memory --------------------------------------------------------------------------------- */

static void reserved_space_is_aligned(void **state)
{
  (void)state;
  for (size_t alignment = TM_OS_PAGE; alignment <= (size_t)1 << 30; alignment *= 4) {
    char *p = tm__os_reserve(BYTES, alignment);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p & (alignment - 1), 0);
    assert_int_equal(tm__os_unreserve(p, BYTES), 0);
  }
}

static void impossible_reservations_are_refused(void **state)
{
  (void)state;
  errno = 77;
  assert_null(tm__os_reserve(SIZE_MAX - 4095, TM_OS_PAGE));
  assert_null(tm__os_reserve((size_t)1 << 60, TM_OS_PAGE));
  assert_int_equal(errno, 77);
}

/* Regression: malloc(200 GiB) was granted on any machine, and whoever filled it was killed. */
static void more_than_the_machine_has_is_not_committed(void **state)
{
  (void)state;
  struct sysinfo machine;
  char mode = '0';
  FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
  if (file) {
    (void)fread(&mode, 1, 1, file);
    (void)fclose(file);
  }
  if (mode == '1') {
    print_message("SKIP: this machine grants everything (vm.overcommit_memory is 1)\n");
    skip();
  }
  assert_int_equal(sysinfo(&machine), 0);
  size_t bytes = ((size_t)machine.totalram + machine.totalswap) * machine.mem_unit;
  bytes = (bytes + ((size_t)1 << 30)) & ~(size_t)(TM_OS_PAGE - 1);
  char *p = tm__os_reserve(bytes, TM_OS_PAGE);
  assert_non_null(p); /* address space it is */
  assert_int_equal(tm__os_commit(p, bytes), -ENOMEM);
  assert_int_equal(tm__os_commit(p, BYTES), 0);
  assert_int_equal(tm__os_unreserve(p, bytes), 0);
}

/* Whether reading (or writing) *p ends the process. */
static bool touching_kills(char *p, bool write_it)
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)signal(SIGSEGV, SIG_DFL);
    if (write_it)
      *(volatile char *)p = 1;
    _exit(*(volatile char *)p == 0 ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  return !WIFEXITED(status) || WEXITSTATUS(status) > 1;
}

static void access_is_what_was_asked_for(void **state)
{
  (void)state;
  char *p = tm__os_reserve(BYTES, TM_OS_PAGE);
  assert_true(touching_kills(p, false));
  assert_int_equal(tm__os_readable(p, BYTES), 0);
  assert_false(touching_kills(p, false));
  assert_true(touching_kills(p, true));
  assert_int_equal(tm__os_commit(p, BYTES), 0);
  assert_false(touching_kills(p, true));
  assert_all(p, BYTES, 0);
  assert_int_equal(tm__os_unreserve(p, BYTES), 0);
}

static void memory_is_backed_when_it_is_touched(void **state)
{
  (void)state;
  char *p = committed(BYTES);
  assert_int_equal(tm__os_resident(p, BYTES), 0);
  p[0] = p[5 * TM_OS_PAGE] = 1;
  assert_int_equal(tm__os_resident(p, BYTES), 2 * TM_OS_PAGE);
  memset(p, 3, BYTES);
  assert_int_equal(tm__os_resident(p, BYTES), BYTES);
  (void)tm__os_unreserve(p, BYTES);
}

/* More pages than one call of mincore is asked for. */
static void residency_of_long_ranges(void **state)
{
  (void)state;
  size_t bytes = (size_t)3000 * TM_OS_PAGE;
  char *p = committed(bytes);
  for (size_t i = 0; i < 3000; i += 3)
    p[i * TM_OS_PAGE] = 1;
  size_t resident = tm__os_resident(p, bytes);
  assert_true(resident >= (size_t)1000 * TM_OS_PAGE);
  assert_true(resident <= bytes);
  (void)tm__os_unreserve(p, bytes);
}

static void purged_memory_is_gone_and_zero(void **state)
{
  (void)state;
  char *p = committed(BYTES);
  memset(p, 7, BYTES);
  errno = 77;
  assert_int_equal(tm__os_purge(p + 4 * TM_OS_PAGE, 4 * TM_OS_PAGE), 0);
  assert_int_equal(errno, 77);
  assert_int_equal(tm__os_resident(p, BYTES), BYTES - 4 * TM_OS_PAGE);
  assert_all(p, 4 * TM_OS_PAGE, 7);
  assert_all(p + 4 * TM_OS_PAGE, 4 * TM_OS_PAGE, 0);
  assert_all(p + 8 * TM_OS_PAGE, 8 * TM_OS_PAGE, 7);
  (void)tm__os_unreserve(p, BYTES);
}

static void moved_memory_keeps_its_content(void **state)
{
  (void)state;
  char *p = committed(2 * BYTES), *to = p + BYTES;
  memset(p, 9, BYTES);
  memset(to, 1, BYTES);
  assert_int_equal(tm__os_move(p, to, BYTES), 0);
  assert_all(to, BYTES, 9);
  assert_int_equal(tm__os_resident(p, BYTES), 0);
  assert_all(p, BYTES, 0);
  memset(p, 2, BYTES); /* both stay usable */
  assert_int_equal(tm__os_move(to, p, BYTES), 0);
  assert_all(p, BYTES, 9);
  (void)tm__os_unreserve(p, 2 * BYTES);
}

static void mapped_memory_is_zero(void **state)
{
  (void)state;
  char *p = tm__os_map(BYTES);
  assert_non_null(p);
  assert_all(p, BYTES, 0);
  memset(p, 1, BYTES);
  assert_int_equal(tm__os_unreserve(p, BYTES), 0);
  errno = 77;
  assert_null(tm__os_map((size_t)1 << 60));
  assert_int_equal(errno, 77);
}

static void errors_are_negative_errno(void **state)
{
  (void)state;
  char *p = tm__os_reserve(BYTES, TM_OS_PAGE);
  (void)tm__os_unreserve(p, BYTES);
  assert_int_equal(tm__os_commit(p, BYTES), -ENOMEM);
  assert_int_equal(tm__os_purge(p, BYTES), -ENOMEM);
  assert_int_equal(tm__os_readable(p, BYTES), -ENOMEM);
  assert_int_equal(tm__os_unreserve(p + 1, BYTES), -EINVAL);
}

/* ---- Faults --------------------------------------------------------------------------------- */

/* Makes each faultable call once; returns which of them failed, as bits. */
static unsigned call_each(char *p)
{
  unsigned failed = 0;
  void *r = tm__os_reserve(BYTES, TM_OS_PAGE);
  failed |= !r;
  failed |= (unsigned)(tm__os_commit(p, 2 * BYTES) != 0) << 1;
  failed |= (unsigned)(tm__os_purge(p, BYTES) != 0) << 2;
  failed |= (unsigned)(tm__os_move(p, p + BYTES, BYTES) != 0) << 3;
  void *m = tm__os_map(BYTES);
  failed |= (unsigned)!m << 4;
  if (r)
    (void)tm__os_unreserve(r, BYTES);
  if (m)
    (void)tm__os_unreserve(m, BYTES);
  return failed;
}

static void the_nth_call_fails_once(void **state)
{
  (void)state;
  char *p = committed(2 * BYTES);
  for (unsigned nth = 1; nth <= 5; nth++) {
    tm__os_fault(nth, false);
    assert_int_equal(call_each(p), 1u << (nth - 1));
    assert_int_equal(call_each(p), 0);
  }
  tm__os_fault(8, false);
  assert_int_equal(call_each(p), 0);
  assert_int_equal(call_each(p), 1u << 2);
  (void)tm__os_unreserve(p, 2 * BYTES);
}

static void sticky_faults_stay(void **state)
{
  (void)state;
  char *p = committed(2 * BYTES);
  tm__os_fault(3, true);
  assert_int_equal(call_each(p), 1 << 2 | 1 << 3 | 1 << 4);
  assert_int_equal(call_each(p), 31);
  tm__os_fault(0, false);
  assert_int_equal(call_each(p), 0);
  (void)tm__os_unreserve(p, 2 * BYTES);
}

static void calls_are_counted(void **state)
{
  (void)state;
  char *p = committed(2 * BYTES);
  unsigned long before = tm__os_calls();
  (void)call_each(p);
  assert_int_equal(tm__os_calls() - before, 5);
  (void)tm__os_unreserve(p, 2 * BYTES);
}

/* ---- Time, barrier, environment ------------------------------------------------------------- */

static void the_clock_can_be_replaced(void **state)
{
  (void)state;
  test_clock clock;
  uint64_t real = tm__os_now_ns();
  assert_true(tm__os_now_ns() >= real);
  test_clock_start(&clock);
  uint64_t start = tm__os_now_ns();
  assert_true(start >= real);
  assert_int_equal(tm__os_now_ns(), start);
  test_clock_move_ms(&clock, 10000000);
  assert_int_equal(tm__os_now_ns() - start, (uint64_t)10000000 * 1000000);
  test_clock_stop();
  assert_true(tm__os_now_ns() < start + (uint64_t)10000000 * 1000000);
}

static void a_pause_lets_time_pass(void **state)
{
  (void)state;
  uint64_t before = tm__os_now_ns();
  errno = 77;
  tm__os_pause(2000000);
  assert_int_equal(errno, 77);
  assert_true(tm__os_now_ns() - before >= 2000000);
}

typedef struct litmus {
  _Atomic(int) mine, wire, go;
  int passed;
} litmus;

/* Stores, and then looks at the wire without a fence of its own. */
static void race_past(void *ctx, unsigned index)
{
  litmus *l = ctx;
  (void)index;
  while (!atomic_load(&l->go)) {
  }
  atomic_store_explicit(&l->mine, 1, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
  l->passed = atomic_load_explicit(&l->wire, memory_order_relaxed);
}

/* Either the other thread saw the wire down, or we see its store: never neither. */
static void lower_or_race(void *ctx, unsigned index)
{
  litmus *l = ctx;
  if (index == 0) {
    race_past(ctx, index);
    return;
  }
  atomic_store(&l->go, 1);
  atomic_store_explicit(&l->wire, 0, memory_order_relaxed);
  must(tm__os_barrier_all());
  int seen = atomic_load_explicit(&l->mine, memory_order_relaxed);
  atomic_store(&l->go, 2 + seen);
}

static void the_barrier_orders_other_threads(void **state)
{
  (void)state;
  if (!tm__os_barrier_all()) {
    print_message("SKIP: this kernel has no membarrier\n");
    skip();
  }
  for (int i = 0; i < 300; i++) {
    litmus l = {.passed = -1};
    atomic_store(&l.wire, 1);
    threads_run(2, lower_or_race, &l);
    int seen = atomic_load(&l.go) == 3;
    assert_true(seen || l.passed == 0);
  }
}

static void the_environment_is_read(void **state)
{
  (void)state;
  assert_int_equal(setenv("TM_TEST_WORD", "a=b", 1), 0);
  assert_int_equal(setenv("TM_TEST_WORDS", "other", 1), 0);
  assert_int_equal(setenv("TM_TEST_EMPTY", "", 1), 0);
  assert_string_equal(tm__os_env("TM_TEST_WORD"), "a=b");
  assert_string_equal(tm__os_env("TM_TEST_EMPTY"), "");
  assert_null(tm__os_env("TM_TEST_WOR"));
  assert_null(tm__os_env("TM_TEST_NOT_THERE"));
}

static void a_lock_can_be_made_new(void **state)
{
  (void)state;
  tm__lock lock = TM__LOCK_INIT;
  tm__lock_acquire(&lock);
  tm__lock_init(&lock); /* as a forked child does with one that nobody will release */
  tm__lock_acquire(&lock);
  tm__lock_release(&lock);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reserved_space_is_aligned),
      cmocka_unit_test(impossible_reservations_are_refused),
      cmocka_unit_test(more_than_the_machine_has_is_not_committed),
      cmocka_unit_test(access_is_what_was_asked_for),
      cmocka_unit_test(memory_is_backed_when_it_is_touched),
      cmocka_unit_test(residency_of_long_ranges),
      cmocka_unit_test(purged_memory_is_gone_and_zero),
      cmocka_unit_test(moved_memory_keeps_its_content),
      cmocka_unit_test(mapped_memory_is_zero),
      cmocka_unit_test(errors_are_negative_errno),
      cmocka_unit_test_teardown(the_nth_call_fails_once, no_faults),
      cmocka_unit_test_teardown(sticky_faults_stay, no_faults),
      cmocka_unit_test_teardown(calls_are_counted, no_faults),
      cmocka_unit_test(the_clock_can_be_replaced),
      cmocka_unit_test(a_pause_lets_time_pass),
      cmocka_unit_test(the_barrier_orders_other_threads),
      cmocka_unit_test(the_environment_is_read),
      cmocka_unit_test(a_lock_can_be_made_new),
  };
  pages_stay_small();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
