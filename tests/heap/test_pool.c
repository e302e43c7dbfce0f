/* test_pool.c - object-specific allocators: sizes, density, cache, rows, slots, families. */
#include <errno.h>

#include "heap/types.h"
#include "support/books.h"
#include "support/shadow.h"
#include "support/threads.h"

static tm_heap *heap;

static int new_heap(void **state)
{
  (void)state;
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  return tm_heap_close(heap);
}

static tm_pool_config config_of(tm_pool_kind kind, size_t block_bytes)
{
  tm_pool_config config;
  tm_pool_config_init(&config);
  config.kind = kind;
  config.block_bytes = block_bytes;
  return config;
}

static tm_pool *pool_of(tm_heap *in, tm_pool_kind kind, size_t block_bytes)
{
  tm_pool *pool = NULL;
  tm_pool_config config = config_of(kind, block_bytes);
  assert_int_equal(tm_pool_new(in, &config, &pool), 0);
  assert_non_null(pool);
  return pool;
}

static tm_pool_row row_at(size_t index)
{
  tm_pool_row row;
  assert_int_equal(tm_pool_stats_read(heap, index, &row), 1);
  return row;
}

/* ---- Making --------------------------------------------------------------------------------- */

static void the_defaults_are_documented(void **state)
{
  (void)state;
  tm_pool_config config;
  tm_pool_config_init(&config);
  assert_int_equal(config.size, sizeof config);
  assert_string_equal(config.name, "pool");
  assert_int_equal(config.kind, TM_POOL_VARIABLE);
  assert_int_equal(config.family, TM_OBJ);
  assert_int_equal(config.cache_blocks, 64);
}

static void must_be_invalid(tm_pool_config config)
{
  tm_pool *pool = (tm_pool *)&heap;
  assert_int_equal(tm_pool_new(heap, &config, &pool), TM_EINVAL);
  assert_ptr_equal(pool, &heap);
}

static void bad_configs_are_refused(void **state)
{
  (void)state;
  tm_pool *pool;
  tm_pool_config good = config_of(TM_POOL_FIXED, 72), bad;
  assert_int_equal(tm_pool_new(NULL, &good, &pool), TM_EINVAL);
  assert_int_equal(tm_pool_new(heap, NULL, &pool), TM_EINVAL);
  assert_int_equal(tm_pool_new(heap, &good, NULL), TM_EINVAL);
  bad = good, bad.size = 0, must_be_invalid(bad);
  bad = good, bad.size = sizeof good + 1, must_be_invalid(bad);
  bad = good, bad.kind = (tm_pool_kind)3, must_be_invalid(bad);
  bad = good, bad.family = (tm_family)3, must_be_invalid(bad);
  bad = good, bad.block_bytes = 0, must_be_invalid(bad);
  bad = good, bad.block_bytes = 65537, must_be_invalid(bad);
  must_be_invalid(config_of(TM_POOL_CACHED, 0));
  assert_int_equal(tm_pool_delete(NULL), TM_EINVAL);
}

static void a_pool_is_a_row_by_its_name(void **state)
{
  (void)state;
  tm_pool *pool;
  tm_pool_config config = config_of(TM_POOL_FIXED, 40);
  config.name = "a name that is longer than the 31 bytes of a row";
  config.family = TM_MEM;
  assert_int_equal(tm_pool_new(heap, &config, &pool), 0);
  tm_pool_row row = row_at(SHADOW_POOL_0);
  assert_string_equal(row.name, "a name that is longer than the ");
  assert_int_equal(row.family, TM_MEM);
  assert_int_equal(row.live_bytes, 0);
  assert_string_equal(row_at(0).name, "raw");
  assert_string_equal(row_at(1).name, "mem");
  assert_string_equal(row_at(2).name, "obj");
  assert_string_equal(row_at(3).name, "c");
  assert_int_equal(tm_pool_stats_read(heap, 5, &row), 0);
  assert_int_equal(tm_pool_delete(pool), 0);
  assert_int_equal(tm_pool_stats_read(heap, SHADOW_POOL_0, &row), 0);
  config.name = NULL;
  assert_int_equal(tm_pool_new(heap, &config, &pool), 0);
  assert_string_equal(row_at(SHADOW_POOL_0).name, "pool");
}

