/* test_page.c - where blocks come from and where they go: carving, reuse, density, empty pages. */
#include "heap/page.h"

#include <sys/mman.h>

#include "heap/arena.h"
#include "heap/bin.h"
#include "support/books.h"
#include "support/pages.h"
#include "support/random.h"

static tm_heap *heap;

static int new_heap(void **state)
{
  (void)state;
  (void)tm_trim(tm_heap_default());
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  tm__os_fault(0, false);
  books_must_balance(heap);
  return tm_heap_close(heap);
}

static uint64_t pages(void)
{
  return books_stats(heap).pages;
}

static tm_page *page_of(const void *p)
{
  return tm__page_of(p, tm__tag_read(tm__slice_of(p)));
}

static void *get(size_t n)
{
  void *p = tm_malloc(heap, TM_MEM, n);
  must(p != NULL);
  return p;
}

static void put(void *p)
{
  tm_free(heap, TM_MEM, p);
}

/* The law of types.h. */
static void page_must_balance(const tm_page *page)
{
  uint32_t home = 0;
  for (const tm__block *block = page->free; block; block = block->next)
    home++;
  must_equal(tm__page_out(page) + home + (page->reserved - page->carved), page->reserved);
  must_equal((uint64_t)page->reserved * page->block_bytes / TM_SLICE,
             page->slices - ((uint64_t)page->reserved * page->block_bytes % TM_SLICE != 0));
}

/* ---- Carving -------------------------------------------------------------------------------- */

static void blocks_are_carved_in_address_order(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 48, 112, 1024, 8192, 20480, 65536};
  for (size_t k = 0; k < TM_ARRAY_LEN(sizes); k++) {
    char *last = get(sizes[k]);
    assert_int_equal((uintptr_t)last % TM_SLICE, 0);
    uint32_t reserved = page_of(last)->reserved;
    for (uint32_t i = 1; i < reserved; i++) {
      char *next = get(sizes[k]);
      assert_int_equal(next - last, sizes[k]);
      page_must_balance(page_of(next));
      last = next;
    }
    assert_ptr_not_equal(page_of(get(sizes[k])), page_of(last));
  }
}

/* Memory is touched where it is handed out, an OS page at a time: small programs pay nothing. */
static void a_page_is_touched_step_by_step(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 48, 1024};
  for (size_t k = 0; k < TM_ARRAY_LEN(sizes); k++) {
    const char *start = tm__page_address(page_of(get(sizes[k])));
    for (size_t used = sizes[k]; used + sizes[k] <= TM_SLICE; used += sizes[k]) {
      size_t resident = tm__os_resident(start, TM_SLICE);
      must(resident <= (used + 2 * TM_CARVE_BYTES - 1) / TM_CARVE_BYTES * TM_CARVE_BYTES);
      (void)get(sizes[k]);
    }
  }
}

static void as_many_pages_as_are_needed(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 80, 1000, 8000, 30000, 65536};
  for (size_t k = 0; k < TM_ARRAY_LEN(sizes); k++) {
    uint64_t before = pages();
    uint32_t reserved = page_of(get(sizes[k]))->reserved;
    for (uint32_t i = 1; i < 5 * reserved; i++)
      (void)get(sizes[k]);
    assert_int_equal(pages() - before, 5);
  }
}

/* ---- Coming home ---------------------------------------------------------------------------- */

enum { PER_PAGE = TM_SLICE / 64 };

static void fill_pages(void *blocks[], size_t count)
{
  for (size_t i = 0; i < count; i++)
    blocks[i] = get(64);
}

static void freed_blocks_are_used_before_new_pages(void **state)
{
  (void)state;
  static void *blocks[8 * PER_PAGE];
  test_random r = {1};
  fill_pages(blocks, 8 * PER_PAGE);
  assert_int_equal(pages(), 8);
  for (int round = 0; round < 30; round++) {
    for (int i = 0; i < 2 * PER_PAGE; i++) {
      size_t at = random_below(&r, 8 * PER_PAGE);
      put(blocks[at]);
      blocks[at] = NULL;
      blocks[at] = get(64);
    }
    for (size_t i = 0; i < 8 * PER_PAGE; i++)
      if (random_below(&r, 2))
        put(blocks[i]), blocks[i] = NULL;
    for (size_t i = 0; i < 8 * PER_PAGE; i++)
      if (!blocks[i])
        blocks[i] = get(64);
    /* one page more at most: a full page sleeps until a sixteenth of it is home */
    assert_in_range(pages(), 8, 9);
  }
}

static void empty_pages_go_back(void **state)
{
  (void)state;
  static void *blocks[40 * PER_PAGE];
  fill_pages(blocks, 40 * PER_PAGE);
  for (size_t i = 0; i < 40 * PER_PAGE; i++)
    put(blocks[i]);
  /* the active one, one at hand, and those that lists put aside lie on */
  uint64_t most = 3 + TM_STASH_BYTES / TM_SLICE;
  assert_true(pages() <= most);
  assert_true(books_stats(tm_heap_default()).dirty_bytes >= (40 - most) * TM_SLICE);
  (void)tm_trim(heap);
  assert_int_equal(pages(), 0);
}

static void empty_runs_of_medium_blocks_go_back(void **state)
{
  (void)state;
  static void *blocks[200];
  for (size_t i = 0; i < 200; i++)
    blocks[i] = get(40000);
  for (size_t i = 0; i < 200; i++)
    put(blocks[i]);
  assert_true(pages() <= 1);
}

