/* test_alloc.c - malloc, calloc, aligned_alloc: every size, family and alignment, and refusals. */
#include <errno.h>

#include <tidemark/gc.h>

#include "base/os.h"
#include "heap/types.h"
#include "support/books.h"
#include "support/random.h"
#include "support/shadow.h"

enum { FAMILIES = 3 };
static tm_heap *heap;

static int new_heap(void **state)
{
  (void)state;
  return tm_heap_new(&heap, NULL);
}

/* Whatever a test did, the books balance at its end. */
static int close_heap(void **state)
{
  (void)state;
  tm__os_fault(0, false);
  books_must_balance(heap);
  return tm_heap_close(heap);
}

static uint64_t live(void)
{
  return books_stats(heap).live_bytes;
}

static void must_be_zero(const unsigned char *p, size_t n)
{
  must(n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0));
}

/* ---- Zero bytes ----------------------------------------------------------------------------- */

static void zero_bytes_are_a_distinct_block(void **state)
{
  (void)state;
  enum { N = 100 };
  void *blocks[FAMILIES * 4 * N];
  size_t count = 0;
  for (int f = 0; f < FAMILIES; f++) {
    for (int i = 0; i < N; i++) {
      blocks[count++] = tm_malloc(heap, (tm_family)f, 0);
      blocks[count++] = tm_calloc(heap, (tm_family)f, 0, 17);
      blocks[count++] = tm_calloc(heap, (tm_family)f, 17, 0);
      blocks[count++] = tm_realloc(heap, (tm_family)f, NULL, 0);
    }
  }
  for (size_t i = 0; i < count; i++) {
    must(blocks[i] != NULL);
    must_equal(tm_usable_size(blocks[i]), 16);
    for (size_t j = 0; j < i; j++)
      must(blocks[i] != blocks[j]);
  }
  assert_int_equal(live(), count * 16);
  for (size_t i = 0; i < count; i++)
    tm_free(heap, (tm_family)(i / (4 * N)), blocks[i]);
  assert_int_equal(live(), 0);
}

/* ---- Every size ----------------------------------------------------------------------------- */

/* The promise of heap.h: at most 15 bytes more below 128, an eighth above, whole OS pages when
 * large. */
static size_t most_for(size_t n)
{
  if (n <= 128)
    return n ? (n + 15) / 16 * 16 : 16;
  return n <= 65536 ? n + n / 8 : (n + 4095) / 4096 * 4096;
}

static void check_size(tm_family family, size_t n)
{
  unsigned char *p = tm_malloc(heap, family, n), *q = tm_calloc(heap, family, n, 1);
  must(p && q && p != q);
  must_equal((uintptr_t)p % 16, 0);
  must_equal((uintptr_t)q % 16, 0);
  must(tm_usable_size(p) >= n && tm_usable_size(p) <= most_for(n));
  must_equal(tm_usable_size(p), tm_usable_size(q));
  must_be_zero(q, n);
  must_equal(live(), 2 * tm_usable_size(p));
  memset(p, 0x5a, tm_usable_size(p));
  memset(q, 0xa5, tm_usable_size(q));
  must(p[0] == 0x5a && p[tm_usable_size(p) - 1] == 0x5a);
  tm_free(heap, family, p);
  tm_free(heap, family, q);
  must_equal(live(), 0);
}

static void all_sizes_in_all_families(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    for (size_t n = 0; n <= 2100; n++)
      check_size((tm_family)f, n);
    for (size_t n = 2100; n <= 70000; n += 509)
      check_size((tm_family)f, n);
    for (size_t n = 4096; n <= (size_t)64 << 20; n *= 2) {
      check_size((tm_family)f, n - 1);
      check_size((tm_family)f, n);
      check_size((tm_family)f, n + 1);
    }
  }
}

/* Blocks that live at the same time do not overlap. */
static void blocks_do_not_overlap(void **state)
{
  (void)state;
  enum { N = 3000 };
  test_random r = {11};
  shadow s = {.failures = 0};
  for (int i = 0; i < N; i++) {
    size_t n = random_size(&r);
    unsigned family = (unsigned)random_below(&r, FAMILIES);
    shadow_keep(&s, shadow_born(&s, family, tm_malloc(heap, (tm_family)family, n), n));
  }
  for (size_t i = 0; i < s.count; i++)
    shadow_verify(&s.blocks[i], s.blocks[i].n);
  shadow_must_match(&s, heap);
  while (s.count) {
    shadow_block block = shadow_take(&s, s.count - 1);
    shadow_dies(&s, &block);
    tm_free(heap, (tm_family)block.row, block.p);
  }
  shadow_must_match(&s, heap);
  shadow_drop(&s);
}

