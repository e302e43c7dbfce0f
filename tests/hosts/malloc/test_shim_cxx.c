/* test_shim_cxx.c - C++ new and delete by their mangled names, in a program without C++. What
 * needs C++ (throwing, catching, the new handler) is in test_shim_cxx.py. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/tidemark.h>

#include "hosts/malloc/shim.h"
#include "support/check.h"

enum { ALIGNMENT = 256 };

static uint64_t live_blocks(void)
{
  tm_stats s;
  tm_stats_init(&s);
  assert_int_equal(tm_stats_read(tm_heap_default(), &s), 0);
  return s.live_blocks;
}

static void *made(void *p, size_t n)
{
  assert_non_null(p);
  assert_int_equal(tm_owns(p), 1);
  assert_true(malloc_usable_size(p) >= n);
  memset(p, 1, n);
  return p;
}

static void *made_aligned(void *p, size_t n)
{
  assert_int_equal((uintptr_t)p % ALIGNMENT, 0);
  return made(p, n);
}

static void test_new_and_delete_are_ours(void **state)
{
  (void)state;
  uint64_t before = live_blocks();
  for (size_t n = 0; n < 200000; n = n * 5 + 1) {
    errno = 4242;
    _ZdlPv(made(_Znwm(n), n));
    _ZdlPv(made(tm__own_new(n), n));
    _ZdlPvSt11align_val_t(made_aligned(_ZnwmSt11align_val_t(n, ALIGNMENT), n), ALIGNMENT);
    _ZdlPvSt11align_val_t(made(_ZnwmSt11align_val_t(n, 1), n), 1);
    assert_int_equal(errno, 4242);
    assert_int_equal(live_blocks(), before);
  }
}

static void test_deleting_null_does_nothing(void **state)
{
  (void)state;
  uint64_t before = live_blocks();
  _ZdlPv(NULL);
  _ZdlPvSt11align_val_t(NULL, ALIGNMENT);
  assert_int_equal(live_blocks(), before);
}

static void die(void *(*make)(size_t n), int ends[2])
{
  (void)dup2(ends[1], STDERR_FILENO);
  (void)make(PTRDIFF_MAX);
  _exit(0);
}

/* Nobody can throw here: no C++ library is in this process. */
static void test_without_a_cxx_library_it_ends_with_a_word(void **state)
{
  (void)state;
  int ends[2], status;
  char text[200] = "";
  assert_null(tm__cxx_library("_ZSt15get_new_handlerv"));
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0)
    die(_Znwm, ends);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_true(read(ends[0], text, sizeof text - 1) > 0);
  assert_string_equal(text, "tidemark: fatal: out of memory in operator new\n");
  (void)close(ends[0]);
  (void)close(ends[1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new_and_delete_are_ours),
      cmocka_unit_test(test_deleting_null_does_nothing),
      cmocka_unit_test(test_without_a_cxx_library_it_ends_with_a_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
