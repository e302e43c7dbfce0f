/* test_typed.c - PyMem_New, PyMem_Resize, PyMem_Del and the old names. */
#define _GNU_SOURCE
#include "pymem/families.h"

typedef struct wide {
  char bytes[48];
} wide;

static void test_new_gives_room_for_n(void **state)
{
  (void)state;
  tm_stats before = books_read();
  wide *p = PyMem_New(wide, 100);
  assert_non_null(p);
  assert_true(tm_usable_size(p) >= 4800);
  pattern_fill(p, 4800, 1);
  PyMem_Del(p);
  wide *none = PyMem_New(wide, 0);
  assert_non_null(none);
  PyMem_Free(none);
  assert_int_equal(books_read().live_blocks, before.live_blocks);
}

static void test_resize_assigns(void **state)
{
  (void)state;
  int *p = PyMem_New(int, 10);
  pattern_fill(p, 10 * sizeof(int), 2);
  int *result = PyMem_Resize(p, int, 100000);
  assert_ptr_equal(p, result);
  assert_true(tm_usable_size(p) >= 100000 * sizeof(int));
  pattern_expect(p, 10 * sizeof(int), 2);
  PyMem_Resize(p, int, 0);
  assert_non_null(p);
  PyMem_Del(p);
  p = NULL;
  PyMem_Resize(p, int, 4);
  assert_non_null(p);
  PyMem_Del(p);
}

/* The macro assigns NULL too; who kept a copy still has the block. */
static void test_failed_resize_assigns_null(void **state)
{
  (void)state;
  int *p = PyMem_New(int, 10), *kept = p;
  pattern_fill(p, 10 * sizeof(int), 5);
  tm_stats before = books_read();
  errno = 0;
  PyMem_Resize(p, int, SIZE_MAX / 2);
  assert_null(p);
  assert_int_equal(errno, ENOMEM);
  books_expect_failure(before, TM_FAIL_OVERFLOW);
  pattern_expect(kept, 10 * sizeof(int), 5);

  p = kept;
  assert_int_equal(
      tm_limit_set(tm_heap_default(), TM_HARD, (int64_t)tm_footprint(tm_heap_default())), 0);
  before = books_read();
  PyMem_Resize(p, int, 1 << 20);
  assert_null(p);
  books_expect_failure(before, TM_FAIL_LIMIT);
  assert_int_equal(tm_limit_set(tm_heap_default(), TM_HARD, 0), 0);
  pattern_expect(kept, 10 * sizeof(int), 5);
  PyMem_Del(kept);
}

static int no_limit(void **state)
{
  (void)state;
  return tm_limit_set(tm_heap_default(), TM_HARD, 0);
}

/* n * sizeof is checked by the macro itself, and a failure is counted once. */
static void test_new_overflow_counts_once(void **state)
{
  (void)state;
  static const size_t counts[] = {SIZE_MAX, SIZE_MAX / 48 + 1, PTRDIFF_MAX / 48 + 1,
                                  (size_t)1 << 62, SIZE_MAX / 2};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    tm_stats before = books_read();
    errno = 0;
    wide *p = PyMem_New(wide, counts[i]);
    assert_null(p);
    assert_int_equal(errno, ENOMEM);
    books_expect_failure(before, TM_FAIL_OVERFLOW);
    before = books_read();
    p = PyMem_NEW(wide, counts[i]);
    assert_null(p);
    books_expect_failure(before, TM_FAIL_OVERFLOW);
  }
}

static void test_negative_counts_fail(void **state)
{
  (void)state;
  volatile int minus_one = -1;
  volatile Py_ssize_t lowest = PTRDIFF_MIN;
  tm_stats before = books_read();
  assert_null(PyMem_New(char, minus_one));
  books_expect_failure(before, TM_FAIL_OVERFLOW);
  before = books_read();
  assert_null(PyMem_New(char, lowest));
  books_expect_failure(before, TM_FAIL_OVERFLOW);
  before = books_read();
  assert_null(PyMem_New(wide, lowest));
  books_expect_failure(before, TM_FAIL_OVERFLOW);
}

static void test_old_names(void **state)
{
  (void)state;
  tm_stats before = books_read();
  char *p = PyMem_MALLOC(10);
  pattern_fill(p, 10, 1);
  p = PyMem_REALLOC(p, 1000);
  assert_non_null(p);
  pattern_expect(p, 10, 1);
  PyMem_FREE(p);
  wide *q = PyMem_NEW(wide, 3);
  assert_true(tm_usable_size(q) >= 144);
  wide *kept = q;
  PyMem_RESIZE(q, wide, SIZE_MAX / 2);
  assert_null(q);
  q = kept;
  PyMem_RESIZE(q, wide, 50);
  assert_true(tm_usable_size(q) >= 2400);
  PyMem_DEL(q);
  assert_int_equal(books_read().live_blocks, before.live_blocks);
}

/* The names are functions too: in parentheses, and as pointers. */
static void test_names_are_functions(void **state)
{
  (void)state;
  void *(*make)(size_t, size_t) = PyMem_New;
  void *(*resize)(void *, size_t, size_t) = PyMem_Resize;
  void (*end)(void *) = PyMem_Del;
  tm_pool_row before, after;
  assert_true(books_row("mem", &before));
  void *p = make(10, 10);
  assert_true(tm_usable_size(p) >= 100);
  p = resize(p, 30, 10);
  assert_true(tm_usable_size(p) >= 300);
  assert_true(books_row("mem", &after));
  assert_int_equal(after.live_bytes - before.live_bytes, tm_usable_size(p));
  end(p);
  p = (PyMem_NEW)(2, 8);
  p = (PyMem_RESIZE)(p, 4, 8);
  assert_null((PyMem_NEW)(SIZE_MAX / 2 + 2, 2)); /* the product wraps to 2 */
  assert_null((PyMem_RESIZE)(p, SIZE_MAX / 2 + 2, 2));
  end = PyMem_DEL;
  end(p);
  assert_true(books_row("mem", &after));
  assert_int_equal(after.live_bytes, before.live_bytes);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new_gives_room_for_n),
      cmocka_unit_test(test_resize_assigns),
      cmocka_unit_test_teardown(test_failed_resize_assigns_null, no_limit),
      cmocka_unit_test(test_new_overflow_counts_once),
      cmocka_unit_test(test_negative_counts_fail),
      cmocka_unit_test(test_old_names),
      cmocka_unit_test(test_names_are_functions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
