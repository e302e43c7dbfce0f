/* test_rlimit.c - the program limits its own address space. In children: a limit cannot be taken
 * back, and the heap's range does not grow again. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/tidemark.h>

#include "heap/types.h"
#include "support/check.h"

static const rlim_t LIMIT = (rlim_t)1 << 30;

static void in_child(void (*test)(void))
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    test();
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *echo(void *p)
{
  return p;
}

/* Requests are refused, and the rest of the program has room. */
static void must_fit(void)
{
  pthread_t thread;
  void *result;
  int limited;
  must(tm__arena.bytes < LIMIT);
  must(tm__arena.bytes > LIMIT / 4);
  must(!tm_malloc(tm_heap_default(), TM_RAW, LIMIT));
  must(pthread_create(&thread, NULL, echo, &limited) == 0);
  must(pthread_join(thread, &result) == 0 && result == &limited);
  for (size_t bytes = 1 << 20; bytes <= LIMIT / 8; bytes *= 2) {
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED);
    must(!tm_owns(p) && !tm_owns(p + bytes - 1));
    must(munmap(p, bytes) == 0);
  }
}

static void limit_and_use(void)
{
  char *before = tm_malloc(tm_heap_default(), TM_RAW, 50 << 20);
  memset(before, 7, 50 << 20);
  struct rlimit limit = {LIMIT, LIMIT}, now;
  must(tm__arena.bytes > LIMIT);
  must(setrlimit(RLIMIT_AS, &limit) == 0);
  must(getrlimit(RLIMIT_AS, &now) == 0 && now.rlim_cur == LIMIT && now.rlim_max == LIMIT);
  must_fit();
  size_t n = 0;
  for (char *p; (p = tm_malloc(tm_heap_default(), TM_RAW, 1 << 20)); n++)
    *p = 1;
  must(errno == ENOMEM);
  must(n > 300 && n < 1024);
  must(before[0] == 7 && before[(50 << 20) - 1] == 7);
  must_equal(tm_heap_check(tm_heap_default()), 0);
}

static void test_a_limit_cuts_the_range(void **state)
{
  (void)state;
  in_child(limit_and_use);
}

static void limit_below_what_is_used(void)
{
  struct rlimit limit = {1 << 20, LIMIT};
  void *before = tm_malloc(tm_heap_default(), TM_RAW, 100 << 20);
  must(prlimit(getpid(), RLIMIT_AS, &limit, NULL) == 0);
  must(!tm_malloc(tm_heap_default(), TM_RAW, 1 << 20));
  tm_free(tm_heap_default(), TM_RAW, before);
  void *again = tm_malloc(tm_heap_default(), TM_RAW, 50 << 20); /* what it has, it may use */
  must(again != NULL);
  memset(again, 1, 50 << 20);
}

static void test_what_is_in_use_stays(void **state)
{
  (void)state;
  in_child(limit_below_what_is_used);
}

static void limit_something_else(void)
{
  size_t before = tm__arena.bytes;
  struct rlimit old, files = {100, 100}, none = {RLIM_INFINITY, RLIM_INFINITY};
  struct rlimit64 old64;
  must(prlimit(0, RLIMIT_NOFILE, &files, &old) == 0 && old.rlim_max > 100);
  must(prlimit64(0, RLIMIT_NOFILE, NULL, &old64) == 0 && old64.rlim_max == 100);
  must(setrlimit(RLIMIT_AS, &none) == 0);
  must_equal(tm__arena.bytes, before);
  errno = 0;
  must(setrlimit((enum __rlimit_resource)99, &none) == -1 && errno == EINVAL);
  must(setrlimit64(RLIMIT_AS, &(struct rlimit64){LIMIT, LIMIT}) == 0);
  must_fit();
}

static void test_other_limits_are_passed_on(void **state)
{
  (void)state;
  in_child(limit_something_else);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_limit_cuts_the_range),
      cmocka_unit_test(test_what_is_in_use_stays),
      cmocka_unit_test(test_other_limits_are_passed_on),
  };
  if (TEST_SANITIZED) {
    printf("SKIP: a sanitizer's own shadow is above any such limit\n");
    return 77;
  }
  (void)tm_heap_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
