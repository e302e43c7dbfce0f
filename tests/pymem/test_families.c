/* test_families.c - the manual's contract for blocks of bytes, in each of the three families. */
#define _GNU_SOURCE
#include "pymem/families.h"

#include <pthread.h>

/* ---- Zero bytes ----------------------------------------------------------------------------- */

static void test_zero_bytes_give_distinct_blocks(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    const family_api *api = &families[f];
    void *blocks[] = {api->alloc(0),        api->alloc(0),           api->zeroed(0, 1),
                      api->zeroed(7, 0),    api->zeroed(0, 0),       api->zeroed(0, SIZE_MAX),
                      api->resize(NULL, 0), api->zeroed(SIZE_MAX, 0)};
    enum { COUNT = sizeof blocks / sizeof blocks[0] };
    for (int i = 0; i < COUNT; i++) {
      assert_non_null(blocks[i]);
      for (int j = 0; j < i; j++)
        assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    for (int i = 0; i < COUNT; i++)
      api->release(blocks[i]);
  }
}

static void test_resize_to_zero_keeps_a_live_block(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 100, 5000, 100000, 2 << 20};
  for (int f = 0; f < FAMILIES; f++) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      tm_stats before = books_read();
      void *p = families[f].alloc(sizes[i]);
      void *q = families[f].resize(p, 0);
      assert_non_null(q);
      assert_int_equal(books_read().live_blocks, before.live_blocks + 1);
      void *r = families[f].resize(q, sizes[i]);
      assert_non_null(r);
      families[f].release(r);
      assert_int_equal(books_read().live_bytes, before.live_bytes);
      assert_int_equal(books_read().live_blocks, before.live_blocks);
    }
  }
}

/* ---- Sizes and alignment -------------------------------------------------------------------- */

/* One block of n bytes: aligned, large enough, usable to its last byte, booked to the byte. */
static void check_size(const family_api *api, size_t n)
{
  tm_stats before = books_read();
  unsigned char *p = api->alloc(n);
  if (!p)
    fail_msg("%s of %zu bytes failed", api->alloc_name, n);
  size_t usable = tm_usable_size(p);
  if ((uintptr_t)p % 16 != 0 || usable < n || !tm_owns(p))
    fail_msg("%s(%zu): %p with %zu usable bytes", api->alloc_name, n, (void *)p, usable);
  memset(p, 0xA5, usable);
  tm_stats with = books_read();
  assert_int_equal(with.live_bytes, before.live_bytes + usable);
  assert_int_equal(with.live_blocks, before.live_blocks + 1);
  assert_int_equal(with.allocs_total, before.allocs_total + 1);
  api->release(p);

  /* the same memory again, most likely: it must be zero now */
  unsigned char *q = api->zeroed(1, n);
  assert_non_null(q);
  assert_int_equal((uintptr_t)q % 16, 0);
  for (size_t i = 0; i < n; i++)
    if (q[i] != 0)
      fail_msg("byte %zu of a zeroed block of %zu is %#x", i, n, q[i]);
  api->release(q);
  tm_stats after = books_read();
  assert_int_equal(after.live_bytes, before.live_bytes);
  assert_int_equal(after.frees_total, before.frees_total + 2);
}

static void check_around(const family_api *api, size_t border)
{
  static const int offsets[] = {-17, -16, -15, -1, 0, 1, 15, 16, 17};
  for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
    check_size(api, border + (size_t)offsets[i]);
}

static void test_every_small_size(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++)
    for (size_t n = 0; n <= 1100; n++)
      check_size(&families[f], n);
}

/* The classes: eight per doubling, up to 128 KiB. */
static void test_every_class_border(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++)
    for (size_t power = 1024; power < 128 * 1024; power *= 2)
      for (size_t step = 0; step < 8; step++)
        check_around(&families[f], power + step * (power / 8));
}

static void test_around_slices_and_a_megabyte(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    for (size_t slices = 1; slices <= 5; slices++)
      check_around(&families[f], slices * 65536);
    check_around(&families[f], 15 * 65536);
    check_around(&families[f], 1 << 20);
    check_around(&families[f], (1 << 20) + 65536);
  }
}

static void test_a_quarter_gigabyte(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    tm_stats before = books_read();
    unsigned char *p = families[f].alloc((size_t)256 << 20);
    assert_non_null(p);
    p[0] = 1;
    p[((size_t)256 << 20) - 1] = 2;
    families[f].release(p);
    assert_int_equal(books_read().live_bytes, before.live_bytes);
  }
}

/* ---- Too much ------------------------------------------------------------------------------- */

static void expect_failed(const void *p, tm_stats before, tm_fail reason)
{
  assert_null(p);
  assert_int_equal(errno, ENOMEM);
  books_expect_failure(before, reason);
}

