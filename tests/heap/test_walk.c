/* test_walk.c - the walk shows exactly the live blocks, in address order, and their pages. */
#include "heap/walk.h"

#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

static int compare_blocks(const void *a, const void *b)
{
  const shadow_block *x = a, *y = b;
  return x->p < y->p ? -1 : x->p > y->p;
}

/* What the walk should show next, and what it has shown. */
typedef struct visit {
  const shadow *shadow; /* its blocks sorted by address */
  tm_heap *heap;
  size_t next;
  const char *page, *end; /* the page that is being shown */
  size_t block_bytes, left;
  const char *pool;
  uint64_t pages, span;
} visit;

static void see_page(visit *v, const tm_walk_item *item)
{
  must_equal(v->left, 0); /* all blocks of the last page were shown */
  must((const char *)item->address >= v->end);
  must(item->live_blocks <= item->blocks);
  must(item->blocks * item->block_bytes <= item->bytes);
  must_equal(item->bytes % TM_SLICE, 0);
  must_equal((uintptr_t)item->address % TM_SLICE, 0);
  v->page = item->address;
  v->end = v->page + item->bytes;
  v->block_bytes = item->block_bytes;
  v->left = item->live_blocks;
  v->pool = item->pool;
  v->pages++;
  v->span += item->bytes;
}

static void see_block(visit *v, const tm_walk_item *item)
{
  tm_pool_row row;
  must(v->next < v->shadow->count);
  const shadow_block *block = &v->shadow->blocks[v->next++];
  must(v->left-- > 0);
  must(item->address == block->p);
  must_equal(item->bytes, block->usable);
  must_equal(item->block_bytes, v->block_bytes);
  must_equal(item->blocks, 1);
  must_equal(item->live_blocks, 1);
  must((char *)item->address >= v->page && (char *)item->address + item->bytes <= v->end);
  must(strcmp(item->pool, v->pool) == 0);
  must(tm_pool_stats_read(v->heap, block->row, &row) == 1);
  must(strcmp(item->pool, row.name) == 0);
}

static int see(void *ctx, const tm_walk_item *item)
{
  if (item->kind == TM_WALK_PAGE)
    see_page(ctx, item);
  else
    see_block(ctx, item);
  return 0;
}

static void walk_must_show(tm_heap *heap, shadow *s)
{
  visit v = {.shadow = s, .heap = heap};
  if (s->count)
    qsort(s->blocks, s->count, sizeof *s->blocks, compare_blocks);
  assert_int_equal(tm_heap_walk(heap, see, &v), 0);
  assert_int_equal(v.next, s->count);
  assert_int_equal(v.left, 0);
  tm_stats stats = books_stats(heap);
  assert_int_equal(v.pages, stats.pages);
  assert_int_equal(v.span, stats.live_bytes + stats.free_bytes + stats.waste_bytes);
}

/* ---- Exactness ------------------------------------------------------------------------------ */

static void exactly_the_live_blocks_are_shown(void **state)
{
  (void)state;
  storm s = {.random = {31}, .most_blocks = 1200};
  assert_int_equal(tm_heap_new(&s.heap, NULL), 0);
  walk_must_show(s.heap, &s.shadow);
  storm_pools(s.heap, s.pools);
  for (int i = 0; i < 20000; i++) {
    storm_step(&s);
    if (i % 1000 == 0)
      walk_must_show(s.heap, &s.shadow);
  }
  storm_calm(&s);
  walk_must_show(s.heap, &s.shadow);
  (void)tm_trim(s.heap);
  walk_must_show(s.heap, &s.shadow);
  shadow_drop(&s.shadow);
  assert_int_equal(tm_heap_close(s.heap), 0);
}

/* ---- Blocks that are on their way home ------------------------------------------------------- */

static void free_every_other(void *ctx, unsigned index)
{
  storm *s = ctx;
  (void)index;
  for (size_t i = 0; i < s->shadow.count; i++)
    storm_free(s, shadow_take(&s->shadow, i)); /* the last one takes its place and stays */
}

/* Freed by a thread that has ended, not yet seen by their owner: they are not live. */
static void blocks_freed_by_others_are_not_shown(void **state)
{
  (void)state;
  tm_heap_config config;
  storm s = {.random = {32}, .most_blocks = 3000};
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&s.heap, &config), 0);
  storm_pools(s.heap, s.pools);
  for (int i = 0; i < 10000; i++)
    storm_step(&s);
  thread_run(free_every_other, &s);
  walk_must_show(s.heap, &s.shadow);
  storm_calm(&s);
  walk_must_show(s.heap, &s.shadow);
  shadow_drop(&s.shadow);
  assert_int_equal(tm_heap_close(s.heap), 0);
}

/* ---- Stopping, arguments -------------------------------------------------------------------- */

typedef struct stopper {
  int after, seen, code;
} stopper;

static int stop_after(void *ctx, const tm_walk_item *item)
{
  stopper *s = ctx;
  (void)item;
  return ++s->seen == s->after ? s->code : 0;
}

static void the_walk_stops_with_the_callers_code(void **state)
{
  (void)state;
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  for (int i = 0; i < 10; i++)
    assert_non_null(tm_malloc(heap, TM_RAW, 100));
  assert_non_null(tm_malloc(heap, TM_RAW, 100000));
  for (int after = 1; after <= 13; after++) { /* 2 pages, 11 blocks */
    stopper s = {after, 0, after % 2 ? 77 : -5};
    assert_int_equal(tm_heap_walk(heap, stop_after, &s), s.code);
    assert_int_equal(s.seen, after);
  }
  stopper s = {14, 0, 77};
  assert_int_equal(tm_heap_walk(heap, stop_after, &s), 0);
  assert_int_equal(s.seen, 13);
  assert_int_equal(tm_heap_walk(NULL, stop_after, &s), TM_EINVAL);
  assert_int_equal(tm_heap_walk(heap, NULL, &s), TM_EINVAL);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void without_memory_there_is_no_walk(void **state)
{
  (void)state;
  tm_heap *heap;
  stopper s = {0, 0, 0};
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  assert_non_null(tm_malloc(heap, TM_RAW, 100));
  tm__os_fault(1, false);
  assert_int_equal(tm_heap_walk(heap, stop_after, &s), TM_ENOMEM);
  tm__os_fault(0, false);
  assert_int_equal(s.seen, 0);
  assert_int_equal(tm_heap_walk(heap, stop_after, &s), 0);
  assert_int_equal(s.seen, 2);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void walking_changes_nothing(void **state)
{
  (void)state;
  test_books before, after;
  stopper s = {0, 0, 0};
  storm w = {.random = {33}, .most_blocks = 500};
  assert_int_equal(tm_heap_new(&w.heap, NULL), 0);
  for (int i = 0; i < 3000; i++)
    storm_step(&w);
  books_read(w.heap, &before);
  assert_int_equal(tm_heap_walk(w.heap, stop_after, &s), 0);
  books_read(w.heap, &after);
  books_must_equal(&before, &after);
  shadow_drop(&w.shadow);
  assert_int_equal(tm_heap_close(w.heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exactly_the_live_blocks_are_shown),
      cmocka_unit_test(blocks_freed_by_others_are_not_shown),
      cmocka_unit_test(the_walk_stops_with_the_callers_code),
      cmocka_unit_test(without_memory_there_is_no_walk),
      cmocka_unit_test(walking_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
