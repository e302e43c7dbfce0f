/* test_shim_cxx_forms.c - nothrow and sized forms by their mangled names, in a program without C++.
 * What needs C++ (throwing, catching, the new handler) is in test_shim_cxx.py. */
#include <errno.h>
#include <malloc.h>

#include <tidemark/tidemark.h>

#include "hosts/malloc/shim.h"
#include "support/check.h"

#define NOTHROW(name) void *name(size_t n, const void *tag);
#define NOTHROW_ALIGNED(name) void *name(size_t n, size_t alignment, const void *tag);
#define DELETE_2(name) void name(void *p, size_t a);
#define DELETE_3(name) void name(void *p, size_t a, size_t b);
NOTHROW(_ZnwmRKSt9nothrow_t)
NOTHROW(_ZnamRKSt9nothrow_t)
NOTHROW_ALIGNED(_ZnwmSt11align_val_tRKSt9nothrow_t)
NOTHROW_ALIGNED(_ZnamSt11align_val_tRKSt9nothrow_t)
DELETE_2(_ZdlPvm)
DELETE_2(_ZdaPvm)
DELETE_2(_ZdlPvRKSt9nothrow_t)
DELETE_2(_ZdaPvRKSt9nothrow_t)
DELETE_3(_ZdlPvmSt11align_val_t)
DELETE_3(_ZdaPvmSt11align_val_t)
DELETE_3(_ZdlPvSt11align_val_tRKSt9nothrow_t)
DELETE_3(_ZdaPvSt11align_val_tRKSt9nothrow_t)

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

static void test_every_form_is_ours(void **state)
{
  (void)state;
  uint64_t before = live_blocks();
  for (size_t n = 0; n < 200000; n = n * 5 + 1) {
    errno = 4242;
    _ZdlPvm(made(_Znwm(n), n), n);
    _ZdlPvRKSt9nothrow_t(made(_ZnwmRKSt9nothrow_t(n, NULL), n), 0);
    _ZdaPvm(made(_Znam(n), n), n);
    _ZdaPvRKSt9nothrow_t(made(_ZnamRKSt9nothrow_t(n, NULL), n), 0);
    _ZdlPvmSt11align_val_t(made_aligned(_ZnwmSt11align_val_t(n, ALIGNMENT), n), n, ALIGNMENT);
    _ZdlPvSt11align_val_tRKSt9nothrow_t(
        made_aligned(_ZnwmSt11align_val_tRKSt9nothrow_t(n, ALIGNMENT, NULL), n), ALIGNMENT, 0);
    _ZdaPvmSt11align_val_t(made_aligned(_ZnamSt11align_val_t(n, ALIGNMENT), n), n, ALIGNMENT);
    _ZdaPvSt11align_val_tRKSt9nothrow_t(
        made_aligned(_ZnamSt11align_val_tRKSt9nothrow_t(n, ALIGNMENT, NULL), n), ALIGNMENT, 0);
    assert_int_equal(errno, 4242);
    assert_int_equal(live_blocks(), before);
  }
}

static void test_deleting_null_does_nothing(void **state)
{
  (void)state;
  uint64_t before = live_blocks();
  _ZdlPvm(NULL, 8);
  _ZdaPvm(NULL, 8);
  _ZdlPvRKSt9nothrow_t(NULL, 0);
  _ZdaPvmSt11align_val_t(NULL, 8, ALIGNMENT);
  assert_int_equal(live_blocks(), before);
}

/* No C++ library is in this process, so there is no handler to ask. */
static void test_nothrow_is_null_when_it_cannot_be(void **state)
{
  (void)state;
  volatile size_t n = PTRDIFF_MAX;
  assert_null(tm__cxx_library("_ZSt15get_new_handlerv"));
  assert_null(_ZnwmRKSt9nothrow_t(n, NULL));
  assert_null(_ZnamRKSt9nothrow_t(n, NULL));
  assert_null(_ZnwmSt11align_val_tRKSt9nothrow_t(n, ALIGNMENT, NULL));
  assert_null(_ZnamSt11align_val_tRKSt9nothrow_t(n, ALIGNMENT, NULL));
  assert_null(_ZnwmSt11align_val_tRKSt9nothrow_t(8, 24, NULL)); /* no power of two */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_form_is_ours),
      cmocka_unit_test(test_deleting_null_does_nothing),
      cmocka_unit_test(test_nothrow_is_null_when_it_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