static void test_sizes_above_ptrdiff_max(void **state)
{
  (void)state;
  static const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1,
                                 (size_t)PTRDIFF_MAX + 2,
                                 (size_t)PTRDIFF_MAX + 17,
                                 SIZE_MAX - 65536,
                                 SIZE_MAX - 4096,
                                 SIZE_MAX - 16,
                                 SIZE_MAX - 15,
                                 SIZE_MAX - 1,
                                 SIZE_MAX};
  for (int f = 0; f < FAMILIES; f++) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      tm_stats before = books_read();
      errno = 0;
      expect_failed(families[f].alloc(sizes[i]), before, TM_FAIL_OVERFLOW);
      before = books_read();
      errno = 0;
      expect_failed(families[f].zeroed(sizes[i], 1), before, TM_FAIL_OVERFLOW);
      before = books_read();
      errno = 0;
      expect_failed(families[f].resize(NULL, sizes[i]), before, TM_FAIL_OVERFLOW);
    }
  }
}

/* Up to PTRDIFF_MAX it is not an overflow: the machine just does not have it. */
static void test_sizes_up_to_ptrdiff_max(void **state)
{
  (void)state;
  static const size_t sizes[] = {PTRDIFF_MAX,      PTRDIFF_MAX - 1,     PTRDIFF_MAX - 15,
                                 PTRDIFF_MAX - 16, PTRDIFF_MAX - 65536, PTRDIFF_MAX / 2 + 1,
                                 (size_t)1 << 48};
  for (int f = 0; f < FAMILIES; f++) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      tm_stats before = books_read();
      errno = 0;
      expect_failed(families[f].alloc(sizes[i]), before, TM_FAIL_OS);
      void *p = families[f].alloc(100);
      pattern_fill(p, 100, 3);
      before = books_read();
      errno = 0;
      expect_failed(families[f].resize(p, sizes[i]), before, TM_FAIL_OS);
      pattern_expect(p, 100, 3);
      families[f].release(p);
    }
  }
}

static void test_products_that_overflow(void **state)
{
  (void)state;
  static const size_t pairs[][2] = {{SIZE_MAX, SIZE_MAX},
                                    {SIZE_MAX, 2},
                                    {2, SIZE_MAX / 2 + 1},
                                    {(size_t)1 << 32, (size_t)1 << 32},
                                    {((size_t)1 << 32) + 1, (size_t)1 << 32},
                                    {PTRDIFF_MAX / 2 + 1, 2},
                                    {PTRDIFF_MAX / 16 + 1, 16},
                                    {3, SIZE_MAX / 3 + 1}};
  for (int f = 0; f < FAMILIES; f++) {
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
      tm_stats before = books_read();
      errno = 0;
      expect_failed(families[f].zeroed(pairs[i][0], pairs[i][1]), before, TM_FAIL_OVERFLOW);
    }
  }
}

/* ---- Resizing ------------------------------------------------------------------------------- */

static void test_resize_of_null_is_malloc(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    tm_stats before = books_read();
    void *p = families[f].resize(NULL, 333);
    assert_non_null(p);
    assert_true(tm_usable_size(p) >= 333);
    tm_stats after = books_read();
    assert_int_equal(after.allocs_total, before.allocs_total + 1);
    assert_int_equal(after.reallocs_total, before.reallocs_total);
    families[f].release(p);
  }
}

/* A walk through small, medium and large sizes, up and down: content and books follow. */
static void test_resize_keeps_content_and_books(void **state)
{
  (void)state;
  uint32_t random = 12345;
  for (int f = 0; f < FAMILIES; f++) {
    tm_stats before = books_read();
    size_t n = 1;
    unsigned char *p = families[f].alloc(n);
    pattern_fill(p, n, 1);
    for (unsigned step = 2; step < 400; step++) {
      random = random * 1664525u + 1013904223u;
      size_t to = (size_t)(random >> 8) % ((size_t)16 << ((random >> 4) % 17)); /* to 1 MiB */
      unsigned char *q = families[f].resize(p, to);
      assert_non_null(q);
      assert_int_equal((uintptr_t)q % 16, 0);
      pattern_expect(q, n < to ? n : to, step - 1);
      size_t usable = tm_usable_size(q);
      assert_true(usable >= to);
      assert_int_equal(books_read().live_bytes, before.live_bytes + usable);
      pattern_fill(q, usable, step);
      n = to;
      p = q;
    }
    families[f].release(p);
    tm_stats after = books_read();
    assert_int_equal(after.live_bytes, before.live_bytes);
    assert_int_equal(after.reallocs_total, before.reallocs_total + 398);
  }
}

static void test_large_blocks_grow_step_by_step(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    size_t n = 60000;
    unsigned char *p = families[f].alloc(n);
    void *neighbour = families[f].alloc(200000); /* may stand in the way: then it must move */
    pattern_fill(p, n, 9);
    for (int i = 0; i < 60; i++) {
      size_t to = n + 50000;
      p = families[f].resize(p, to);
      assert_non_null(p);
      pattern_expect(p, n, 9);
      pattern_fill(p, to, 9);
      n = to;
    }
    families[f].release(neighbour);
    families[f].release(p);
  }
}

