/*
 * test_limit.c - a hard limit under eight threads, while the limit moves and bytes are informed: it
 * is never exceeded, not by one byte, and what fits is granted but for the published margin.
 */
#include <errno.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "heap/credit.h"
#include "support/books.h"
#include "support/random.h"
#include "support/threads.h"

enum { THREADS = 8, BLOCKS = 400, STEPS = TEST_SANITIZED || TM_STRESS_TRIP ? 2500 : 40000 };
static const int64_t MIB = 1 << 20;

/*
 * What the test knows for sure of the footprint: a block is added when its request has returned and
 * taken off before it is freed, so `known` is never above the true one. A request that was granted
 * while nobody moved the limit or informed left the footprint at or below the limit.
 */
typedef struct scene {
  tm_heap *heap;
  _Atomic(int64_t) known, room; /* room: the limit less the informed bytes */
  _Atomic(uint64_t) version;    /* of room; odd while it changes */
  _Atomic(int) working;
  _Atomic(uint64_t) granted, refused;
} scene;

typedef struct worker {
  scene *scene;
  test_random random;
  void *blocks[BLOCKS];
} worker;

static void add(scene *s, int64_t bytes, uint64_t version)
{
  int64_t known = atomic_fetch_add(&s->known, bytes) + bytes, room = atomic_load(&s->room);
  if (version % 2 == 0 && atomic_load(&s->version) == version)
    must(known <= room);
}

static void drop(worker *w, unsigned slot)
{
  if (w->blocks[slot])
    atomic_fetch_sub(&w->scene->known, (int64_t)tm_usable_size(w->blocks[slot]));
  tm_free(w->scene->heap, TM_MEM, w->blocks[slot]);
  w->blocks[slot] = NULL;
}

static void take(worker *w, unsigned slot)
{
  uint64_t version = atomic_load(&w->scene->version);
  errno = 0;
  void *p = tm_malloc(w->scene->heap, TM_MEM, random_size(&w->random));
  if (p) {
    add(w->scene, (int64_t)tm_usable_size(p), version);
    atomic_fetch_add(&w->scene->granted, 1);
  } else {
    must_equal(errno, ENOMEM);
    atomic_fetch_add(&w->scene->refused, 1);
  }
  w->blocks[slot] = p;
}

static void resize(worker *w, unsigned slot)
{
  uint64_t version = atomic_load(&w->scene->version);
  int64_t before = (int64_t)tm_usable_size(w->blocks[slot]);
  size_t n = random_size(&w->random);
  int64_t kept = (int64_t)n < before ? (int64_t)n : before;
  atomic_fetch_sub(&w->scene->known, before - kept); /* a shrink begins before it returns */
  void *p = tm_realloc(w->scene->heap, TM_MEM, w->blocks[slot], n);
  w->blocks[slot] = p ? p : w->blocks[slot];
  int64_t more = (int64_t)tm_usable_size(w->blocks[slot]) - kept;
  if (p && (int64_t)n > before)
    add(w->scene, more, version);
  else
    atomic_fetch_add(&w->scene->known, more);
}

static void work(void *ctx, unsigned index)
{
  scene *s = ctx;
  worker *w = calloc(1, sizeof *w);
  must(w != NULL);
  w->scene = s;
  w->random.state = index + 50;
  for (int i = 0; i < STEPS; i++) {
    unsigned slot = (unsigned)random_below(&w->random, BLOCKS);
    if (!w->blocks[slot])
      take(w, slot);
    else if (random_below(&w->random, 3))
      drop(w, slot);
    else
      resize(w, slot);
  }
  for (unsigned slot = 0; slot < BLOCKS; slot++)
    drop(w, slot);
  free(w);
  atomic_fetch_sub(&s->working, 1);
}

/* ---- The limit stands still ----------------------------------------------------------------- */

