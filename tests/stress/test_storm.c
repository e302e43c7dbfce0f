/*
 * test_storm.c - random operations of every kind from eight threads, blocks freed by other threads
 * than their own, a reader that polls meanwhile; then the books to the byte.
 */
#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

enum { THREADS = 8, STEPS = TEST_SANITIZED || TM_STRESS_TRIP ? 15000 : 60000 };

typedef struct arena_of_storm {
  tm_heap *heap;
  tm_pool *pools[STORM_POOLS];
  storm_mail mail;
  storm storms[THREADS];
  pthread_barrier_t barrier;
  _Atomic(int) working;
} arena_of_storm;

/* ---- The reader ----------------------------------------------------------------------------- */

static void must_grow(uint64_t before, uint64_t after)
{
  must(after >= before);
}

/* Totals never fall, levels are never negative nor above their peak. */
static void read_once(const tm_heap *heap, tm_stats *last)
{
  tm_stats now = books_stats(heap);
  books_must_be_sane(&now);
  must(now.live_blocks < 10000000);
  must(now.live_bytes <= now.allocated_bytes_total - now.freed_bytes_total);
  must_grow(last->allocated_bytes_total, now.allocated_bytes_total);
  must_grow(last->freed_bytes_total, now.freed_bytes_total);
  must_grow(last->allocs_total, now.allocs_total);
  must_grow(last->frees_total, now.frees_total);
  must_grow(last->reallocs_total, now.reallocs_total);
  must_grow(last->os_acquired_bytes_total, now.os_acquired_bytes_total);
  must_grow(last->os_released_bytes_total, now.os_released_bytes_total);
  tm_pool_row row;
  for (size_t i = 0; tm_pool_stats_read(heap, i, &row); i++)
    must(row.live_bytes < (uint64_t)1 << 40 && row.live_blocks < 10000000);
  must(tm_footprint(heap) < (uint64_t)1 << 40);
  *last = now;
}

static void *read_on(void *arg)
{
  arena_of_storm *a = arg;
  tm_stats last = books_stats(a->heap);
  while (atomic_load(&a->working) > 0)
    read_once(a->heap, &last);
  return NULL;
}

/* ---- The storm ------------------------------------------------------------------------------ */

static void blow(void *arg, unsigned index)
{
  arena_of_storm *a = arg;
  storm *mine = &a->storms[index], *next = &a->storms[(index + 1) % THREADS];
  for (int i = 0; i < STEPS; i++)
    storm_step(mine);
  /* What is left is freed by the neighbour: nobody frees what he holds. */
  (void)pthread_barrier_wait(&a->barrier);
  shadow theirs = next->shadow;
  (void)pthread_barrier_wait(&a->barrier);
  mine->shadow.blocks = theirs.blocks;
  mine->shadow.count = theirs.count;
  mine->shadow.capacity = theirs.capacity;
  storm_calm(mine);
  atomic_fetch_sub(&a->working, 1);
}

static void storm_over(tm_heap *heap, uint64_t seed)
{
  arena_of_storm *a = calloc(1, sizeof *a);
  must(a != NULL);
  shadow all = {.failures = 0};
  pthread_t reader;
  a->heap = heap;
  storm_pools(heap, a->pools);
  (void)pthread_barrier_init(&a->barrier, NULL, THREADS);
  atomic_store(&a->working, THREADS);
  for (unsigned i = 0; i < THREADS; i++) {
    storm *s = &a->storms[i];
    *s = (storm){.heap = heap, .mail = &a->mail, .most_blocks = 800};
    s->random.state = seed + i;
    memcpy(s->pools, a->pools, sizeof s->pools);
  }
  must(pthread_create(&reader, NULL, read_on, a) == 0);
  threads_run(THREADS, blow, a);
  must(pthread_join(reader, NULL) == 0);
  storm_empty_mail(&a->storms[0]);
  for (unsigned i = 0; i < THREADS; i++) {
    must_equal(a->storms[i].shadow.count, 0);
    shadow_merge(&all, &a->storms[i].shadow);
    shadow_drop(&a->storms[i].shadow);
  }
  shadow_must_match(&all, heap);
  must_equal(shadow_live_bytes(&all), 0);
  must_equal(shadow_live_blocks(&all), 0);
  books_must_balance(heap);
  (void)tm_trim(heap);
  shadow_must_match(&all, heap);
  books_must_balance(heap);
  assert_int_equal(books_stats(heap).pages, 0);
  for (unsigned i = 0; i < STORM_POOLS; i++)
    assert_int_equal(tm_pool_delete(a->pools[i]), 0);
  (void)pthread_barrier_destroy(&a->barrier);
  free(a);
}

static void the_default_heap_is_exact(void **state)
{
  (void)state;
  storm_over(tm_heap_default(), 1);
}

static void a_heap_for_many_threads_is_exact(void **state)
{
  (void)state;
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  storm_over(heap, 100);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_default_heap_is_exact),
      cmocka_unit_test(a_heap_for_many_threads_is_exact),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
