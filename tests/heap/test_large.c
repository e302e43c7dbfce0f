/* test_large.c - blocks above 64 KiB: growing in place, by page tables, shrinking, what is zero. */
#include "heap/large.h"

#include <errno.h>

#include <tidemark/gc.h>

#include "heap/arena.h"
#include "support/books.h"
#include "support/pages.h"
#include "support/shadow.h"

enum { MIB = 1 << 20 };
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
  int error = tm_heap_close(heap);
  (void)tm_trim(tm_heap_default()); /* each test starts with an arena that is cold */
  return error;
}

static shadow_block new_block(size_t n)
{
  return shadow_born(&s, TM_MEM, tm_malloc(heap, TM_MEM, n), n);
}

static void resize(shadow_block *block, size_t n)
{
  shadow_resized(&s, block, tm_realloc(heap, TM_MEM, block->p, n), n);
}

static void end(shadow_block *block)
{
  shadow_dies(&s, block);
  tm_free(heap, TM_MEM, block->p);
}

/* Every byte, where the shadow only looks at some. */
static void fill_all(const shadow_block *block, unsigned byte)
{
  memset(block->p, (int)byte, block->n);
}

static void must_hold(const unsigned char *p, size_t n, unsigned byte)
{
  must(n == 0 || (p[0] == byte && memcmp(p, p + 1, n - 1) == 0));
}

/* ---- Charge --------------------------------------------------------------------------------- */

static void whole_os_pages_are_charged(void **state)
{
  (void)state;
  for (size_t n = 65537; n < 5 * MIB; n = n * 5 / 4 + 333) {
    shadow_block block = new_block(n);
    must_equal(block.usable, (n + 4095) / 4096 * 4096);
    must_equal((uintptr_t)block.p % TM_SLICE, 0);
    tm_stats stats = books_stats(heap);
    must_equal(stats.live_bytes, block.usable);
    must_equal(stats.free_bytes, 0);
    must_equal(stats.waste_bytes, (TM_SLICE - block.usable % TM_SLICE) % TM_SLICE);
    must_equal(stats.pages, 1);
    end(&block);
  }
}

/* ---- Growing -------------------------------------------------------------------------------- */

static void a_block_grows_in_place_where_there_is_room(void **state)
{
  (void)state;
  shadow_block block = new_block(100000);
  unsigned char *at = block.p;
  for (size_t n = 100001; n < 40 * MIB; n = n * 3 / 2)
    resize(&block, n);
  assert_ptr_equal(block.p, at);
  end(&block);
}

/* A wall behind it: the block must move; its content comes along, whichever way. */
static void a_block_that_is_walled_in_moves(void **state)
{
  (void)state;
  static const size_t sizes[] = {70000, 200000, MIB - 4096, MIB, MIB + 4096, 5 * MIB, 33 * MIB};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    shadow_block block = new_block(sizes[i]), wall = new_block(70000);
    unsigned char *at = block.p;
    fill_all(&block, 0x77);
    unsigned char *p = tm_realloc(heap, TM_MEM, block.p, 3 * sizes[i]);
    must(p != NULL && p != at);
    must_hold(p, sizes[i], 0x77);
    memset(p, 0x33, 3 * sizes[i]);
    block.n = 0; /* the pattern is ours */
    shadow_resized(&s, &block, p, 3 * sizes[i]);
    end(&block);
    end(&wall);
  }
}

/* Page tables move, so that the pages are resident once, not twice. */
static void moving_large_blocks_copies_nothing(void **state)
{
  (void)state;
  shadow_block block = new_block(64 * MIB), wall = new_block(70000);
  fill_all(&block, 1);
  const unsigned char *old = block.p;
  unsigned char *p = tm_realloc(heap, TM_MEM, block.p, 80 * MIB);
  must(p != old);
  assert_int_equal(tm__os_resident(old, 64 * MIB), 0);
  assert_true(tm__os_resident(p, 80 * MIB) <= 64 * MIB + 4096);
  must_hold(p, 64 * MIB, 1);
  block.n = 0;
  shadow_resized(&s, &block, p, 80 * MIB);
  end(&block);
  end(&wall);
}

static void a_failed_move_of_page_tables_copies(void **state)
{
  (void)state;
  shadow_block block = new_block(4 * MIB), spare = new_block(20 * MIB), wall = new_block(70000);
  end(&spare); /* committed room for the new place: the move is the only call that can fail */
  shadow_block plug = new_block(70000);
  fill_all(&block, 5);
  unsigned long calls = tm__os_calls();
  tm__os_fault(1, true);
  unsigned char *p = tm_realloc(heap, TM_MEM, block.p, 8 * MIB);
  tm__os_fault(0, false);
  assert_true(tm__os_calls() > calls);
  must(p != NULL);
  must_hold(p, 4 * MIB, 5);
  block.n = 0;
  shadow_resized(&s, &block, p, 8 * MIB);
  end(&block);
  end(&plug);
  end(&wall);
}

