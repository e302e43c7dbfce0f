/* test_realloc.c - resizing: content, books, where blocks stay and where they move, refusals. */
#include <errno.h>

#include <tidemark/gc.h>

#include "base/os.h"
#include "heap/types.h"
#include "support/books.h"
#include "support/random.h"
#include "support/shadow.h"

enum { FAMILIES = 3 };
static tm_heap *heap;
static shadow s;

static int new_heap(void **state)
{
  (void)state;
  memset(&s, 0, sizeof s);
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  tm__os_fault(0, false);
  shadow_must_match(&s, heap);
  books_must_balance(heap);
  shadow_drop(&s);
  return tm_heap_close(heap);
}

static shadow_block new_block(tm_family family, size_t n)
{
  return shadow_born(&s, family, tm_malloc(heap, family, n), n);
}

static void resize(shadow_block *block, size_t n)
{
  shadow_resized(&s, block, tm_realloc(heap, (tm_family)block->row, block->p, n), n);
}

static void end(shadow_block *block)
{
  shadow_dies(&s, block);
  tm_free(heap, (tm_family)block->row, block->p);
}

/* ---- Content and books ---------------------------------------------------------------------- */

static void any_size_to_any_size(void **state)
{
  (void)state;
  static const size_t sizes[] = {
      0,      1,     16,    17,    64,    65,     500,    4096,    8192,    8193,
      30000,  65535, 65536, 65537, 69632, 131072, 200000, 1 << 20, 2 << 20, (2 << 20) + 5000,
      7 << 20};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    for (size_t j = 0; j < TM_ARRAY_LEN(sizes); j++) {
      shadow_block block = new_block((tm_family)(i % FAMILIES), sizes[i]);
      resize(&block, sizes[j]);
      shadow_must_match(&s, heap);
      end(&block);
    }
  }
}

static void random_walks_of_many_blocks(void **state)
{
  (void)state;
  enum { BLOCKS = 60, STEPS = 20000 };
  test_random r = {3};
  for (int i = 0; i < BLOCKS; i++)
    shadow_keep(&s, new_block((tm_family)(i % FAMILIES), random_size(&r)));
  for (int i = 0; i < STEPS; i++) {
    resize(&s.blocks[random_below(&r, BLOCKS)], random_size(&r));
    if (i % 100 == 0)
      shadow_must_match(&s, heap);
    if (i % 1000 == 0)
      books_must_balance(heap);
  }
  while (s.count) {
    shadow_block block = shadow_take(&s, s.count - 1);
    end(&block);
  }
}

/* Decision 12: NULL is an alloc; all others are resizes, in place or not, and never an alloc. */
static void what_counts_as_a_realloc(void **state)
{
  (void)state;
  void *p = tm_realloc(heap, TM_MEM, NULL, 100);
  shadow_block block = shadow_born(&s, TM_MEM, p, 100);
  tm_stats stats = books_stats(heap);
  assert_int_equal(stats.allocs_total, 1);
  assert_int_equal(stats.reallocs_total, 0);
  resize(&block, 101);   /* in place */
  resize(&block, 5000);  /* moves */
  resize(&block, 90000); /* becomes large */
  resize(&block, 90001); /* in place, same pages */
  resize(&block, 0);     /* small again, and alive */
  assert_non_null(block.p);
  stats = books_stats(heap);
  assert_int_equal(stats.allocs_total, 1);
  assert_int_equal(stats.frees_total, 0);
  assert_int_equal(stats.reallocs_total, 5);
  assert_int_equal(stats.live_bytes, tm_usable_size(block.p));
  end(&block);
}

static void zero_bytes_keep_a_small_live_block(void **state)
{
  (void)state;
  static const size_t sizes[] = {0, 1, 16, 64, 100, 5000, 100000};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    shadow_block block = new_block(TM_OBJ, sizes[i]);
    resize(&block, 0);
    assert_non_null(block.p);
    assert_true(tm_usable_size(block.p) <= 64);
    assert_int_equal(books_stats(heap).live_blocks, 1);
    end(&block);
  }
}

/* ---- Where blocks stay ---------------------------------------------------------------------- */

