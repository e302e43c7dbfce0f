/*
 * test_free.c - freeing: NULL, errno, every size by every thread, mixed families when that is only
 * reported, questions about pointers. The reports themselves are in tests/misuse/.
 */
#include "heap/free.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/assert.h"
#include "support/books.h"
#include "support/random.h"
#include "support/shadow.h"
#include "support/threads.h"

static const size_t sizes[] = {0,    1,    16,    100,   1024,  4000,   8192,
                               8193, 9000, 40000, 65536, 65537, 200000, 5 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0], FAMILIES = 3 };

static tm_heap *heap;

static int new_heap(void **state)
{
  tm_heap_config config;
  (void)state;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  return tm_heap_new(&heap, &config);
}

static int close_heap(void **state)
{
  (void)state;
  books_must_balance(heap);
  return tm_heap_close(heap);
}

static void null_does_nothing(void **state)
{
  (void)state;
  test_books before, after;
  books_read(heap, &before);
  for (int f = 0; f < FAMILIES; f++)
    tm_free(heap, (tm_family)f, NULL);
  books_read(heap, &after);
  books_must_equal(&before, &after);
}

static void errno_is_kept(void **state)
{
  (void)state;
  for (int i = 0; i < SIZES; i++) {
    void *blocks[50];
    for (int b = 0; b < 50; b++)
      must((blocks[b] = tm_malloc(heap, TM_MEM, sizes[i])) != NULL);
    for (int b = 0; b < 50; b++) {
      errno = 4711;
      tm_free(heap, TM_MEM, blocks[b]);
      assert_int_equal(errno, 4711);
    }
  }
  errno = 4711;
  tm_free(heap, TM_MEM, NULL);
  assert_int_equal(errno, 4711);
}

static void each_free_is_booked(void **state)
{
  (void)state;
  for (int f = 0; f < FAMILIES; f++) {
    for (int i = 0; i < SIZES; i++) {
      void *p = tm_malloc(heap, (tm_family)f, sizes[i]);
      tm_stats before = books_stats(heap);
      size_t usable = tm_usable_size(p);
      tm_free(heap, (tm_family)f, p);
      tm_stats after = books_stats(heap);
      assert_int_equal(before.live_bytes - after.live_bytes, usable);
      assert_int_equal(after.freed_bytes_total - before.freed_bytes_total, usable);
      assert_int_equal(after.frees_total - before.frees_total, 1);
      assert_int_equal(after.allocated_bytes_total, before.allocated_bytes_total);
    }
  }
}

/* ---- By other threads ----------------------------------------------------------------------- */

typedef struct handed {
  shadow made, ended;
} handed;

/* Ends what another thread made: checks the pattern, frees or resizes and frees. */
static void end_all(void *ctx, unsigned index)
{
  handed *h = ctx;
  test_random r = {index};
  while (h->made.count) {
    shadow_block block = shadow_take(&h->made, random_below(&r, h->made.count));
    if (random_below(&r, 4) == 0) {
      size_t n = random_size(&r);
      shadow_resized(&h->ended, &block, tm_realloc(heap, (tm_family)block.row, block.p, n), n);
    }
    shadow_dies(&h->ended, &block);
    errno = 4711;
    tm_free(heap, (tm_family)block.row, block.p);
    must_equal(errno, 4711);
  }
}

static void another_thread_may_free_and_resize(void **state)
{
  (void)state;
  handed h;
  test_random r = {51};
  memset(&h, 0, sizeof h);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 1500; i++) {
      unsigned family = (unsigned)random_below(&r, FAMILIES);
      size_t n = random_size(&r);
      shadow_keep(&h.made, shadow_born(&h.made, family, tm_malloc(heap, (tm_family)family, n), n));
    }
    thread_run(end_all, &h);
    assert_int_equal(books_stats(heap).live_bytes, 0);
  }
  shadow_merge(&h.ended, &h.made);
  shadow_must_match(&h.ended, heap);
  shadow_drop(&h.made);
}

/* ---- Mixed families that are let pass -------------------------------------------------------- */