static void there_are_250_pools(void **state)
{
  (void)state;
  tm_pool *pools[250], *more;
  tm_pool_row row;
  for (int i = 0; i < 250; i++)
    pools[i] = pool_of(heap, TM_POOL_FIXED, 16 + 16 * (size_t)(i % 3));
  tm_pool_config config = config_of(TM_POOL_FIXED, 16);
  assert_int_equal(tm_pool_new(heap, &config, &more), TM_ENOMEM);
  assert_int_equal(tm_pool_stats_read(heap, 253, &row), 1);
  assert_int_equal(tm_pool_stats_read(heap, 254, &row), 0);
  for (int i = 0; i < 250; i++) {
    void *p = tm_pool_alloc(pools[i], 10);
    assert_non_null(p);
    tm_pool_free(pools[i], p);
  }
  books_must_balance(heap);
  assert_int_equal(tm_pool_delete(pools[249]), 0);
  assert_int_equal(tm_pool_new(heap, &config, &more), 0);
}

/* ---- Blocks --------------------------------------------------------------------------------- */

static void fixed_blocks_are_rounded_to_16_only(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 16, 17, 72, 130, 1025, 4097, 8193, 40000, 65536};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    tm_pool *pool = pool_of(heap, TM_POOL_FIXED, sizes[i]);
    void *p = tm_pool_alloc(pool, sizes[i]), *q = tm_pool_alloc(pool, 0);
    assert_non_null(p);
    assert_non_null(q);
    assert_ptr_not_equal(p, q);
    assert_int_equal(tm_usable_size(p), (sizes[i] + 15) & ~(size_t)15);
    assert_int_equal(tm_usable_size(q), (sizes[i] + 15) & ~(size_t)15);
    memset(p, 1, sizes[i]);
    errno = 0;
    assert_null(tm_pool_alloc(pool, sizes[i] + 17));
    assert_int_equal(errno, EINVAL);
    tm_pool_free(pool, p);
    tm_pool_free(pool, q);
    tm_pool_free(pool, NULL);
    assert_int_equal(tm_pool_delete(pool), 0);
  }
  books_must_balance(heap);
}

static void more_than_block_bytes_is_einval_even_within_the_rounding(void **state)
{
  (void)state;
  tm_pool *pool = pool_of(heap, TM_POOL_FIXED, 72);
  test_books before, after;
  books_read(heap, &before);
  errno = 0;
  assert_null(tm_pool_alloc(pool, 73));
  assert_int_equal(errno, EINVAL);
  books_read(heap, &after);
  books_must_equal(&before, &after);
  assert_int_equal(books_failures(&after.stats), 0);
}

/* 1,000 blocks of 80 bytes stand on two pages: nothing else is between them. */
static void fixed_pools_are_dense(void **state)
{
  (void)state;
  enum { N = 1600 };
  static void *blocks[N], *others[N];
  tm_pool *pool = pool_of(heap, TM_POOL_FIXED, 72);
  for (int i = 0; i < N; i++) {
    blocks[i] = tm_pool_alloc(pool, 72);
    others[i] = tm_malloc(heap, TM_OBJ, 72);
  }
  uintptr_t low = UINTPTR_MAX, high = 0;
  for (int i = 0; i < N; i++) {
    uintptr_t at = (uintptr_t)blocks[i];
    low = at < low ? at : low;
    high = at > high ? at : high;
    assert_int_not_equal(at >> TM_SLICE_SHIFT, (uintptr_t)others[i] >> TM_SLICE_SHIFT);
  }
  tm_pool_row row = row_at(SHADOW_POOL_0);
  assert_int_equal(row.live_bytes, N * 80);
  assert_int_equal(row.live_blocks, N);
  assert_in_range(high - low, (N - 1) * 80, 4 * TM_SLICE);
  assert_int_equal(row_at(TM_OBJ).live_blocks, N);
}

