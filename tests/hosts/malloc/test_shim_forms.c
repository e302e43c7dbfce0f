/* test_shim_forms.c - what is made of malloc's and new's basic forms. That a program's own basic
 * forms are called is in test_shim_cxx.py: here they are ours. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>

#include <tidemark/tidemark.h>

#include "hosts/malloc/shim.h"
#include "support/check.h"

extern void *__libc_malloc(size_t n);
void cfree(void *p);
void free_sized(void *p, size_t n);
void free_aligned_sized(void *p, size_t alignment, size_t n);

enum { ERRNO_BEFORE = 4242 };

/* The compiler knows these: it would drop a pair, and warn of sizes that must fail. */
static void *(*volatile get)(size_t n) = malloc;
static void *(*volatile get_aligned)(size_t alignment, size_t n) = aligned_alloc;
static void *(*volatile resize_array)(void *p, size_t count, size_t size) = reallocarray;

static tm_stats stats_now(void)
{
  tm_stats s;
  tm_stats_init(&s);
  assert_int_equal(tm_stats_read(tm_heap_default(), &s), 0);
  return s;
}

static void test_reallocarray(void **state)
{
  (void)state;
  char *p = resize_array(NULL, 10, 10);
  assert_int_equal(tm_owns(p), 1);
  memcpy(p, "untouched", 10);
  uint64_t failures = stats_now().failures_total[TM_FAIL_OVERFLOW];
  errno = 0;
  assert_null(resize_array(p, SIZE_MAX / 2, 3));
  assert_int_equal(errno, ENOMEM);
  assert_int_equal(stats_now().failures_total[TM_FAIL_OVERFLOW], failures + 1);
  assert_null(resize_array(p, SIZE_MAX / 2, 1));
  assert_string_equal(p, "untouched");
  p = resize_array(p, 1000, 1000);
  assert_true(malloc_usable_size(p) >= 1000000);
  assert_string_equal(p, "untouched");
  uint64_t live = stats_now().live_blocks;
  assert_null(resize_array(p, 0, 10)); /* frees, as realloc to 0 does */
  assert_int_equal(stats_now().live_blocks, live - 1);
}

static void test_all_frees_free(void **state)
{
  (void)state;
  uint64_t live = stats_now().live_blocks;
  errno = ERRNO_BEFORE;
  cfree(get(10));
  free_sized(get(10), 10);
  free_aligned_sized(get_aligned(64, 128), 64, 128);
  cfree(NULL);
  free_sized(NULL, 0);
  free_aligned_sized(NULL, 64, 0);
  assert_int_equal(errno, ERRNO_BEFORE);
  assert_int_equal(stats_now().live_blocks, live);
  cfree(resize_array(__libc_malloc(10), 5, 5));
  assert_int_equal(stats_now().live_blocks, live);
}

static void test_arrays_in_cxx(void **state)
{
  (void)state;
  uint64_t live = stats_now().live_blocks;
  for (size_t n = 0; n < 200000; n = n * 5 + 1) {
    char *p = _Znam(n), *q = _ZnamSt11align_val_t(n, 256), *own = tm__own_new_array(n);
    assert_int_equal(tm_owns(p) + tm_owns(q) + tm_owns(own), 3);
    assert_int_equal((uintptr_t)q % 256, 0);
    memset(p, 1, n);
    memset(q, 1, n);
    assert_int_equal(stats_now().live_blocks, live + 3);
    _ZdaPv(p);
    _ZdaPv(own);
    _ZdaPvSt11align_val_t(q, 256);
  }
  _ZdaPv(NULL);
  _ZdaPvSt11align_val_t(NULL, 256);
  assert_int_equal(stats_now().live_blocks, live);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reallocarray),
      cmocka_unit_test(test_all_frees_free),
      cmocka_unit_test(test_arrays_in_cxx),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