static int silent_reports(void **state)
{
  (void)state;
  tm__report_fd_set(open("/dev/null", O_WRONLY));
  return new_heap(state);
}

static int loud_reports(void **state)
{
  tm__report_fd_set(2);
  return tm_mismatch_set(TM_MISMATCH_ABORT) + close_heap(state);
}

/* The block leaves the books of the family that it was charged to. */
static void a_mixed_block_is_refunded_where_it_was_charged(void **state)
{
  (void)state;
  static const tm_mismatch policies[] = {TM_MISMATCH_REPORT, TM_MISMATCH_IGNORE};
  uint64_t count = 0;
  for (int k = 0; k < 2; k++) {
    assert_int_equal(tm_mismatch_set(policies[k]), 0);
    for (int i = 0; i < SIZES; i++) {
      tm_pool_row mem, obj;
      void *p = tm_malloc(heap, TM_MEM, sizes[i]);
      assert_non_null(p);
      if (i % 2)
        p = tm_realloc(heap, TM_OBJ, p, sizes[i] + 10), count++;
      tm_free(heap, TM_OBJ, p), count++;
      assert_int_equal(tm_pool_stats_read(heap, TM_MEM, &mem), 1);
      assert_int_equal(tm_pool_stats_read(heap, TM_OBJ, &obj), 1);
      assert_int_equal(mem.live_bytes, 0);
      assert_int_equal(mem.live_blocks, 0);
      assert_int_equal(obj.allocs_total + obj.frees_total + obj.reallocs_total, 0);
      assert_int_equal(books_stats(heap).family_mismatches_total, count);
    }
  }
  assert_int_equal(tm_mismatch_set((tm_mismatch)3), TM_EINVAL);
  assert_int_equal(tm_mismatch_set((tm_mismatch)-1), TM_EINVAL);
}

/* ---- Questions ------------------------------------------------------------------------------ */

static void what_is_ours(void **state)
{
  (void)state;
  int on_stack;
  void *p = tm_malloc(heap, TM_MEM, 100), *foreign = malloc(100);
  assert_int_equal(tm_owns(p), 1);
  assert_int_equal(tm_owns((char *)p + 50), 1);
  assert_int_equal(tm_owns(foreign), 0);
  assert_int_equal(tm_owns(&on_stack), 0);
  assert_int_equal(tm_owns(&heap), 0);
  assert_int_equal(tm_owns(NULL), 0);
  assert_int_equal(tm_owns(tm__arena.base), 1);
  assert_int_equal(tm_owns(tm__arena.base - 1), 0);
  assert_int_equal(tm_owns(tm__arena.base + tm__arena.bytes), 0);
  tm_free(heap, TM_MEM, p);
  assert_int_equal(tm_owns(p), 1); /* whether or not a block is there */
  free(foreign);
}

static void usable_sizes(void **state)
{
  (void)state;
  int on_stack;
  void *foreign = malloc(100);
  assert_int_equal(tm_usable_size(NULL), 0);
  assert_int_equal(tm_usable_size(&on_stack), 0);
  assert_int_equal(tm_usable_size(foreign), 0);
  assert_int_equal(tm_usable_size(tm__arena.base + tm__arena.bytes - 16), 0);
  free(foreign);
  for (int i = 0; i < SIZES; i++) {
    unsigned char *p = tm_malloc(heap, TM_MEM, sizes[i]);
    size_t usable = tm_usable_size(p);
    assert_true(usable >= sizes[i] && usable >= 16);
    memset(p, 0x55, usable); /* all of it may be used */
    tm_free(heap, TM_MEM, p);
  }
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(null_does_nothing),
      ON_A_HEAP(errno_is_kept),
      ON_A_HEAP(each_free_is_booked),
      ON_A_HEAP(another_thread_may_free_and_resize),
      cmocka_unit_test_setup_teardown(a_mixed_block_is_refunded_where_it_was_charged,
                                      silent_reports, loud_reports),
      ON_A_HEAP(what_is_ours),
      ON_A_HEAP(usable_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