static void the_cache_is_last_in_first_out_and_bounded(void **state)
{
  (void)state;
  enum { CACHE = 5, N = 2000 };
  static void *blocks[N];
  tm_pool *pool;
  tm_pool_config config = config_of(TM_POOL_CACHED, 100);
  config.cache_blocks = CACHE;
  assert_int_equal(tm_pool_new(heap, &config, &pool), 0);
  for (int i = 0; i < N; i++)
    assert_non_null(blocks[i] = tm_pool_alloc(pool, 100));
  /* One block of each of several pages, so that no page's own list has this order. */
  int picks[CACHE + 3];
  for (int i = 0; i < CACHE + 3; i++)
    tm_pool_free(pool, blocks[picks[i] = (i * 617) % N]);
  assert_int_equal(row_at(SHADOW_POOL_0).live_blocks, N - CACHE - 3);
  assert_int_equal(tm_heap_check(heap), 0);
  for (int i = CACHE - 1; i >= 0; i--)
    assert_ptr_equal(tm_pool_alloc(pool, 1), blocks[picks[i]]);
  assert_int_equal(row_at(SHADOW_POOL_0).live_blocks, N - 3);
  books_must_balance(heap);
}

static void a_cached_block_is_charged_and_refunded(void **state)
{
  (void)state;
  tm_pool *pool = pool_of(heap, TM_POOL_CACHED, 64);
  for (uint64_t i = 1; i <= 1000; i++) {
    void *p = tm_pool_alloc(pool, 64);
    assert_int_equal(row_at(SHADOW_POOL_0).live_bytes, 64);
    tm_pool_free(pool, p);
    tm_pool_row row = row_at(SHADOW_POOL_0);
    assert_int_equal(row.live_bytes, 0);
    assert_int_equal(row.allocs_total, i);
    assert_int_equal(row.frees_total, i);
  }
  assert_int_equal(tm_pool_delete(pool), 0);
  (void)tm_trim(heap);
  assert_int_equal(books_stats(heap).pages, 0);
}

static void the_family_may_free_too(void **state)
{
  (void)state;
  static const tm_pool_kind kinds[] = {TM_POOL_FIXED, TM_POOL_CACHED, TM_POOL_VARIABLE};
  for (int f = TM_RAW; f <= TM_OBJ; f++) {
    for (size_t k = 0; k < TM_ARRAY_LEN(kinds); k++) {
      tm_pool *pool;
      tm_pool_config config = config_of(kinds[k], 50);
      config.family = (tm_family)f;
      assert_int_equal(tm_pool_new(heap, &config, &pool), 0);
      for (int i = 0; i < 100; i++)
        tm_free(heap, (tm_family)f, tm_pool_alloc(pool, 50));
      assert_int_equal(row_at(SHADOW_POOL_0).frees_total % 100, 0);
      assert_int_equal(row_at(SHADOW_POOL_0).live_bytes, 0);
      assert_int_equal(tm_pool_delete(pool), 0);
    }
  }
  assert_int_equal(books_stats(heap).family_mismatches_total, 0);
  books_must_balance(heap);
}

/* Regression: the first block of a pool in a shard was large, and the shard had no row for it. */
static void a_large_block_can_be_the_first(void **state)
{
  (void)state;
  tm_pool *pool = pool_of(heap, TM_POOL_VARIABLE, 0);
  void *p = tm_pool_alloc(pool, 300000);
  assert_non_null(p);
  assert_int_equal(row_at(SHADOW_POOL_0).live_bytes, tm_usable_size(p));
  tm_pool_free(pool, p);
  assert_int_equal(row_at(SHADOW_POOL_0).live_bytes, 0);
  books_must_balance(heap);
}