/* Readers see no more than the limit allows, at every read, the peak included. */
static void *read_on(void *arg)
{
  scene *s = arg;
  uint64_t limit = (uint64_t)atomic_load(&s->room);
  while (atomic_load(&s->working) > 0) {
    tm_stats stats = books_stats(s->heap);
    books_must_be_sane(&stats);
    must(stats.footprint_bytes <= limit);
    must(stats.footprint_peak_bytes <= limit);
    must(tm_footprint(s->heap) <= limit);
  }
  return NULL;
}

static void storm(tm_heap *heap, int64_t limit)
{
  scene s = {.heap = heap};
  pthread_t reader;
  tm_peak_reset(heap);
  assert_int_equal(tm_limit_set(heap, TM_HARD, limit), 0);
  atomic_store(&s.room, limit);
  atomic_store(&s.working, THREADS);
  must(pthread_create(&reader, NULL, read_on, &s) == 0);
  threads_run(THREADS, work, &s);
  must(pthread_join(reader, NULL) == 0);
  assert_int_equal(atomic_load(&s.known), 0);
  assert_int_equal(books_stats(heap).live_bytes, 0);
  assert_true(atomic_load(&s.granted) > 1000);
  assert_true(atomic_load(&s.refused) > 100);
  books_must_balance(heap);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
}

static tm_heap *heap_for_many(void)
{
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  return heap;
}

static void never_exceeded_by_a_heap_for_many(void **state)
{
  (void)state;
  tm_heap *heap = heap_for_many();
  storm(heap, MIB);
  storm(heap, 700000);
  storm(heap, 300000);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void never_exceeded_by_the_default_heap(void **state)
{
  (void)state;
  storm(tm_heap_default(), 700000);
}

/* ---- The limit moves ------------------------------------------------------------------------ */

static void change(scene *s, int64_t *limit, int64_t *informed, test_random *r)
{
  atomic_fetch_add(&s->version, 1);
  if (random_below(r, 2)) {
    *limit = (int64_t)(MIB / 2 + (int64_t)random_below(r, 4 << 20));
    must(tm_limit_set(s->heap, TM_HARD, *limit) == 0);
  } else {
    int64_t delta = (int64_t)random_below(r, 1 << 20);
    delta = *informed > 0 ? -*informed : delta;
    tm_inform(s->heap, "outside", delta);
    *informed += delta;
  }
  atomic_store(&s->room, *limit - *informed);
  atomic_fetch_add(&s->version, 1);
  must_equal(tm_limit_get(s->heap, TM_HARD), *limit);
}

static void *change_on(void *arg)
{
  scene *s = arg;
  test_random r = {77};
  int64_t limit = atomic_load(&s->room), informed = 0;
  while (atomic_load(&s->working) > 0) {
    change(s, &limit, &informed, &r);
    tm_stats stats = books_stats(s->heap);
    must(stats.live_bytes < (uint64_t)8 << 20);
    tm__os_pause(200000); /* the workers must have quiet times too, or nothing is tested */
  }
  tm_inform(s->heap, "outside", -informed);
  return NULL;
}

static void a_moving_limit_is_never_exceeded(void **state)
{
  (void)state;
  pthread_t changer;
  scene s = {.heap = heap_for_many()};
  /* Again where the changer hardly got a processor. */
  for (int round = 0; round < 50 && atomic_load(&s.version) <= 10; round++) {
    assert_int_equal(tm_limit_set(s.heap, TM_HARD, 3 * MIB), 0);
    atomic_store(&s.room, 3 * MIB);
    atomic_store(&s.working, THREADS);
    must(pthread_create(&changer, NULL, change_on, &s) == 0);
    threads_run(THREADS, work, &s);
    must(pthread_join(changer, NULL) == 0);
  }
  assert_true(atomic_load(&s.version) > 10);
  assert_true(atomic_load(&s.refused) > 100);
  assert_int_equal(tm_footprint(s.heap), 0);
  books_must_balance(s.heap);
  assert_int_equal(tm_heap_close(s.heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(never_exceeded_by_a_heap_for_many),
      cmocka_unit_test(never_exceeded_by_the_default_heap),
      cmocka_unit_test(a_moving_limit_is_never_exceeded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
