/*
 * test_thread_ends.c - destructors of thread-specific data that make every kind of request: before
 * the library's own destructor and after it, in each of the rounds that there may be, in threads
 * that had used the heap and in threads that had not.
 */
#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>
#include <tidemark/pool.h>

#include "support/books.h"
#include "support/threads.h"

/* Destructors run in the order in which keys were made: the library makes its own with its first
 * use. */
enum { EARLY, LATE, KEYS };
static pthread_key_t keys[KEYS];

/* ThreadSanitizer takes leave of a thread in its last round, whatever comes later. */
enum { ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS - TEST_TSAN };

/* One thread that ends. */
typedef struct ending {
  tm_heap *heap;
  tm_pool *pool;
  tm_handle handle;
  bool worked;                   /* the thread uses the heap before its end */
  bool late_only;                /* the older key's destructor does nothing */
  unsigned first_round;          /* nor do both until then */
  unsigned rounds[KEYS];         /* run so far */
  void *foreign[2 * ROUNDS * 4]; /* blocks of the thread that waits: freed here */
  void *own[2 * ROUNDS];         /* and of this one */
  unsigned foreign_freed, own_freed, own_made;
} ending;

static void request(ending *e)
{
  static const size_t sizes[] = {24, 5000, 40000, 100000};
  for (int i = 0; i < 4; i++) {
    unsigned char *p = tm_calloc(e->heap, TM_OBJ, 1, sizes[i]);
    must(p != NULL && p[0] == 0 && p[sizes[i] - 1] == 0);
    memset(p, 1, sizes[i]);
    p = tm_realloc(e->heap, TM_OBJ, p, sizes[i] * 3);
    must(p != NULL && p[sizes[i] - 1] == 1);
    tm_free(e->heap, TM_OBJ, p);
    tm_free(e->heap, TM_MEM, e->foreign[e->foreign_freed++]);
  }
  void *p = tm_pool_alloc(e->pool, 50);
  must(p != NULL);
  tm_pool_free(e->pool, p);
  must(tm_handle_lock(e->heap, e->handle) != NULL);
  must(tm_handle_unlock(e->heap, e->handle) == 0);
  tm_inform(e->heap, "ending", 100);
  tm_inform(e->heap, "ending", -100);
  if (e->own_freed < e->own_made)
    tm_free(e->heap, TM_MEM, e->own[e->own_freed++]);
  (void)tm_trim(e->heap);
  tm_stats stats = books_stats(e->heap);
  books_must_be_sane(&stats);
}

static void run_destructor(void *arg, unsigned which)
{
  ending *e = arg;
  if (e->rounds[which]++ >= e->first_round && !(which == EARLY && e->late_only))
    request(e);
  if (e->rounds[which] < ROUNDS)
    must(pthread_setspecific(keys[which], e) == 0);
}

static void run_early(void *arg)
{
  run_destructor(arg, EARLY);
}

static void run_late(void *arg)
{
  run_destructor(arg, LATE);
}

static void begin(void *ctx, unsigned index)
{
  ending *e = ctx;
  (void)index;
  for (; e->worked && e->own_made < 2 * ROUNDS; e->own_made++)
    must((e->own[e->own_made] = tm_malloc(e->heap, TM_MEM, 100)) != NULL);
  for (int k = 0; k < KEYS; k++)
    must(pthread_setspecific(keys[k], e) == 0);
}

static tm_heap *heap_for_many(void)
{
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  must(tm_heap_new(&heap, &config) == 0);
  return heap;
}

static void end_in(tm_heap *heap, ending e)
{
  e.heap = heap;
  tm_pool_config config;
  tm_pool_config_init(&config);
  must(tm_pool_new(heap, &config, &e.pool) == 0);
  must(tm_handle_new(heap, 100, &e.handle) == 0);
  for (size_t i = 0; i < 2 * ROUNDS * 4; i++)
    must((e.foreign[i] = tm_malloc(heap, TM_MEM, 64 + i * 500)) != NULL);
  uint64_t threads = books_stats(heap).threads;
  thread_run(begin, &e);
  assert_int_equal(e.rounds[EARLY], ROUNDS);
  assert_int_equal(e.rounds[LATE], ROUNDS);
  assert_int_equal(e.foreign_freed, (e.late_only ? 4u : 8u) * (ROUNDS - e.first_round));
  assert_in_range(books_stats(heap).threads, threads, threads + e.late_only);
  while (e.foreign_freed < 2 * ROUNDS * 4)
    tm_free(heap, TM_MEM, e.foreign[e.foreign_freed++]);
  while (e.own_freed < e.own_made)
    tm_free(heap, TM_MEM, e.own[e.own_freed++]);
  must(tm_handle_free(heap, e.handle) == 0);
  must(tm_pool_delete(e.pool) == 0);
  books_must_balance(heap);
}

