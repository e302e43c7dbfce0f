/*
 * test_compact.c - the hint: only blocks of sparse pages should move, and a host that moves as it
 * is told empties pages; what moving could repair is what the statistics say.
 */
#include "heap/compact.h"

#include <tidemark/gc.h>

#include "heap/page.h"
#include "support/books.h"
#include "support/clock.h"
#include "support/random.h"
#include "support/shadow.h"
#include "support/threads.h"

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
  shadow_must_match(&s, heap);
  books_must_balance(heap);
  shadow_drop(&s);
  return tm_heap_close(heap);
}

/* n blocks of this size; then all are freed but those that `keeps` says, by their number. */
static void make_holes(size_t blocks, size_t bytes, bool (*keeps)(size_t i))
{
  for (size_t i = 0; i < blocks; i++)
    shadow_keep(&s, shadow_born(&s, TM_OBJ, tm_malloc(heap, TM_OBJ, bytes), bytes));
  size_t kept = 0;
  for (size_t i = 0; i < blocks; i++) {
    if (keeps(i)) {
      s.blocks[kept++] = s.blocks[i];
      continue;
    }
    shadow_dies(&s, &s.blocks[i]);
    tm_free(heap, TM_OBJ, s.blocks[i].p);
  }
  s.count = kept;
}

static bool all(size_t i)
{
  (void)i;
  return true;
}

static bool every_tenth(size_t i)
{
  return i % 10 == 0;
}

/* Pages of 512-byte blocks hold 128: dense ones and sparse ones by turns. */
static bool pages_by_turns(size_t i)
{
  return i / 128 % 2 == 0 ? i % 8 != 0 : i % 16 == 0;
}

/* What a host does in its compact hook; returns how many blocks moved. */
static size_t move_as_told(void)
{
  size_t moved = 0;
  for (size_t i = 0; i < s.count; i++) {
    shadow_block *old = &s.blocks[i];
    if (!tm_should_move(old->p))
      continue;
    shadow_block new = shadow_born(&s, TM_OBJ, tm_malloc(heap, TM_OBJ, old->n), old->n);
    shadow_dies(&s, old);
    tm_free(heap, TM_OBJ, old->p);
    *old = new;
    moved++;
  }
  return moved;
}

static void end_all(void)
{
  while (s.count) {
    shadow_block block = shadow_take(&s, s.count - 1);
    shadow_dies(&s, &block);
    tm_free(heap, TM_OBJ, block.p);
  }
}

/* ---- The hint ------------------------------------------------------------------------------- */

static void dense_heaps_have_nothing_to_move(void **state)
{
  (void)state;
  make_holes(5000, 200, all);
  for (size_t i = 0; i < s.count; i++)
    must(tm_should_move(s.blocks[i].p) == 0);
  end_all();
}

static void what_is_no_block_stays(void **state)
{
  (void)state;
  int on_stack;
  assert_int_equal(tm_should_move(NULL), 0);
  assert_int_equal(tm_should_move(&on_stack), 0);
  void *large = tm_malloc(heap, TM_OBJ, 1 << 20);
  assert_int_equal(tm_should_move(large), 0);
  tm_free(heap, TM_OBJ, large);
  assert_int_equal(tm_should_move(large), 0);
  s.rows[TM_OBJ] = (shadow_row){1 << 20, 1 << 20, 1, 1, 0};
}

static void only_sparse_pages_are_left(void **state)
{
  (void)state;
  size_t dense = 0, sparse = 0, moved_dense = 0, moved_sparse = 0;
  make_holes(128 * 40, 512, pages_by_turns);
  for (size_t i = 0; i < s.count; i++) {
    const tm_page *page = tm__page_of(s.blocks[i].p, tm__tag_read(tm__slice_of(s.blocks[i].p)));
    bool is_dense = tm__page_out(page) > 64;
    bool moves = tm_should_move(s.blocks[i].p) == 1;
    dense += is_dense;
    sparse += !is_dense;
    moved_dense += moves && is_dense;
    moved_sparse += moves && !is_dense;
  }
  assert_true(dense > 1000 && sparse > 100);
  assert_true(moved_dense <= dense / 10); /* one page, where the sparse ones fit into the rest */
  assert_true(moved_sparse > sparse / 2);
  end_all();
}

/* The page that is handed out from is where moved blocks land. */
static void the_active_page_stays(void **state)
{
  (void)state;
  make_holes(6000, 100, every_tenth);
  void *last = tm_malloc(heap, TM_OBJ, 100);
  tm__tag tag = tm__tag_read(tm__slice_of(last));
  const tm_page *active = tm__page_of(last, tag);
  for (size_t i = 0; i < s.count; i++)
    if (tm__page_of(s.blocks[i].p, tm__tag_read(tm__slice_of(s.blocks[i].p))) == active)
      must(tm_should_move(s.blocks[i].p) == 0);
  assert_int_equal(tm_should_move(last), 0);
  shadow_keep(&s, shadow_born(&s, TM_OBJ, last, 100));
  end_all();
}

/* ---- Moving --------------------------------------------------------------------------------- */

