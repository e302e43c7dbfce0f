/*
 * test_threads.c - threads by the thousand: short ones that leave blocks for others, 64 at once as
 * the first of a process, heaps that come and go beside them.
 */
#include <errno.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "heap/heap.h"
#include "misuse/crime.h"
#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

/* ---- Churn ---------------------------------------------------------------------------------- */

enum { CHURN = TEST_SANITIZED ? 1500 : 10000, AT_ONCE = 10, EACH = 60 };

typedef struct churn {
  tm_heap *heap;
  storm_mail mail;
  shadow all;
  pthread_mutex_t lock;
  unsigned round;
} churn;

static void live_briefly(void *ctx, unsigned index)
{
  churn *c = ctx;
  storm s = {.heap = c->heap, .mail = &c->mail, .most_blocks = 40};
  s.random.state = c->round * 100 + index;
  for (int i = 0; i < EACH; i++)
    storm_step(&s);
  storm_calm(&s);
  must(pthread_mutex_lock(&c->lock) == 0);
  shadow_merge(&c->all, &s.shadow);
  must(pthread_mutex_unlock(&c->lock) == 0);
  shadow_drop(&s.shadow);
}

static void churn_in(tm_heap *heap)
{
  static churn c;
  memset(&c, 0, sizeof c);
  c.heap = heap;
  must(pthread_mutex_init(&c.lock, NULL) == 0);
  uint64_t meta = 0, shards = 0;
  for (c.round = 0; c.round < CHURN / AT_ONCE; c.round++) {
    threads_run(AT_ONCE, live_briefly, &c);
    if (c.round == 10) {
      meta = books_stats(heap).meta_bytes;
      shards = atomic_load(&heap->shard_count);
    }
  }
  assert_true(atomic_load(&heap->shard_count) <= shards + AT_ONCE);
  assert_true(books_stats(heap).meta_bytes <= meta + AT_ONCE * 64 * 1024);
  storm rest = {.heap = heap, .mail = &c.mail};
  storm_empty_mail(&rest);
  shadow_merge(&c.all, &rest.shadow);
  shadow_must_match(&c.all, heap);
  assert_int_equal(books_stats(heap).live_bytes, 0);
  books_must_balance(heap);
  (void)tm_trim(heap);
  assert_int_equal(books_stats(heap).pages, 0);
  (void)pthread_mutex_destroy(&c.lock);
}

static void short_threads_lose_no_byte(void **state)
{
  (void)state;
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  churn_in(heap);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- Heaps beside each other ----------------------------------------------------------------- */

/* Each thread has heaps of its own, one after the other, and checks and walks them. */
static void live_with_own_heaps(void *ctx, unsigned index)
{
  (void)ctx;
  for (unsigned i = 0; i < (TEST_SANITIZED ? 20 : 60); i++) {
    storm s = {.random = {index * 1000 + i}, .most_blocks = 100};
    must(tm_heap_new(&s.heap, NULL) == 0);
    storm_pools(s.heap, s.pools);
    for (int k = 0; k < 800; k++)
      storm_step(&s);
    shadow_must_match(&s.shadow, s.heap);
    must(tm_heap_check(s.heap) == 0); /* the others' motion is not ours */
    (void)tm_trim(s.heap);
    must(tm_heap_check(s.heap) == 0);
    must(tm_heap_close(s.heap) == 0);
    shadow_drop(&s.shadow);
  }
}

static void heaps_of_several_threads(void **state)
{
  (void)state;
  threads_run(8, live_with_own_heaps, NULL);
  assert_null(tm_heap_at(1));
  books_must_balance(tm_heap_default());
}

/* ---- The first use of a process -------------------------------------------------------------- */

enum { RACERS = 64 };

typedef struct race {
  pthread_barrier_t start;
  void *blocks[RACERS];
} race;

/* Each begins with another call; all of them find the same heap. */
static void race_into_first_use(void *ctx, unsigned index)
{
  race *r = ctx;
  tm_stats stats;
  tm_heap *heap = NULL;
  tm_stats_init(&stats);
  (void)pthread_barrier_wait(&r->start);
  switch (index % 8) {
  case 0:
    must(tm_owns(r) == 0);
    break;
  case 1:
    must(tm_usable_size(r) == 0);
    break;
  case 2:
    tm_free(tm_heap_default(), TM_RAW, NULL);
    break;
  case 3:
    must(tm_heap_new(&heap, NULL) == 0);
    break;
  case 4:
    must(tm_stats_read(tm_heap_default(), &stats) == 0);
    break;
  case 5:
    tm_inform(tm_heap_default(), "x", 0);
    break;
  case 6:
    (void)tm_trim(tm_heap_default());
    break;
  default:
    break;
  }
  r->blocks[index] = tm_malloc(tm_heap_default(), TM_RAW, 100);
  must(r->blocks[index] != NULL && tm_owns(r->blocks[index]));
  memset(r->blocks[index], (int)index, 100);
  must(heap == NULL || (tm_malloc(heap, TM_RAW, 10) && tm_heap_close(heap) == 0));
}

static void race_once(const void *arg)
{
  static race r;
  (void)arg;
  must(tm__arena.bytes == 0); /* nothing was used yet */
  (void)pthread_barrier_init(&r.start, NULL, RACERS);
  threads_run(RACERS, race_into_first_use, &r);
  tm_heap *d = tm_heap_default();
  must_equal(books_stats(d).live_blocks, RACERS);
  for (unsigned i = 0; i < RACERS; i++) {
    must_equal(((unsigned char *)r.blocks[i])[99], i);
    tm_free(d, TM_RAW, r.blocks[i]);
  }
  must_equal(books_stats(d).live_bytes, 0);
  books_must_balance(d);
}

/* In children, before this process has used the library. */
static void race_in_children(void)
{
  for (int i = 0; i < (TEST_SANITIZED ? 5 : 20); i++) {
    crime_scene end;
    crime_commit(race_once, NULL, &end);
    if (end.status)
      print_error("%s\n", end.text);
    must_equal(end.status, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(short_threads_lose_no_byte),
      cmocka_unit_test(heaps_of_several_threads),
  };
  race_in_children();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