/* ---- Shrinking ------------------------------------------------------------------------------ */

static void shrinking_gives_slices_back_in_place(void **state)
{
  (void)state;
  shadow_block block = new_block(16 * MIB);
  unsigned char *at = block.p;
  for (size_t n = 15 * MIB; n > 66000; n = n * 2 / 3) {
    uint64_t before = tm__arena_dirty_bytes(), old = block.usable;
    resize(&block, n);
    assert_ptr_equal(block.p, at);
    assert_int_equal(tm__arena_dirty_bytes() - before,
                     (uint64_t)(tm__large_slices(old) - tm__large_slices(block.usable)) * TM_SLICE);
    assert_int_equal(books_stats(heap).committed_bytes - books_stats(heap).meta_bytes,
                     (uint64_t)tm__large_slices(block.usable) * TM_SLICE);
  }
  end(&block);
}

/*
 * Regression: a block that had shrunk within its last slice was moved by page tables; what stood
 * behind its end stayed in the old slices, which were then taken for untouched:
 *
 *   old run  [ 2 MiB + 4 KiB moved ][ 56 KiB of old content | "clean" ]   ->  calloc
 */
static void what_a_move_leaves_behind_is_not_zero(void **state)
{
  (void)state;
  size_t full = 2 * MIB + TM_SLICE;
  shadow_block block = new_block(full), wall = new_block(70000);
  fill_all(&block, 0xaa);
  block.n = 0;
  resize(&block, 2 * MIB + 4096);
  resize(&block, 9 * MIB); /* moves */
  (void)tm__arena_purge(0, NULL);
  unsigned char *p = tm_calloc(heap, TM_MEM, 1, full);
  must_hold(p, full, 0);
  shadow_block zero = shadow_born(&s, TM_MEM, p, full);
  end(&zero);
  end(&block);
  end(&wall);
}

/* calloc of fresh memory does not touch it; of used memory it must. */
static void calloc_touches_only_what_it_must(void **state)
{
  (void)state;
  unsigned char *p = tm_calloc(heap, TM_MEM, 1, 32 * MIB);
  assert_int_equal(tm__os_resident(p, 32 * MIB), 0);
  shadow_block block = shadow_born(&s, TM_MEM, p, 32 * MIB);
  fill_all(&block, 9);
  block.n = 0;
  end(&block);
  unsigned char *q = tm_calloc(heap, TM_MEM, 1, 32 * MIB);
  assert_ptr_equal(q, p);
  must_hold(q, 32 * MIB, 0);
  block = shadow_born(&s, TM_MEM, q, 32 * MIB);
  end(&block);
}

/* ---- Refusals ------------------------------------------------------------------------------- */

static void a_refused_move_leaves_the_block(void **state)
{
  (void)state;
  test_books before, after;
  shadow_block block = new_block(3 * MIB), wall = new_block(70000);
  size_t want = ((size_t)tm__arena_top() + 600) << TM_SLICE_SHIFT; /* the arena must grow for it */
  for (unsigned nth = 1;; nth++) {
    books_read(heap, &before);
    tm__os_fault(nth, true);
    errno = 0;
    void *p = tm_realloc(heap, TM_MEM, block.p, want);
    tm__os_fault(0, false);
    if (p) {
      assert_true(nth > 2);
      shadow_resized(&s, &block, p, want);
      break;
    }
    assert_int_equal(errno, ENOMEM);
    books_read(heap, &after);
    books_must_equal(&before, &after);
    assert_int_equal(after.stats.failures_total[TM_FAIL_OS], nth);
    s.failures++;
    shadow_verify(&block, block.n);
  }
  end(&block);
  end(&wall);
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(whole_os_pages_are_charged),
      ON_A_HEAP(a_block_grows_in_place_where_there_is_room),
      ON_A_HEAP(a_block_that_is_walled_in_moves),
      ON_A_HEAP(moving_large_blocks_copies_nothing),
      ON_A_HEAP(a_failed_move_of_page_tables_copies),
      ON_A_HEAP(shrinking_gives_slices_back_in_place),
      ON_A_HEAP(what_a_move_leaves_behind_is_not_zero),
      ON_A_HEAP(calloc_touches_only_what_it_must),
      ON_A_HEAP(a_refused_move_leaves_the_block),
  };
  pages_stay_small();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
