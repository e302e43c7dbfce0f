/*
 * test_shard.c - threads and their shards: coming, going, being adopted; the first call of a thread
 * whatever it is; calls after the thread's end has begun; blocks that go home to another thread.
 */
#include "heap/shard.h"

#include <errno.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "misuse/crime.h"
#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

static tm_heap *heap_for_many(void)
{
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  must(tm_heap_new(&heap, &config) == 0);
  return heap;
}

/* ---- Coming and going ----------------------------------------------------------------------- */

static void use(void *ctx, unsigned index)
{
  storm s = {.heap = ctx, .random = {index}, .most_blocks = 50};
  for (int i = 0; i < 300; i++)
    storm_step(&s);
  storm_calm(&s);
  shadow_drop(&s.shadow);
}

static void one_shard_serves_thread_after_thread(void **state)
{
  (void)state;
  tm_heap *heap = heap_for_many();
  thread_run(use, heap);
  tm_stats before = books_stats(heap);
  for (int i = 0; i < 300; i++)
    thread_run(use, heap);
  assert_int_equal(atomic_load(&heap->shard_count), 1);
  tm_stats after = books_stats(heap);
  assert_int_equal(after.meta_bytes, before.meta_bytes);
  assert_int_equal(after.threads, 0);
  assert_int_equal(after.live_bytes, 0);
  assert_int_equal(after.pages, 0); /* a thread that ends leaves no empty page */
  books_must_balance(heap);
  assert_int_equal(tm_heap_close(heap), 0);
}

typedef struct meeting {
  tm_heap *heap;
  pthread_barrier_t barrier;
} meeting;

static void be_there(void *ctx, unsigned index)
{
  meeting *m = ctx;
  void *p = tm_malloc(m->heap, TM_MEM, 10 + index);
  must(p != NULL);
  (void)pthread_barrier_wait(&m->barrier);
  (void)pthread_barrier_wait(&m->barrier);
  tm_free(m->heap, TM_MEM, p);
}

static void *meet(void *arg)
{
  threads_run(10, be_there, arg);
  return NULL;
}

static void threads_are_counted(void **state)
{
  (void)state;
  pthread_t helper;
  meeting m = {.heap = heap_for_many()};
  (void)pthread_barrier_init(&m.barrier, NULL, 11);
  must(pthread_create(&helper, NULL, meet, &m) == 0);
  (void)pthread_barrier_wait(&m.barrier);
  assert_int_equal(books_stats(m.heap).threads, 10);
  assert_int_equal(books_stats(m.heap).live_blocks, 10);
  (void)pthread_barrier_wait(&m.barrier);
  must(pthread_join(helper, NULL) == 0);
  assert_int_equal(books_stats(m.heap).threads, 0);
  (void)pthread_barrier_destroy(&m.barrier);
  assert_int_equal(tm_heap_close(m.heap), 0);
}

/* One thread in many heaps has a shard in each, and gives each back. */
static void use_several(void *ctx, unsigned index)
{
  tm_heap **heaps = ctx;
  for (int i = 0; i < 200; i++)
    for (unsigned h = 0; h < 5; h++)
      tm_free(heaps[h], TM_MEM, tm_malloc(heaps[h], TM_MEM, 10 + index + h));
  for (unsigned h = 0; h < 5; h++)
    must(books_stats(heaps[h]).threads >= 1);
}

static void a_thread_has_a_shard_in_each_heap(void **state)
{
  (void)state;
  tm_heap *heaps[5];
  for (int h = 0; h < 5; h++)
    heaps[h] = h ? heap_for_many() : tm_heap_default();
  uint64_t before = books_stats(heaps[0]).threads;
  threads_run(4, use_several, heaps);
  assert_int_equal(books_stats(heaps[0]).threads, before);
  for (int h = 1; h < 5; h++) {
    assert_int_equal(books_stats(heaps[h]).threads, 0);
    books_must_balance(heaps[h]);
    assert_int_equal(tm_heap_close(heaps[h]), 0);
  }
}

/* ---- The first call of a thread -------------------------------------------------------------- */

typedef struct first_call {
  tm_heap *heap;
  tm_pool *pool;
  tm_handle handle;
  void *small, *medium, *large, *pooled;
} first_call;

static int ignore_item(void *ctx, const tm_walk_item *item)
{
  (void)ctx;
  (void)item;
  return 0;
}