/* A hard limit at the present footprint: no block can grow, all must stay as they are. */
static void test_failed_resize_keeps_the_block(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 40, 500, 3000, 20000, 65536, 300000, 3 << 20};
  enum { SIZES = sizeof sizes / sizeof sizes[0] };
  tm_heap *heap = tm_heap_default();
  for (int f = 0; f < FAMILIES; f++) {
    unsigned char *blocks[SIZES];
    for (int i = 0; i < SIZES; i++) {
      blocks[i] = families[f].alloc(sizes[i]);
      pattern_fill(blocks[i], sizes[i], (unsigned)i);
    }
    assert_int_equal(tm_limit_set(heap, TM_HARD, (int64_t)tm_footprint(heap)), 0);
    for (int i = 0; i < SIZES; i++) {
      size_t usable = tm_usable_size(blocks[i]);
      tm_stats before = books_read();
      errno = 0;
      expect_failed(families[f].resize(blocks[i], usable + (4 << 20)), before, TM_FAIL_LIMIT);
      before = books_read();
      errno = 0;
      expect_failed(families[f].resize(blocks[i], SIZE_MAX), before, TM_FAIL_OVERFLOW);
      assert_int_equal(tm_usable_size(blocks[i]), usable);
      pattern_expect(blocks[i], sizes[i], (unsigned)i);
    }
    assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
    for (int i = 0; i < SIZES; i++)
      families[f].release(blocks[i]);
  }
}

static int no_limit(void **state)
{
  (void)state;
  return tm_limit_set(tm_heap_default(), TM_HARD, 0);
}

/* ---- Freeing, rows, threads ----------------------------------------------------------------- */

static void test_free_of_null_and_errno(void **state)
{
  (void)state;
  static const size_t sizes[] = {10, 3000, 70000, 5 << 20};
  for (int f = 0; f < FAMILIES; f++) {
    tm_stats before = books_read();
    families[f].release(NULL);
    assert_int_equal(books_read().frees_total, before.frees_total);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      void *p = families[f].alloc(sizes[i]);
      errno = EXDEV;
      families[f].release(p);
      assert_int_equal(errno, EXDEV);
    }
  }
}

static void test_each_family_has_its_row(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    tm_pool_row before[FAMILIES], after;
    for (int g = 0; g < FAMILIES; g++)
      assert_true(books_row(families[g].row, &before[g]));
    void *p = families[f].alloc(5000);
    for (int g = 0; g < FAMILIES; g++) {
      assert_true(books_row(families[g].row, &after));
      assert_int_equal(after.family, families[g].id);
      uint64_t more = g == f ? tm_usable_size(p) : 0;
      assert_int_equal(after.live_bytes, before[g].live_bytes + more);
      assert_int_equal(after.live_blocks, before[g].live_blocks + (g == f));
    }
    families[f].release(p);
  }
}

/* The first call of a fresh thread may be any of the twelve. */
static void *first_call(void *arg)
{
  unsigned which = (unsigned)(uintptr_t)arg;
  const family_api *api = &families[which % FAMILIES];
  switch (which / FAMILIES) {
  case 0:
    return api->alloc(77);
  case 1:
    return api->zeroed(7, 11);
  case 2:
    return api->resize(NULL, 77);
  default: {
    api->release(NULL);
    return api->alloc(0);
  }
  }
}

static void test_first_call_in_a_fresh_thread(void **state)
{
  (void)state;
  tm_stats before = books_read();
  for (uintptr_t which = 0; which < 4 * FAMILIES; which++) {
    pthread_t thread;
    void *p;
    assert_int_equal(pthread_create(&thread, NULL, first_call, (void *)which), 0);
    assert_int_equal(pthread_join(thread, &p), 0);
    assert_non_null(p);
    families[which % FAMILIES].release(p); /* and freed by another thread after its exit */
  }
  tm_stats after = books_read();
  assert_int_equal(after.live_bytes, before.live_bytes);
  assert_int_equal(after.allocs_total, before.allocs_total + 4 * FAMILIES);
  assert_int_equal(after.frees_total, before.frees_total + 4 * FAMILIES);
  assert_int_equal(tm_heap_check(tm_heap_default()), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_zero_bytes_give_distinct_blocks),
      cmocka_unit_test(test_resize_to_zero_keeps_a_live_block),
      cmocka_unit_test(test_every_small_size),
      cmocka_unit_test(test_every_class_border),
      cmocka_unit_test(test_around_slices_and_a_megabyte),
      cmocka_unit_test(test_a_quarter_gigabyte),
      cmocka_unit_test(test_sizes_above_ptrdiff_max),
      cmocka_unit_test(test_sizes_up_to_ptrdiff_max),
      cmocka_unit_test(test_products_that_overflow),
      cmocka_unit_test(test_resize_of_null_is_malloc),
      cmocka_unit_test(test_resize_keeps_content_and_books),
      cmocka_unit_test(test_large_blocks_grow_step_by_step),
      cmocka_unit_test_teardown(test_failed_resize_keeps_the_block, no_limit),
      cmocka_unit_test(test_free_of_null_and_errno),
      cmocka_unit_test(test_each_family_has_its_row),
      cmocka_unit_test(test_first_call_in_a_fresh_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