static void moving_as_told_empties_pages(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 48, 200, 512, 1000, 4000, 8000, 20000};
  for (size_t k = 0; k < TM_ARRAY_LEN(sizes); k++) {
    make_holes((8 << 20) / sizes[k] < 20000 ? (8 << 20) / sizes[k] : 20000, sizes[k], every_tenth);
    tm_stats before = books_stats(heap); /* a trim would also give back parts of pages */
    (void)tm_trim(heap);
    size_t moved = 0;
    for (int pass = 0; pass < 10; pass++)
      moved += move_as_told();
    (void)tm_trim(heap);
    tm_stats after = books_stats(heap);
    assert_true(moved > 0);
    assert_true(moved <= 3 * s.count); /* it comes to an end */
    assert_int_equal(after.live_bytes, before.live_bytes);
    assert_true(after.pages <= before.pages / 4 + 2);
    assert_true(after.committed_bytes < before.committed_bytes);
    /* the trim has put the page that was handed out from among the others: then it holds still */
    assert_true(move_as_told() + move_as_told() + move_as_told() <= TM_SLICE / sizes[k]);
    assert_int_equal(move_as_told(), 0);
    end_all();
  }
}

/* ---- What could be repaired ------------------------------------------------------------------ */

static int compact(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  return move_as_told() ? TM_HOOK_DONE : TM_HOOK_NOTHING;
}

/* fragmentation_bytes counts what moving can release, and is small when nothing can. */
static void fragmentation_is_what_moving_repairs(void **state)
{
  (void)state;
  test_clock clock;
  test_clock_start(&clock);
  make_holes(40000, 200, every_tenth);
  test_clock_move_ms(&clock, 1000);
  uint64_t fixable = tm__compact_fixable(heap, books_stats(heap).freed_bytes_total);
  uint64_t span = books_stats(heap).pages * TM_SLICE;
  assert_in_range(fixable, span * 8 / 10, span);
  assert_int_equal(books_stats(heap).fragmentation_bytes, fixable);
  for (int pass = 0; pass < 5; pass++)
    (void)move_as_told();
  test_clock_move_ms(&clock, 1000);
  assert_true(tm__compact_fixable(heap, books_stats(heap).freed_bytes_total) <= span / 20);
  end_all();
  test_clock_stop();
}

/* The rung that a host registers is run by the engine when fragmentation is worth it. */
static void the_compact_rung_runs_the_hosts_hook(void **state)
{
  (void)state;
  test_clock clock;
  tm_action_row row;
  test_clock_start(&clock);
  assert_int_equal(tm_hook_add(heap, TM_COMPACT, compact, NULL, NULL), 0);
  make_holes(200000, 200, every_tenth);
  uint64_t pages = books_stats(heap).pages;
  for (int i = 0; i < 50; i++) {
    test_clock_move_ms(&clock, 1000);
    tm_free(heap, TM_RAW, tm_malloc(heap, TM_RAW, 1 << 20)); /* the host works on */
    s.rows[TM_RAW].allocs++, s.rows[TM_RAW].allocated_bytes += 1 << 20;
    s.rows[TM_RAW].frees++, s.rows[TM_RAW].freed_bytes += 1 << 20;
    (void)tm_poll(heap);
  }
  assert_int_equal(tm_action_stats_read(heap, TM_COMPACT, &row), 1);
  assert_true(row.runs_total > 0);
  (void)tm_trim(heap);
  assert_true(books_stats(heap).pages < pages / 2);
  end_all();
  test_clock_stop();
}

/* ---- Other threads' blocks ------------------------------------------------------------------- */

typedef struct theirs {
  tm_heap *heap;
  void *blocks[4000];
} theirs;

static void make_theirs(void *ctx, unsigned index)
{
  theirs *t = ctx;
  (void)index;
  for (size_t i = 0; i < TM_ARRAY_LEN(t->blocks); i++)
    must((t->blocks[i] = tm_malloc(t->heap, TM_OBJ, 200)) != NULL);
  for (size_t i = 0; i < TM_ARRAY_LEN(t->blocks); i++)
    if (i % 10)
      tm_free(t->heap, TM_OBJ, t->blocks[i]);
}

static void only_the_owner_is_told_to_move(void **state)
{
  (void)state;
  static theirs t;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&t.heap, &config), 0);
  void *mine = tm_malloc(t.heap, TM_OBJ, 16); /* so that the other thread has a shard of its own */
  thread_run(make_theirs, &t);
  for (size_t i = 0; i < TM_ARRAY_LEN(t.blocks); i += 10)
    assert_int_equal(tm_should_move(t.blocks[i]), 0);
  tm_free(t.heap, TM_OBJ, mine);
  assert_int_equal(tm_heap_check(t.heap), 0);
  assert_int_equal(tm_heap_close(t.heap), 0);
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(dense_heaps_have_nothing_to_move),
      ON_A_HEAP(what_is_no_block_stays),
      ON_A_HEAP(only_sparse_pages_are_left),
      ON_A_HEAP(the_active_page_stays),
      ON_A_HEAP(moving_as_told_empties_pages),
      ON_A_HEAP(fragmentation_is_what_moving_repairs),
      ON_A_HEAP(the_compact_rung_runs_the_hosts_hook),
      cmocka_unit_test(only_the_owner_is_told_to_move),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