/* What threads leave behind can be swept: afterwards nothing is held. */
static void must_be_empty(tm_heap *heap, uint64_t live_bytes)
{
  assert_int_equal(books_stats(heap).live_bytes, live_bytes);
  (void)tm_trim(heap);
  if (live_bytes == 0)
    assert_int_equal(books_stats(heap).pages, 0);
  books_must_balance(heap);
}

static void requests_in_every_round(void **state)
{
  (void)state;
  tm_heap *const heaps[] = {tm_heap_default(), heap_for_many()};
  for (int h = 0; h < 2; h++) {
    uint64_t live = books_stats(heaps[h]).live_bytes;
    for (int worked = 0; worked < 2; worked++)
      end_in(heaps[h], (ending){.worked = worked});
    must_be_empty(heaps[h], live);
  }
  assert_int_equal(tm_heap_close(heaps[1]), 0);
}

/* The first use of a thread is in its second, third, ... round. */
static void the_first_request_comes_late(void **state)
{
  (void)state;
  tm_heap *const heaps[] = {tm_heap_default(), heap_for_many()};
  for (int h = 0; h < 2; h++) {
    uint64_t live = books_stats(heaps[h]).live_bytes;
    for (unsigned round = 1; round < ROUNDS; round++)
      for (int worked = 0; worked < 2; worked++)
        end_in(heaps[h], (ending){.worked = worked, .first_round = round});
    must_be_empty(heaps[h], live);
  }
  assert_int_equal(tm_heap_close(heaps[1]), 0);
}

/* The library's own destructor had its last turn before the thread's first request: nobody tells it
 * that the thread has ended. Its shard may stay counted as a thread's, but no block or byte. */
static void the_first_request_comes_last(void **state)
{
  (void)state;
  if (TEST_TSAN) {
    print_message("SKIP: ThreadSanitizer has taken leave of the thread by then\n");
    skip();
  }
  tm_heap *const heaps[] = {tm_heap_default(), heap_for_many()};
  for (int h = 0; h < 2; h++) {
    uint64_t live = books_stats(heaps[h]).live_bytes;
    end_in(heaps[h], (ending){.late_only = true, .first_round = ROUNDS - 1});
    assert_int_equal(books_stats(heaps[h]).live_bytes, live);
    books_must_balance(heaps[h]);
  }
  assert_int_equal(tm_heap_close(heaps[1]), 0);
}

/* Many at once, and one after the other on the same shards. */
static void end_one(void *ctx, unsigned index)
{
  ending *e = (ending *)ctx + index;
  begin(e, index);
}

static void many_threads_end_at_once(void **state)
{
  (void)state;
  enum { THREADS = 32 };
  static ending all[THREADS];
  tm_heap *heap = heap_for_many();
  tm_pool_config config;
  tm_pool_config_init(&config);
  for (unsigned round = 0; round < (TEST_TSAN ? 2 : 8); round++) {
    for (int t = 0; t < THREADS; t++) {
      all[t] = (ending){.heap = heap, .worked = (t + (int)round) % 2, .first_round = round % 3};
      all[t].pool = t ? all[0].pool : NULL;
      if (t == 0)
        must(tm_pool_new(heap, &config, &all[0].pool) == 0);
      must(tm_handle_new(heap, 100, &all[t].handle) == 0);
      for (size_t i = 0; i < 2 * ROUNDS * 4; i++)
        must((all[t].foreign[i] = tm_malloc(heap, TM_MEM, 64 + i * 50)) != NULL);
    }
    threads_run(THREADS, end_one, all);
    for (int t = 0; t < THREADS; t++) {
      must(tm_handle_free(heap, all[t].handle) == 0);
      while (all[t].foreign_freed < 2 * ROUNDS * 4)
        tm_free(heap, TM_MEM, all[t].foreign[all[t].foreign_freed++]);
      while (all[t].own_freed < all[t].own_made)
        tm_free(heap, TM_MEM, all[t].own[all[t].own_freed++]);
    }
    must(tm_pool_delete(all[0].pool) == 0);
    assert_int_equal(books_stats(heap).threads, 1); /* this one */
  }
  must_be_empty(heap, 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_in_every_round),
      cmocka_unit_test(the_first_request_comes_late),
      cmocka_unit_test(many_threads_end_at_once),
      cmocka_unit_test(the_first_request_comes_last),
  };
  must(pthread_key_create(&keys[EARLY], run_early) == 0);
  (void)tm_heap_default();
  must(pthread_key_create(&keys[LATE], run_late) == 0);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