static void calloc_is_zero_where_dirt_was(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 16, 100, 1000, 8192, 9000, 65536, 65537, 300000, 5 << 20};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    for (int round = 0; round < 20; round++) {
      unsigned char *p = tm_calloc(heap, TM_MEM, sizes[i], 1);
      must_be_zero(p, sizes[i]);
      memset(p, 0xee, tm_usable_size(p));
      tm_free(heap, TM_MEM, p);
      if (round % 7 == 6)
        (void)tm_trim(heap);
    }
  }
}

static void calloc_multiplies(void **state)
{
  (void)state;
  for (size_t count = 1; count <= 4096; count *= 3) {
    for (size_t size = 1; size <= 4096; size *= 5) {
      unsigned char *p = tm_calloc(heap, TM_RAW, count, size);
      assert_true(tm_usable_size(p) >= count * size);
      must_be_zero(p, count * size);
      tm_free(heap, TM_RAW, p);
    }
  }
}

/* ---- Alignment ------------------------------------------------------------------------------ */

static void check_alignment(tm_family family, size_t alignment, size_t n)
{
  unsigned char *p = tm_aligned_alloc(heap, family, alignment, n);
  unsigned char *q = tm_aligned_alloc(heap, family, alignment, n);
  must(p && q && p != q);
  must_equal((uintptr_t)p & (alignment - 1), 0);
  must_equal((uintptr_t)q & (alignment - 1), 0);
  must(tm_usable_size(p) >= n);
  must_equal(live(), tm_usable_size(p) + tm_usable_size(q));
  memset(p, 1, n);
  memset(q, 2, n);
  must(n == 0 || (p[0] == 1 && p[n - 1] == 1));
  p = tm_realloc(heap, family, p, n + n / 2 + 1);
  must(p && (n == 0 || (p[0] == 1 && p[n - 1] == 1)));
  tm_free(heap, family, q);
  tm_free(heap, family, p);
  must_equal(live(), 0);
}

static void every_alignment_up_to_64_mib(void **state)
{
  (void)state;
  static const size_t sizes[] = {0,    1,    16,    17,    100,   1000,   4096,
                                 5000, 8192, 40000, 65536, 65537, 200000, 3 << 20};
  for (size_t alignment = 1; alignment <= (size_t)64 << 20; alignment *= 2)
    for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++)
      check_alignment((tm_family)(i % FAMILIES), alignment, sizes[i]);
}

static void one_gib_is_the_largest_alignment(void **state)
{
  (void)state;
  char *p = tm_aligned_alloc(heap, TM_RAW, (size_t)1 << 30, 10);
  assert_non_null(p);
  assert_int_equal((uintptr_t)p & (((size_t)1 << 30) - 1), 0);
  p[9] = 1;
  tm_free(heap, TM_RAW, p);
}

static void wrong_alignments_are_einval(void **state)
{
  (void)state;
  static const size_t wrong[] = {0, 3, 6, 7, 24, 48, 65, (1 << 20) + 1, SIZE_MAX, (size_t)1 << 31};
  test_books before, after;
  books_read(heap, &before);
  for (size_t i = 0; i < TM_ARRAY_LEN(wrong); i++) {
    errno = 0;
    assert_null(tm_aligned_alloc(heap, TM_MEM, wrong[i], 100));
    assert_int_equal(errno, EINVAL);
  }
  books_read(heap, &after);
  books_must_equal(&before, &after);
  assert_int_equal(books_failures(&after.stats), 0);
}

/* Asking for what every block has costs nothing more. */
static void small_alignments_are_plain_blocks(void **state)
{
  (void)state;
  for (size_t alignment = 1; alignment <= 16; alignment *= 2) {
    void *p = tm_aligned_alloc(heap, TM_OBJ, alignment, 40);
    assert_int_equal(tm_usable_size(p), 48);
    tm_free(heap, TM_OBJ, p);
  }
}

/* ---- Refusals ------------------------------------------------------------------------------- */

/* The request failed with ENOMEM, was counted once, by this reason, and left no other trace. */
static void must_have_failed(const test_books *before, const void *p, tm_fail reason)
{
  test_books after;
  must(p == NULL);
  must_equal(errno, ENOMEM);
  books_read(heap, &after);
  books_must_equal(before, &after);
  for (int i = 0; i < TM_FAIL_COUNT; i++)
    must_equal(after.stats.failures_total[i], before->stats.failures_total[i] + (i == (int)reason));
  errno = 0;
}