static void a_block_that_fits_stays(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 100, 500, 4000, 50000};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    shadow_block block = new_block(TM_RAW, sizes[i]);
    unsigned char *at = block.p;
    resize(&block, tm_usable_size(at)); /* all of it may be used */
    assert_ptr_equal(block.p, at);
    resize(&block, sizes[i] * 3 / 4);
    assert_ptr_equal(block.p, at);
    assert_int_equal(books_stats(heap).live_bytes, tm_usable_size(at));
    end(&block);
  }
}

/* A big block that became a small one does not hold on to its memory. */
static void shrinking_gives_memory_back(void **state)
{
  (void)state;
  static const size_t sizes[] = {1000, 8192, 65536, 200000, 10 << 20};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    shadow_block block = new_block(TM_RAW, sizes[i]);
    resize(&block, 100);
    assert_int_equal(tm_usable_size(block.p), 112);
    assert_int_equal(books_stats(heap).live_bytes, 112);
    end(&block);
  }
}

/* ---- Refusals ------------------------------------------------------------------------------- */

/* The block, its content and the books are what they were. */
static void must_be_refused(const shadow_block *block, size_t n, tm_fail reason)
{
  test_books before, after;
  books_read(heap, &before);
  errno = 0;
  must(tm_realloc(heap, (tm_family)block->row, block->p, n) == NULL);
  must_equal(errno, ENOMEM);
  books_read(heap, &after);
  books_must_equal(&before, &after);
  must_equal(after.stats.failures_total[reason], before.stats.failures_total[reason] + 1);
  must_equal(books_failures(&after.stats), books_failures(&before.stats) + 1);
  s.failures++;
  shadow_verify(block, block->n);
  must_equal(tm_usable_size(block->p), block->usable);
}

static void a_refused_resize_leaves_the_block(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 100, 4096, 60000, 65536, 90000, 3 << 20};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    shadow_block block = new_block(TM_OBJ, sizes[i]);
    must_be_refused(&block, (size_t)PTRDIFF_MAX + 1, TM_FAIL_OVERFLOW);
    must_be_refused(&block, SIZE_MAX, TM_FAIL_OVERFLOW);
    must_be_refused(&block, PTRDIFF_MAX, TM_FAIL_OS);
    assert_int_equal(tm_limit_set(heap, TM_HARD, (int64_t)block.usable), 0);
    must_be_refused(&block, 2 * sizes[i] + 64, TM_FAIL_LIMIT);
    must_be_refused(&block, 4 << 20, TM_FAIL_LIMIT);
    resize(&block, block.usable); /* what fits is granted */
    resize(&block, sizes[i] / 3);
    assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
    resize(&block, 4 << 20);
    end(&block);
  }
}

/* A resize needs credit for the difference only: the limit is met to the byte. */
static void a_resize_up_to_the_limit_is_granted(void **state)
{
  (void)state;
  static const size_t sizes[][2] = {{16, 32},        {1024, 8192},      {4096, 65536},
                                    {65536, 131072}, {131072, 1 << 20}, {4 << 20, 9 << 20}};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    shadow_block block = new_block(TM_MEM, sizes[i][0]);
    assert_int_equal(block.usable, sizes[i][0]);
    assert_int_equal(tm_limit_set(heap, TM_HARD, (int64_t)sizes[i][1] - 1), 0);
    must_be_refused(&block, sizes[i][1], TM_FAIL_LIMIT);
    assert_int_equal(tm_limit_set(heap, TM_HARD, (int64_t)sizes[i][1]), 0);
    resize(&block, sizes[i][1]);
    assert_int_equal(books_stats(heap).footprint_bytes, sizes[i][1]);
    assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
    end(&block);
  }
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(any_size_to_any_size),
      ON_A_HEAP(random_walks_of_many_blocks),
      ON_A_HEAP(what_counts_as_a_realloc),
      ON_A_HEAP(zero_bytes_keep_a_small_live_block),
      ON_A_HEAP(a_block_that_fits_stays),
      ON_A_HEAP(shrinking_gives_memory_back),
      ON_A_HEAP(a_refused_resize_leaves_the_block),
      ON_A_HEAP(a_resize_up_to_the_limit_is_granted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