/* The second half of the list below. */
static void call_later(first_call *f, unsigned which)
{
  tm_stats stats;
  tm_stats_init(&stats);
  switch (which) {
  case 15:
    (void)tm_trim(f->heap);
    break;
  case 16:
    must(tm_stats_read(f->heap, &stats) == 0);
    break;
  case 17:
    must(tm_heap_check(f->heap) == 0);
    break;
  case 18:
    must(tm_heap_walk(f->heap, ignore_item, NULL) == 0);
    break;
  case 19:
    tm_inform(f->heap, "x", 10), tm_inform(f->heap, "x", -10);
    break;
  case 20:
    must(tm_handle_lock(f->heap, f->handle) && !tm_handle_unlock(f->heap, f->handle));
    break;
  case 21:
    must(tm_handle_free(f->heap, f->handle) == 0);
    break;
  case 22:
    must(tm_handles_compact(f->heap) == 0);
    break;
  case 23:
    must(tm_should_move(f->small) == 0);
    break;
  case 24:
    must(tm_poll(f->heap) >= 0);
    break;
  case 25:
    tm_peak_reset(f->heap);
    break;
  case 26:
    must(tm_limit_set(f->heap, TM_HARD, 1 << 30) == 0);
    break;
  case 27:
    must(tm_pool_delete(f->pool) == TM_EBUSY);
    break;
  case 28:
    tm_free(f->heap, TM_RAW, NULL), must(errno == 1234);
    break;
  default:
    must(tm_malloc(f->heap, TM_RAW, SIZE_MAX) == NULL && errno == ENOMEM);
    break;
  }
}

/* Every public function can be the first one that a thread calls. */
static void call_first(void *ctx, unsigned which)
{
  first_call *f = ctx;
  errno = 1234;
  switch (which) {
  case 0:
    tm_free(f->heap, TM_MEM, f->small), must(errno == 1234);
    break;
  case 1:
    tm_free(f->heap, TM_MEM, f->medium), must(errno == 1234);
    break;
  case 2:
    tm_free(f->heap, TM_MEM, f->large), must(errno == 1234);
    break;
  case 3:
    tm_pool_free(f->pool, f->pooled);
    break;
  case 4:
    must(tm_realloc(f->heap, TM_MEM, f->small, 5000) != NULL);
    break;
  case 5:
    must(tm_realloc(f->heap, TM_MEM, f->medium, 10) != NULL);
    break;
  case 6:
    must(tm_realloc(f->heap, TM_MEM, f->large, 4 << 20) != NULL);
    break;
  case 7:
    must(tm_realloc(f->heap, TM_OBJ, f->pooled, 10) != NULL);
    break;
  case 8:
    must(tm_malloc(f->heap, TM_RAW, 100) != NULL);
    break;
  case 9:
    must(tm_calloc(f->heap, TM_RAW, 10, 10) != NULL);
    break;
  case 10:
    must(tm_aligned_alloc(f->heap, TM_RAW, 4096, 10) != NULL);
    break;
  case 11:
    must(tm_malloc(f->heap, TM_RAW, 1 << 20) != NULL);
    break;
  case 12:
    must(tm_pool_alloc(f->pool, 10) != NULL);
    break;
  case 13:
    must(tm_usable_size(f->small) >= 100);
    break;
  case 14:
    must(tm_owns(f->small) == 1);
    break;
  default:
    call_later(f, which);
    break;
  }
}

typedef struct one_call {
  first_call *f;
  unsigned which;
} one_call;

static void call_this(void *ctx, unsigned index)
{
  one_call *c = ctx;
  (void)index;
  call_first(c->f, c->which);
}

static void any_call_can_be_the_first(void **state)
{
  (void)state;
  for (unsigned which = 0; which < 30; which++) {
    first_call f = {.heap = heap_for_many()};
    tm_pool_config config;
    tm_pool_config_init(&config);
    must(tm_pool_new(f.heap, &config, &f.pool) == 0);
    f.small = tm_malloc(f.heap, TM_MEM, 100);
    f.medium = tm_malloc(f.heap, TM_MEM, 30000);
    f.large = tm_malloc(f.heap, TM_MEM, 1 << 20);
    f.pooled = tm_pool_alloc(f.pool, 100);
    must(tm_handle_new(f.heap, 100, &f.handle) == 0);
    one_call c = {&f, which};
    thread_run(call_this, &c);
    books_must_balance(f.heap);
    assert_int_equal(tm_heap_close(f.heap), 0);
  }
}

/* ---- The last calls of a thread -------------------------------------------------------------- */

/* Made after the library's own key, so its destructor runs after ours. */
static pthread_key_t late_key;

typedef struct late_calls {
  tm_heap *heap;
  void *blocks[40];
  int rounds;
} late_calls;

static void call_late(void *arg)
{
  late_calls *l = arg;
  void *p = tm_malloc(l->heap, TM_OBJ, 200);
  must(p != NULL);
  memset(p, 1, 200);
  p = tm_realloc(l->heap, TM_OBJ, p, 100000);
  must(p != NULL);
  tm_free(l->heap, TM_MEM, l->blocks[l->rounds]);
  tm_free(l->heap, TM_OBJ, p);
  must(tm_usable_size(l->blocks[l->rounds + 1]) >= 64);
  (void)tm_trim(l->heap);
  if (++l->rounds < 3) /* and once more, as glibc allows */
    must(pthread_setspecific(late_key, l) == 0);
}

static void end_late(void *ctx, unsigned index)
{
  late_calls *l = ctx;
  (void)index;
  for (size_t i = 0; i < 40; i++)
    must((l->blocks[i] = tm_malloc(l->heap, TM_MEM, 64)) != NULL);
  must(pthread_setspecific(late_key, l) == 0);
}

