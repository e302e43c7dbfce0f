/* test_bin.c - the lists that malloc pops: their law, what is put aside, what goes home. */
#include "heap/bin.h"

#include "heap/batch.h"
#include "heap/page.h"
#include "support/books.h"
#include "support/pages.h"
#include "support/random.h"

enum { BLOCK = 64, MANY = 8000 };

static tm_heap *heap;
static void *blocks[MANY];

static int new_heap(void **state)
{
  (void)state;
  memset(blocks, 0, sizeof blocks);
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  books_must_balance(heap);
  return tm_heap_close(heap);
}

static tm__row *row(void)
{
  return heap->one->rows[TM_MEM];
}

static tm__bin *bin(void)
{
  return &row()->bins[tm__class_of(BLOCK)];
}

static tm__queue *queue(void)
{
  return &row()->queues[tm__class_of(BLOCK)];
}

static uint64_t length_of(const tm__block *list)
{
  uint64_t length = 0;
  for (; list; list = list->next)
    length++;
  return length;
}

/* The law of types.h, and that of what is put aside. */
static void bin_must_balance(void)
{
  uint64_t aside = 0;
  must_equal(length_of(bin()->head), tm__bin_length(bin()));
  for (const tm__block *batch = bin()->stash; batch; batch = tm__batch_rest(batch)) {
    must_equal(length_of(batch), tm__batch_count(batch));
    aside += (uint64_t)tm__batch_count(batch) * BLOCK;
  }
  must_equal(aside, queue()->stash_bytes);
  must(aside <= TM_STASH_BYTES);
  must(heap->one->stashed_bytes >= aside);
}

static void get_all(size_t count)
{
  for (size_t i = 0; i < count; i++)
    blocks[i] = tm_malloc(heap, TM_MEM, BLOCK);
}

static void put_all(size_t count)
{
  for (size_t i = 0; i < count; i++)
    tm_free(heap, TM_MEM, blocks[i]);
}

/* ---- The list ------------------------------------------------------------------------------- */

static void the_last_block_freed_comes_first(void **state)
{
  (void)state;
  get_all(20);
  put_all(20);
  for (size_t i = 20; i-- > 0;)
    assert_ptr_equal(tm_malloc(heap, TM_MEM, BLOCK), blocks[i]);
  bin_must_balance();
}

/* Frees, allocations and resizes in any order: a resize moves blocks that the books do not see. */
static void the_length_is_known_whatever_happens(void **state)
{
  (void)state;
  test_random r = {3};
  for (int i = 0; i < 40000; i++) {
    void **at = &blocks[random_below(&r, 1000)];
    size_t n = BLOCK - random_below(&r, 8);
    if (*at && random_below(&r, 3) == 0)
      *at = tm_realloc(heap, TM_MEM, *at, random_below(&r, 2) ? n : 700);
    else if (*at)
      tm_free(heap, TM_MEM, *at), *at = NULL;
    else
      *at = tm_malloc(heap, TM_MEM, n);
    if (row() && i % 16 == 0)
      bin_must_balance();
  }
}

/* ---- What is put aside ----------------------------------------------------------------------- */

static void long_lists_are_put_aside_and_used_again(void **state)
{
  (void)state;
  get_all(MANY);
  put_all(TM_LIST_MOST / 2);
  uint64_t pages = books_stats(heap).pages, calls = tm__os_calls();
  for (size_t i = TM_LIST_MOST / 2; i < 900; i++)
    tm_free(heap, TM_MEM, blocks[i]);
  assert_non_null(bin()->stash);
  bin_must_balance();
  for (size_t i = 900; i-- > 0;)
    assert_ptr_equal(tm_malloc(heap, TM_MEM, BLOCK), blocks[i]);
  bin_must_balance();
  assert_int_equal(books_stats(heap).pages, pages);
  assert_int_equal(tm__os_calls(), calls);
}

static void what_is_kept_is_bounded(void **state)
{
  (void)state;
  get_all(MANY);
  for (size_t i = 0; i < MANY; i++) {
    tm_free(heap, TM_MEM, blocks[i]);
    bin_must_balance();
    must(tm__bin_length(bin()) <= 2 * TM_LIST_MOST);
  }
}

/* One class after the other keeps what it may: all together have a bound of their own. */
static void a_shard_keeps_so_much_and_no_more(void **state)
{
  (void)state;
  for (size_t n = BLOCK; n <= TM_SMALL_MAX; n += n / 8) {
    size_t count = 512 * 1024 / n;
    count = count < MANY ? count : MANY;
    for (size_t i = 0; i < count; i++)
      blocks[i] = tm_malloc(heap, TM_MEM, n);
    put_all(count);
    must(heap->one->stashed_bytes <= TM_STASHED_MOST);
  }
  assert_true(heap->one->stashed_bytes >= TM_STASHED_MOST / 2);
  (void)tm_trim(heap);
  assert_int_equal(heap->one->stashed_bytes, 0);
  assert_int_equal(books_stats(heap).pages, 0);
}

static void a_flush_leaves_nothing(void **state)
{
  (void)state;
  get_all(2000);
  put_all(1500);
  tm__bin_flush(heap->one, TM_MEM, tm__class_of(BLOCK));
  assert_null(bin()->head);
  assert_null(bin()->stash);
  bin_must_balance();
  uint64_t home = 0, out = 0;
  for (const tm_page *page = queue()->first; page; page = page->next) {
    home += length_of(page->free);
    out += tm__page_out(page);
  }
  assert_true(home > 0 && out <= 500);
  put_all(0);
  for (size_t i = 1500; i < 2000; i++)
    tm_free(heap, TM_MEM, blocks[i]);
}

/* While a host compacts, what it frees leaves its page for good. */
static void direct_frees_go_home(void **state)
{
  (void)state;
  get_all(3000);
  put_all(200);
  queue()->direct = 10;
  bin()->full_at = 0;
  uint64_t before = tm__bin_length(bin());
  for (size_t i = 200; i < 210; i++)
    tm_free(heap, TM_MEM, blocks[i]);
  assert_int_equal(tm__bin_length(bin()), before);
  bin_must_balance();
  for (size_t i = 210; i < 215; i++)
    tm_free(heap, TM_MEM, blocks[i]);
  assert_int_equal(tm__bin_length(bin()), before + 5);
  bin_must_balance();
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(the_last_block_freed_comes_first),
      ON_A_HEAP(the_length_is_known_whatever_happens),
      ON_A_HEAP(long_lists_are_put_aside_and_used_again),
      ON_A_HEAP(what_is_kept_is_bounded),
      ON_A_HEAP(a_shard_keeps_so_much_and_no_more),
      ON_A_HEAP(a_flush_leaves_nothing),
      ON_A_HEAP(direct_frees_go_home),
  };
  pages_stay_small();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
