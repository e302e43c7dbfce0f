/* test_holes.c - free parts of pages go back, and come again with every block intact. */
#include "heap/holes.h"

#include <string.h>

#include "support/books.h"

enum { MOST = 40000 };
static unsigned char *blocks[MOST];
static size_t sizes[MOST];
static uint64_t state = 88172645463325252u;

static size_t below(size_t n)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % n;
}

static void make(tm_heap *heap, size_t i, size_t most)
{
  sizes[i] = 1 + below(most);
  blocks[i] = tm_malloc(heap, TM_OBJ, sizes[i]);
  assert_non_null(blocks[i]);
  memset(blocks[i], (int)(i & 255), sizes[i]);
}

static void end(tm_heap *heap, size_t i)
{
  for (size_t k = 0; k < sizes[i]; k++)
    assert_int_equal(blocks[i][k], i & 255);
  tm_free(heap, TM_OBJ, blocks[i]);
  blocks[i] = NULL;
}

static tm_stats stats_of(const tm_heap *heap)
{
  tm_stats stats;
  tm_stats_init(&stats);
  assert_int_equal(tm_stats_read(heap, &stats), 0);
  return stats;
}

static tm_heap *fresh(void)
{
  tm_heap *heap = NULL;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  return heap;
}

/* One block in a hundred survives a burst, spread over all pages: most of each page goes back. */
static void survivors_do_not_hold_their_pages(void **unused)
{
  (void)unused;
  tm_heap *heap = fresh();
  for (size_t i = 0; i < MOST; i++)
    make(heap, i, 400);
  for (size_t i = 0; i < MOST; i++)
    if (i % 500)
      end(heap, i);
  tm_stats full = stats_of(heap);
  uint64_t returned = tm_trim(heap);
  tm_stats trimmed = stats_of(heap);
  assert_int_equal(trimmed.live_bytes, full.live_bytes);
  assert_true(trimmed.free_bytes < full.free_bytes / 5);
  assert_true(returned >= (full.free_bytes - trimmed.free_bytes) / 2);
  assert_int_equal(trimmed.committed_bytes, trimmed.live_bytes + trimmed.free_bytes +
                                                trimmed.waste_bytes + trimmed.dirty_bytes +
                                                trimmed.meta_bytes);
  assert_int_equal(tm_heap_check(heap), 0);
  assert_int_equal(tm_trim(heap), 0); /* nothing more, and nothing twice */
  for (size_t i = 0; i < MOST; i += 500)
    end(heap, i);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* A block in each `step`-th place of the first `count` that has none. */
static void fill(tm_heap *heap, size_t count, size_t step, size_t most)
{
  for (size_t i = 0; i < count; i += step)
    if (!blocks[i])
      make(heap, i, most);
}

/* Random sizes of all classes come and go between trims; contents and books stay right. */
static void holes_are_filled_again(void **unused)
{
  (void)unused;
  tm_heap *heap = fresh();
  for (int round = 0; round < 12; round++) {
    size_t most = round % 3 == 0 ? 60000 : round % 3 == 1 ? 6000 : 300;
    size_t count = most > 10000 ? 800 : 6000;
    fill(heap, count, 1, most);
    for (size_t i = 0; i < count; i++)
      if (blocks[i] && below(20))
        end(heap, i);
    (void)tm_trim(heap);
    assert_int_equal(tm_heap_check(heap), 0);
    fill(heap, count, 2, most);
    assert_int_equal(tm_heap_check(heap), 0);
  }
  for (size_t i = 0; i < MOST; i++)
    if (blocks[i])
      end(heap, i);
  (void)tm_trim(heap);
  assert_int_equal(stats_of(heap).pages, 0);
  assert_int_equal(tm_heap_check(heap), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* The system refuses to purge: the blocks are linked again and nothing is booked. */
static void a_refused_purge_loses_nothing(void **unused)
{
  (void)unused;
  tm_heap *heap = fresh();
  for (size_t i = 0; i < 5000; i++)
    make(heap, i, 300);
  for (size_t i = 0; i < 5000; i++)
    if (i % 100)
      end(heap, i);
  tm__os_fault(1, true);
  assert_int_equal(tm_trim(heap), 0);
  tm__os_fault(0, false);
  assert_int_equal(stats_of(heap).os_released_bytes_total, 0);
  assert_int_equal(tm_heap_check(heap), 0);
  uint64_t free_bytes = stats_of(heap).free_bytes;
  assert_true(tm_trim(heap) > free_bytes / 2);
  assert_int_equal(tm_heap_check(heap), 0);
  for (size_t i = 0; i < 5000; i += 100)
    end(heap, i);
  assert_int_equal(tm_heap_close(heap), 0);
}

static int count_blocks(void *ctx, const tm_walk_item *item)
{
  *(size_t *)ctx += item->kind == TM_WALK_BLOCK;
  return 0;
}

/* A walk shows the live blocks of a page with holes and no other. */
static void a_walk_sees_holes_as_free(void **unused)
{
  (void)unused;
  tm_heap *heap = fresh();
  size_t seen = 0;
  for (size_t i = 0; i < 3000; i++)
    make(heap, i, 200);
  for (size_t i = 0; i < 3000; i++)
    if (i % 50)
      end(heap, i);
  assert_true(tm_trim(heap) > 0);
  assert_int_equal(tm_heap_walk(heap, count_blocks, &seen), 0);
  assert_int_equal(seen, 60);
  for (size_t i = 0; i < 3000; i += 50)
    end(heap, i);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(survivors_do_not_hold_their_pages),
      cmocka_unit_test(holes_are_filled_again),
      cmocka_unit_test(a_refused_purge_loses_nothing),
      cmocka_unit_test(a_walk_sees_holes_as_free),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