/* A block that comes and goes costs no page each time, nor a system call. */
static void the_last_page_stays(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 1000, 8000, 40000};
  for (size_t k = 0; k < TM_ARRAY_LEN(sizes); k++) {
    put(get(sizes[k]));
    void *full[20];
    for (size_t i = 0; i < 20; i++)
      full[i] = get(sizes[k]);
    for (size_t i = 0; i < 20; i++)
      put(full[i]);
    unsigned long calls = tm__os_calls();
    uint64_t held = pages(), acquired = books_stats(heap).os_acquired_bytes_total;
    for (int i = 0; i < 10000; i++)
      put(get(sizes[k]));
    assert_int_equal(pages(), held);
    assert_int_equal(tm__os_calls(), calls);
    assert_int_equal(books_stats(heap).os_acquired_bytes_total, acquired);
  }
}

/* New blocks land on dense pages, so that sparse ones can become empty. */
static void the_densest_page_is_used_first(void **state)
{
  (void)state;
  static void *blocks[4 * PER_PAGE];
  fill_pages(blocks, 4 * PER_PAGE);
  const tm_page *sparse = page_of(blocks[0]), *dense = page_of(blocks[PER_PAGE]);
  for (size_t i = 0; i < PER_PAGE; i++) {
    if (i % 16)
      put(blocks[i]);
    if (i % 4 == 0)
      put(blocks[PER_PAGE + i]);
  }
  tm__bin_flush(heap->one, TM_MEM, tm__class_of(64));
  for (int i = 0; i < PER_PAGE / 4; i++)
    assert_ptr_equal(page_of(get(64)), dense);
  assert_ptr_equal(page_of(get(64)), sparse);
}

static void pages_balance_whatever_happens(void **state)
{
  (void)state;
  enum { N = 2000 };
  static void *blocks[N];
  test_random r = {2};
  for (int i = 0; i < 60000; i++) {
    size_t at = random_below(&r, N);
    if (blocks[at]) {
      put(blocks[at]);
      blocks[at] = NULL;
    } else {
      blocks[at] = get(random_below(&r, 4) ? 64 : 30000);
      page_must_balance(page_of(blocks[at]));
    }
    if (i % 5000 == 0)
      must(tm_heap_check(heap) == 0);
  }
  memset(blocks, 0, sizeof blocks);
}

/* ---- Refusals ------------------------------------------------------------------------------- */

/* A bin that cannot be refilled stays as it is; later it can. */
static void a_refused_page_leaves_the_bin(void **state)
{
  (void)state;
  test_books before, after;
  (void)get(300);
  tm__os_fault(1, true);
  /* what is committed ahead is used up: large runs, medium ones, then the bins */
  while (tm_malloc(heap, TM_MEM, 300 << 10) != NULL) {
  }
  while (tm_malloc(heap, TM_MEM, 60000) != NULL) {
  }
  while (tm_malloc(heap, TM_MEM, 100) != NULL) {
  }
  books_read(heap, &before);
  for (int i = 0; i < 10; i++)
    assert_null(tm_malloc(heap, TM_MEM, 100));
  books_read(heap, &after);
  books_must_equal(&before, &after);
  assert_int_equal(after.stats.failures_total[TM_FAIL_OS],
                   before.stats.failures_total[TM_FAIL_OS] + 10);
  assert_int_equal(tm_heap_check(heap), TM_ENOMEM); /* it needs memory to look */
  tm__os_fault(0, false);
  assert_non_null(tm_malloc(heap, TM_MEM, 100));
}

/* Kernels before 5.14 do not. */
static bool knows_populate(void)
{
  void *p = tm__os_map(TM_SLICE);
  must(p != NULL);
  bool known = madvise(p, TM_SLICE, MADV_POPULATE_WRITE) == 0;
  must_equal(tm__os_unreserve(p, TM_SLICE), 0);
  return known;
}

static size_t resident_of(const void *p)
{
  return tm__os_resident(tm__page_address(page_of(p)), TM_SLICE);
}

/* Regression: each 4 KiB of a heap that grew cost a fault of its own. */
static void pages_of_a_grown_bin_are_backed_in_one_piece(void **state)
{
  (void)state;
  enum { BLOCK = 1024, BLOCKS = TM_GROWN_BYTES / BLOCK };
  for (int i = 0; i < BLOCKS; i++) {
    void *p = get(BLOCK);
    if ((uint64_t)(uintptr_t)p % TM_SLICE == 0) /* the first of its page */
      must_equal(resident_of(p), TM_OS_PAGE);
  }
  void *first = get(BLOCK);
  must_equal((uint64_t)(uintptr_t)first % TM_SLICE, 0); /* BLOCKS fill whole slices */
  must_equal(resident_of(first), knows_populate() ? TM_SLICE : TM_OS_PAGE);
  void *other = get(2048); /* a bin that did not grow goes on step by step */
  must_equal(resident_of(other), TM_OS_PAGE);
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(blocks_are_carved_in_address_order),
      ON_A_HEAP(a_page_is_touched_step_by_step),
      ON_A_HEAP(as_many_pages_as_are_needed),
      ON_A_HEAP(freed_blocks_are_used_before_new_pages),
      ON_A_HEAP(empty_pages_go_back),
      ON_A_HEAP(empty_runs_of_medium_blocks_go_back),
      ON_A_HEAP(the_last_page_stays),
      ON_A_HEAP(the_densest_page_is_used_first),
      ON_A_HEAP(pages_balance_whatever_happens),
      ON_A_HEAP(a_refused_page_leaves_the_bin),
      ON_A_HEAP(pages_of_a_grown_bin_are_backed_in_one_piece),
  };
  pages_stay_small();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