static void variable_blocks_are_resized_within_the_pool(void **state)
{
  (void)state;
  static const size_t sizes[] = {24, 100, 5000, 70000, 3 << 20, 200000, 60000, 10, 0, 900};
  tm_pool *pool = pool_of(heap, TM_POOL_VARIABLE, 0);
  shadow s = {.failures = 0};
  shadow_block block = shadow_born(&s, SHADOW_POOL_0, tm_pool_alloc(pool, 1), 1);
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    shadow_resized(&s, &block, tm_realloc(heap, TM_OBJ, block.p, sizes[i]), sizes[i]);
    shadow_must_match(&s, heap);
  }
  shadow_dies(&s, &block);
  tm_pool_free(pool, block.p);
  shadow_must_match(&s, heap);
  books_must_balance(heap);
}

/* A fixed block that is resized beyond its size moves to its family: rows change, content stays. */
static void a_fixed_block_leaves_its_pool_when_it_grows(void **state)
{
  (void)state;
  tm_pool *pool = pool_of(heap, TM_POOL_FIXED, 200);
  shadow s = {.failures = 0};
  shadow_block block = shadow_born(&s, SHADOW_POOL_0, tm_pool_alloc(pool, 200), 200);
  shadow_resized(&s, &block, tm_realloc(heap, TM_OBJ, block.p, 150), 150);
  shadow_must_match(&s, heap);
  void *to = tm_realloc(heap, TM_OBJ, block.p, 5000);
  shadow_block moved = {to, 150, tm_usable_size(to), TM_OBJ, block.seed};
  shadow_verify(&moved, 150);
  assert_int_equal(row_at(SHADOW_POOL_0).live_blocks, 0);
  tm_pool_row row = row_at(TM_OBJ);
  assert_int_equal(row.live_blocks, 1);
  assert_int_equal(row.live_bytes, tm_usable_size(to));
  assert_int_equal(books_stats(heap).reallocs_total, 2);
  tm_free(heap, TM_OBJ, to);
  assert_int_equal(tm_pool_delete(pool), 0);
  books_must_balance(heap);
}

/* ---- Ending --------------------------------------------------------------------------------- */

static void a_pool_with_blocks_is_busy(void **state)
{
  (void)state;
  static const tm_pool_kind kinds[] = {TM_POOL_FIXED, TM_POOL_CACHED, TM_POOL_VARIABLE};
  for (size_t k = 0; k < TM_ARRAY_LEN(kinds); k++) {
    tm_pool *pool = pool_of(heap, kinds[k], 30);
    void *p = tm_pool_alloc(pool, 30);
    assert_int_equal(tm_pool_delete(pool), TM_EBUSY);
    memset(p, 7, 30);
    tm_pool_free(pool, p);
    assert_int_equal(tm_pool_delete(pool), 0);
    assert_int_equal(tm_pool_delete(pool), TM_EINVAL);
  }
}

static void slots_are_used_again(void **state)
{
  (void)state;
  for (int i = 0; i < 2000; i++) {
    tm_pool *pool = pool_of(heap, TM_POOL_FIXED, 48);
    void *p = tm_pool_alloc(pool, 48);
    assert_non_null(p);
    tm_pool_free(pool, p);
    assert_int_equal(tm_pool_delete(pool), 0);
  }
  books_must_balance(heap);
  (void)tm_trim(heap);
  assert_int_equal(books_stats(heap).pages, 0);
}

static void a_new_pool_starts_with_empty_books(void **state)
{
  (void)state;
  tm_pool *pool = pool_of(heap, TM_POOL_FIXED, 48);
  for (int i = 0; i < 10; i++)
    tm_pool_free(pool, tm_pool_alloc(pool, 48));
  assert_int_equal(tm_pool_delete(pool), 0);
  tm_stats before = books_stats(heap);
  pool = pool_of(heap, TM_POOL_FIXED, 48);
  tm_pool_row row = row_at(SHADOW_POOL_0);
  assert_int_equal(row.allocs_total, 0);
  assert_int_equal(row.frees_total, 0);
  assert_int_equal(row.allocated_bytes_total, 0);
  assert_int_equal(row.freed_bytes_total, 0);
  tm_stats after = books_stats(heap);
  assert_int_equal(before.allocs_total, after.allocs_total);
  assert_int_equal(before.freed_bytes_total, after.freed_bytes_total);
  void *p = tm_pool_alloc(pool, 48);
  row = row_at(SHADOW_POOL_0);
  assert_int_equal(row.allocs_total, 1);
  assert_int_equal(row.live_bytes, 48);
  tm_pool_free(pool, p);
}