static void destructors_that_run_after_ours(void **state)
{
  (void)state;
  tm_heap *const heaps[] = {tm_heap_default(), heap_for_many()};
  for (int h = 0; h < 2; h++) {
    uint64_t threads = books_stats(heaps[h]).threads, live = books_stats(heaps[h]).live_blocks;
    late_calls l = {.heap = heaps[h]};
    thread_run(end_late, &l);
    assert_int_equal(l.rounds, 3);
    assert_int_equal(books_stats(heaps[h]).threads, threads);
    assert_int_equal(books_stats(heaps[h]).live_blocks, live + 37);
    for (int i = 3; i < 40; i++)
      tm_free(heaps[h], TM_MEM, l.blocks[i]);
    assert_int_equal(books_stats(heaps[h]).live_blocks, live);
    books_must_balance(heaps[h]);
  }
  assert_int_equal(tm_heap_close(heaps[1]), 0);
}

/* ---- Going home ----------------------------------------------------------------------------- */

enum { BATCH = 2000 };

typedef struct belt {
  tm_heap *heap;
  shadow_block blocks[BATCH];
  shadow made, ended;
  pthread_barrier_t barrier;
  int rounds;
} belt;

static void produce(belt *b)
{
  for (int round = 0; round < b->rounds; round++) {
    for (size_t i = 0; i < BATCH; i++) {
      size_t n = 16 + i % 700;
      b->blocks[i] = shadow_born(&b->made, TM_MEM, tm_malloc(b->heap, TM_MEM, n), n);
    }
    (void)pthread_barrier_wait(&b->barrier);
    (void)pthread_barrier_wait(&b->barrier);
  }
}

static void consume(belt *b)
{
  for (int round = 0; round < b->rounds; round++) {
    (void)pthread_barrier_wait(&b->barrier);
    for (size_t i = 0; i < BATCH; i++) {
      shadow_dies(&b->ended, &b->blocks[i]);
      tm_free(b->heap, TM_MEM, b->blocks[i].p);
    }
    (void)pthread_barrier_wait(&b->barrier);
  }
}

static void run_belt(void *ctx, unsigned index)
{
  if (index)
    consume(ctx);
  else
    produce(ctx);
}

/* One thread allocates, another frees, for long: what is freed is used again. */
static void a_pure_freer_feeds_the_allocator(void **state)
{
  (void)state;
  static belt b;
  b.heap = heap_for_many();
  (void)pthread_barrier_init(&b.barrier, NULL, 2);
  b.rounds = 5;
  threads_run(2, run_belt, &b);
  uint64_t pages = books_stats(b.heap).os_acquired_bytes_total;
  b.rounds = 100;
  threads_run(2, run_belt, &b);
  assert_true(books_stats(b.heap).os_acquired_bytes_total - pages <= 4 << 20);
  shadow_merge(&b.made, &b.ended);
  shadow_must_match(&b.made, b.heap);
  assert_int_equal(books_stats(b.heap).live_bytes, 0);
  books_must_balance(b.heap);
  (void)pthread_barrier_destroy(&b.barrier);
  assert_int_equal(tm_heap_close(b.heap), 0);
}

/* ---- Misuse by a thread that has no shard ---------------------------------------------------- */

static void free_this(void *ctx, unsigned index)
{
  (void)index;
  tm_free(tm_heap_default(), TM_RAW, crime_launder(ctx));
}

static void free_again_elsewhere(const void *arg)
{
  void *p = tm_malloc(tm_heap_default(), TM_RAW, *(const size_t *)arg);
  tm_free(tm_heap_default(), TM_RAW, p);
  (void)tm_trim(tm_heap_default());
  thread_run(free_this, p);
}

static void free_an_unused_address(const void *arg)
{
  (void)tm_heap_default();
  thread_run(free_this, tm__arena.base + *(const size_t *)arg);
}

/* The empty shard has no key that a tag could have, a free slice's included. */
static void a_fresh_thread_is_told_too(void **state)
{
  (void)state;
  static const size_t sizes[] = {100, 70000, 1 << 20}, far[] = {1 << 28, 1 << 30, (size_t)1 << 34};
  for (size_t i = 0; i < 3; i++) {
    crime_expect_abort("again", free_again_elsewhere, &sizes[i], "tidemark: fatal: ");
    crime_expect_abort("unused", free_an_unused_address, &far[i],
                       "tidemark: fatal: invalid pointer");
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_shard_serves_thread_after_thread),
      cmocka_unit_test(threads_are_counted),
      cmocka_unit_test(a_thread_has_a_shard_in_each_heap),
      cmocka_unit_test(any_call_can_be_the_first),
      cmocka_unit_test(destructors_that_run_after_ours),
      cmocka_unit_test(a_pure_freer_feeds_the_allocator),
      cmocka_unit_test(a_fresh_thread_is_told_too),
  };
  (void)tm_heap_default();
  must(pthread_key_create(&late_key, call_late) == 0);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