static void overflows_are_refused(void **state)
{
  (void)state;
  static const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX / 2 + 16, SIZE_MAX - 16,
                                 SIZE_MAX};
  static const size_t pairs[][2] = {{SIZE_MAX, 2},
                                    {2, SIZE_MAX},
                                    {SIZE_MAX, SIZE_MAX},
                                    {(size_t)1 << 32, (size_t)1 << 32},
                                    {(size_t)1 << 33, 1u << 31},
                                    {3, SIZE_MAX / 3 + 1},
                                    {PTRDIFF_MAX, 2},
                                    {(size_t)PTRDIFF_MAX / 2 + 1, 2}};
  test_books before;
  void *p = tm_malloc(heap, TM_MEM, 100);
  for (int f = 0; f < FAMILIES; f++) {
    for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
      books_read(heap, &before);
      must_have_failed(&before, tm_malloc(heap, (tm_family)f, sizes[i]), TM_FAIL_OVERFLOW);
      books_read(heap, &before);
      must_have_failed(&before, tm_calloc(heap, (tm_family)f, 1, sizes[i]), TM_FAIL_OVERFLOW);
      books_read(heap, &before);
      must_have_failed(&before, tm_realloc(heap, (tm_family)f, NULL, sizes[i]), TM_FAIL_OVERFLOW);
      books_read(heap, &before);
      must_have_failed(&before, tm_aligned_alloc(heap, (tm_family)f, 64, sizes[i]),
                       TM_FAIL_OVERFLOW);
      books_read(heap, &before);
      must_have_failed(&before, tm_realloc(heap, TM_MEM, p, sizes[i]), TM_FAIL_OVERFLOW);
    }
    for (size_t i = 0; i < TM_ARRAY_LEN(pairs); i++) {
      books_read(heap, &before);
      must_have_failed(&before, tm_calloc(heap, (tm_family)f, pairs[i][0], pairs[i][1]),
                       TM_FAIL_OVERFLOW);
    }
  }
  tm_free(heap, TM_MEM, p);
}

/* Possible in C, but more than the private heap can ever hold. */
static void more_than_the_arena_is_refused(void **state)
{
  (void)state;
  static const size_t sizes[] = {PTRDIFF_MAX, PTRDIFF_MAX - 4096, (size_t)1 << 46};
  test_books before;
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    books_read(heap, &before);
    must_have_failed(&before, tm_malloc(heap, TM_RAW, sizes[i]), TM_FAIL_OS);
    books_read(heap, &before);
    must_have_failed(&before, tm_calloc(heap, TM_RAW, 1, sizes[i]), TM_FAIL_OS);
    books_read(heap, &before);
    must_have_failed(&before, tm_aligned_alloc(heap, TM_RAW, 4096, sizes[i]), TM_FAIL_OS);
  }
  assert_non_null(tm_malloc(heap, TM_RAW, 100));
}

static void the_hard_limit_is_a_reason_of_its_own(void **state)
{
  (void)state;
  test_books before;
  assert_int_equal(tm_limit_set(heap, TM_HARD, 1 << 20), 0);
  books_read(heap, &before);
  must_have_failed(&before, tm_malloc(heap, TM_RAW, 2 << 20), TM_FAIL_LIMIT);
  books_read(heap, &before);
  must_have_failed(&before, tm_calloc(heap, TM_RAW, 2, 1 << 20), TM_FAIL_LIMIT);
  books_read(heap, &before);
  must_have_failed(&before, tm_aligned_alloc(heap, TM_RAW, 1 << 20, 2 << 20), TM_FAIL_LIMIT);
  void *p = tm_malloc(heap, TM_RAW, 1 << 20);
  assert_non_null(p);
  books_read(heap, &before);
  must_have_failed(&before, tm_malloc(heap, TM_RAW, 0), TM_FAIL_LIMIT);
  tm_free(heap, TM_RAW, p);
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(zero_bytes_are_a_distinct_block),
      ON_A_HEAP(all_sizes_in_all_families),
      ON_A_HEAP(blocks_do_not_overlap),
      ON_A_HEAP(calloc_is_zero_where_dirt_was),
      ON_A_HEAP(calloc_multiplies),
      ON_A_HEAP(every_alignment_up_to_64_mib),
      ON_A_HEAP(one_gib_is_the_largest_alignment),
      ON_A_HEAP(wrong_alignments_are_einval),
      ON_A_HEAP(small_alignments_are_plain_blocks),
      ON_A_HEAP(overflows_are_refused),
      ON_A_HEAP(more_than_the_arena_is_refused),
      ON_A_HEAP(the_hard_limit_is_a_reason_of_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