/* ---- Threads -------------------------------------------------------------------------------- */

typedef struct handover {
  tm_heap *heap;
  tm_pool *pool;
  void *small, *large, *grown;
} handover;

static void make_blocks(void *ctx, unsigned index)
{
  handover *h = ctx;
  (void)index;
  h->small = tm_pool_alloc(h->pool, 100);
  h->large = tm_pool_alloc(h->pool, 100000);
  h->grown = tm_pool_alloc(h->pool, 100000);
}

/* Regression: this thread's shard has no row for the pool when it gets the large block. */
static void end_blocks(void *ctx, unsigned index)
{
  handover *h = ctx;
  (void)index;
  h->grown = tm_realloc(h->heap, TM_OBJ, h->grown, 400000);
  must(h->grown != NULL);
  tm_pool_free(h->pool, h->large);
  tm_pool_free(h->pool, h->small);
  tm_free(h->heap, TM_OBJ, h->grown);
}

static void end_large_first(void *ctx, unsigned index)
{
  handover *h = ctx;
  (void)index;
  tm_free(h->heap, TM_OBJ, h->large);
  tm_pool_free(h->pool, h->grown);
  h->small = tm_realloc(h->heap, TM_OBJ, h->small, 200000);
  must(h->small != NULL);
  tm_pool_free(h->pool, h->small);
}

static void blocks_are_ended_by_threads_without_a_row(void **state)
{
  (void)state;
  static const thread_fn ends[] = {end_blocks, end_large_first};
  for (size_t i = 0; i < TM_ARRAY_LEN(ends); i++) {
    tm_heap *many;
    tm_heap_config config;
    tm_heap_config_init(&config);
    config.threads = TM_MANY_THREADS;
    assert_int_equal(tm_heap_new(&many, &config), 0);
    handover h = {.heap = many, .pool = pool_of(many, TM_POOL_VARIABLE, 0)};
    make_blocks(&h, 0);
    thread_run(ends[i], &h);
    assert_int_equal(books_stats(many).live_bytes, 0);
    assert_int_equal(books_stats(many).reallocs_total, 1);
    books_must_balance(many);
    assert_int_equal(tm_pool_delete(h.pool), 0);
    assert_int_equal(tm_heap_close(many), 0);
  }
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_defaults_are_documented),
      ON_A_HEAP(bad_configs_are_refused),
      ON_A_HEAP(a_pool_is_a_row_by_its_name),
      ON_A_HEAP(there_are_250_pools),
      ON_A_HEAP(fixed_blocks_are_rounded_to_16_only),
      ON_A_HEAP(more_than_block_bytes_is_einval_even_within_the_rounding),
      ON_A_HEAP(fixed_pools_are_dense),
      ON_A_HEAP(the_cache_is_last_in_first_out_and_bounded),
      ON_A_HEAP(a_cached_block_is_charged_and_refunded),
      ON_A_HEAP(the_family_may_free_too),
      ON_A_HEAP(a_large_block_can_be_the_first),
      ON_A_HEAP(variable_blocks_are_resized_within_the_pool),
      ON_A_HEAP(a_fixed_block_leaves_its_pool_when_it_grows),
      ON_A_HEAP(a_pool_with_blocks_is_busy),
      ON_A_HEAP(slots_are_used_again),
      ON_A_HEAP(a_new_pool_starts_with_empty_books),
      cmocka_unit_test(blocks_are_ended_by_threads_without_a_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
