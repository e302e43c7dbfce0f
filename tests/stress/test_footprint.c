/*
 * test_footprint.c - 64 threads that come and go, that free what others made, that leave and are
 * swept: what the heap holds of the system's memory stays near what is live at the peak, by the
 * books and by the kernel's count.
 */
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <tidemark/gc.h>

#include "heap/arena.h"
#include "support/books.h"
#include "support/pages.h"
#include "support/random.h"
#include "support/threads.h"

enum { MIB = 1 << 20, THREADS = 64 };

/* The sizes that these threads ask for; each has a class of its own. */
static const size_t sizes[] = {24, 48, 100, 200, 400, 1000, 3000, 30000};
enum { SIZES = sizeof sizes / sizeof sizes[0], SMALLS = SIZES - 1 };

/*
 * What may be held beside 1.3 times the peak of the live bytes: a page at hand for each size in
 * each thread, 64 KiB and for the largest half a MiB; shards and stacks. The books count it in
 * full, the kernel once it has been used.
 */
enum {
  AT_HAND_BYTES = THREADS * (SMALLS * (64 << 10) + (512 << 10)),
  META_BYTES = THREADS * (128 << 10),
};

static uint64_t process_resident(void)
{
  unsigned long total = 0, pages = 0;
  char text[128] = {0};
  int fd = open("/proc/self/statm", O_RDONLY);
  must(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
  (void)close(fd);
  must(sscanf(text, "%lu %lu", &total, &pages) == 2);
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The highest levels that were seen. */
typedef struct levels {
  tm_heap *heap;
  uint64_t base_resident;
  _Atomic(uint64_t) live, committed, resident;
} levels;

static void raise_to(_Atomic(uint64_t) *level, uint64_t value)
{
  uint64_t seen = atomic_load(level);
  while (value > seen && !atomic_compare_exchange_weak(level, &seen, value))
    continue;
}

static void look(levels *l)
{
  tm_stats stats = books_stats(l->heap);
  uint64_t resident = process_resident();
  raise_to(&l->live, stats.live_bytes);
  /* what is free and dirty is on the books of the default heap */
  raise_to(&l->committed, stats.committed_bytes + books_stats(tm_heap_default()).committed_bytes);
  raise_to(&l->resident, resident > l->base_resident ? resident - l->base_resident : 0);
}

static void levels_start(levels *l)
{
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  memset(l, 0, sizeof *l);
  must(tm_heap_new(&l->heap, &config) == 0);
  (void)tm_trim(l->heap);
  l->base_resident = process_resident();
}

/* true iff the highest levels are as near as promised; else they are shown. */
static bool levels_are_near(levels *l, const char *name)
{
  uint64_t live = atomic_load(&l->live), committed = atomic_load(&l->committed);
  uint64_t resident = atomic_load(&l->resident);
  uint64_t most = live + live / 10 * 3 + AT_HAND_BYTES + META_BYTES;
  must(live >= 100 * MIB); /* else the constants are all there is to see */
  bool near = committed <= most && (TEST_SANITIZED || resident <= most);
  if (!near)
    print_error("%s: live %u, committed %u, resident %u MiB\n", name, (unsigned)(live / MIB),
                (unsigned)(committed / MIB), (unsigned)(resident / MIB));
  return near;
}

/* After the last free: idle shards are swept, and nothing is left. */
static void levels_end(levels *l)
{
  assert_int_equal(books_stats(l->heap).live_bytes, 0);
  (void)tm_trim(l->heap);
  assert_int_equal(books_stats(l->heap).pages, 0);
  if (!TEST_SANITIZED)
    assert_true(process_resident() <= l->base_resident + META_BYTES);
  books_must_balance(l->heap);
  assert_int_equal(tm_heap_close(l->heap), 0);
}

static void *filled(tm_heap *heap, test_random *r)
{
  /* about as many bytes of each size */
  size_t n = sizes[random_below(r, SIZES)];
  for (int tries = 0; n > 400 && random_below(r, n) > 400 && tries < 20; tries++)
    n = sizes[random_below(r, SIZES)];
  void *p = tm_malloc(heap, TM_MEM, n);
  must(p != NULL);
  memset(p, 1, n);
  return p;
}

/* ---- Threads come and go --------------------------------------------------------------------- */

enum { PLACES = 6144, ROUNDS = TEST_TSAN ? 2 : TEST_SANITIZED ? 6 : 16 };

typedef struct ground {
  levels levels;
  pthread_barrier_t together;
  unsigned round;
  unsigned freers; /* threads 0 to freers - 1; the others allocate */
  _Atomic(void *) places[THREADS * PLACES];
} ground;
static ground shared;

/* Replaces blocks that threads before it left, all over, and leaves its own. */
static void live_briefly(void *ctx, unsigned index)
{
  ground *c = ctx;
  test_random r = {c->round * 1000 + index};
  for (int i = 0; i < PLACES; i++) {
    size_t place = random_below(&r, (size_t)THREADS * PLACES);
    void *old = atomic_exchange(&c->places[place], filled(c->levels.heap, &r));
    tm_free(c->levels.heap, TM_MEM, old);
  }
  look(&c->levels);
}

static void free_all(ground *g)
{
  for (size_t i = 0; i < (size_t)THREADS * PLACES; i++)
    tm_free(g->levels.heap, TM_MEM, atomic_exchange(&g->places[i], NULL));
}

static void threads_come_and_go(void **state)
{
  (void)state;
  ground *g = &shared;
  levels_start(&g->levels);
  for (g->round = 0; g->round < ROUNDS; g->round++) {
    threads_run(THREADS, live_briefly, g);
    look(&g->levels);
  }
  bool near = levels_are_near(&g->levels, "come and go");
  free_all(g);
  levels_end(&g->levels);
  assert_true(near);
}

/* ---- Some allocate, others free -------------------------------------------------------------- */

static void make_share(ground *g, unsigned index, test_random *r)
{
  for (size_t i = index - g->freers; i < (size_t)THREADS * PLACES; i += THREADS - g->freers)
    if (!atomic_load(&g->places[i]))
      atomic_store(&g->places[i], filled(g->levels.heap, r));
}

/* Half of what there is, all over. */
static void free_share(ground *g, unsigned index, test_random *r)
{
  for (size_t i = index; i < (size_t)THREADS * PLACES; i += g->freers)
    if (random_below(r, 2))
      tm_free(g->levels.heap, TM_MEM, atomic_exchange(&g->places[i], NULL));
}

static void make_or_free(void *ctx, unsigned index)
{
  ground *g = ctx;
  test_random r = {index};
  for (int round = 0; round < ROUNDS / 2; round++) {
    if (index >= g->freers)
      make_share(g, index, &r);
    (void)pthread_barrier_wait(&g->together);
    if (index == 0)
      look(&g->levels);
    (void)pthread_barrier_wait(&g->together);
    if (index < g->freers)
      free_share(g, index, &r);
    if (index == 0)
      look(&g->levels);
    (void)pthread_barrier_wait(&g->together);
  }
}

static void divide_the_work(unsigned freers, const char *name)
{
  ground *g = &shared;
  g->freers = freers;
  must(pthread_barrier_init(&g->together, NULL, THREADS) == 0);
  levels_start(&g->levels);
  threads_run(THREADS, make_or_free, g);
  bool near = levels_are_near(&g->levels, name);
  free_all(g);
  levels_end(&g->levels);
  (void)pthread_barrier_destroy(&g->together);
  assert_true(near);
}

static void one_thread_frees_for_all(void **state)
{
  (void)state;
  divide_the_work(1, "one frees");
}

static void one_thread_allocates_for_all(void **state)
{
  (void)state;
  divide_the_work(THREADS - 1, "one allocates");
}

static void half_of_them_free(void **state)
{
  (void)state;
  divide_the_work(THREADS / 2, "half free");
}

/* ---- One size after the other ---------------------------------------------------------------- */

/* All of a size is freed, by the next thread, before there is anything of the next size. */
static void change_size(void *ctx, unsigned index)
{
  ground *g = ctx;
  size_t next = (index + 1) % THREADS;
  for (size_t k = 0; k < SMALLS; k++) {
    size_t count = 2 * MIB / sizes[k] < PLACES ? 2 * MIB / sizes[k] : PLACES;
    for (size_t i = 0; i < count; i++) {
      void *p = tm_malloc(g->levels.heap, TM_MEM, sizes[k]);
      must(p != NULL);
      memset(p, 1, sizes[k]);
      atomic_store(&g->places[index * PLACES + i], p);
    }
    (void)pthread_barrier_wait(&g->together);
    if (index == 0)
      look(&g->levels);
    (void)pthread_barrier_wait(&g->together);
    for (size_t i = 0; i < count; i++)
      tm_free(g->levels.heap, TM_MEM, atomic_exchange(&g->places[next * PLACES + i], NULL));
    (void)pthread_barrier_wait(&g->together);
    if (index == 0)
      look(&g->levels);
  }
}

static void what_was_of_one_size_serves_another(void **state)
{
  (void)state;
  ground *g = &shared;
  must(pthread_barrier_init(&g->together, NULL, THREADS) == 0);
  levels_start(&g->levels);
  threads_run(THREADS, change_size, g);
  bool near = levels_are_near(&g->levels, "sizes change");
  levels_end(&g->levels);
  (void)pthread_barrier_destroy(&g->together);
  assert_true(near);
}

/* ---- What trim gives back -------------------------------------------------------------------- */

static uint64_t arena_resident(void)
{
  return tm__os_resident(tm__arena.base, (size_t)tm__arena_top() << TM_SLICE_SHIFT);
}

typedef struct leavings {
  tm_heap *heap;
  size_t bytes, each; /* of a block; blocks of each thread */
  void **blocks;
} leavings;

static void leave_blocks(void *ctx, unsigned index)
{
  leavings *l = ctx;
  for (size_t i = index * l->each; i < (index + 1) * l->each; i++) {
    must((l->blocks[i] = tm_malloc(l->heap, TM_MEM, l->bytes)) != NULL);
    memset(l->blocks[i], 1, l->bytes);
  }
}

/* Other threads than those that made them, which have ended as well. */
static void free_most(void *ctx, unsigned index)
{
  leavings *l = ctx;
  for (size_t i = index; i < THREADS * l->each; i += THREADS)
    if (i % 100) {
      tm_free(l->heap, TM_MEM, l->blocks[i]);
      l->blocks[i] = NULL;
    }
}

/* Of what is free: in idle shards, freed by threads that are gone, among one survivor in a hundred.
 * The blocks are large enough that the survivors are not on all of the system's pages. */
static void trim_returns_what_is_free(void **state)
{
  (void)state;
  static const size_t bytes[] = {2000, 7000, 30000, 100000};
  for (size_t k = 0; k < TM_ARRAY_LEN(bytes); k++) {
    leavings l = {.bytes = bytes[k], .each = MIB / bytes[k]};
    levels seen;
    levels_start(&seen);
    l.heap = seen.heap;
    l.blocks = calloc(THREADS * l.each, sizeof *l.blocks);
    must(l.blocks != NULL);
    threads_run(THREADS, leave_blocks, &l);
    uint64_t before_frees = books_stats(l.heap).live_bytes;
    threads_run(THREADS, free_most, &l);
    uint64_t freed = before_frees - books_stats(l.heap).live_bytes;
    uint64_t resident = arena_resident(), process = process_resident();
    uint64_t said = tm_trim(l.heap);
    assert_int_equal(said, resident - arena_resident());
    assert_true(said >= freed / 100 * 95);
    if (!TEST_SANITIZED)
      assert_in_range(process - process_resident(), said - said / 50, said + said / 50);
    assert_int_equal(tm_trim(l.heap), 0);
    books_must_balance(l.heap);
    for (size_t i = 0; i < THREADS * l.each; i += 100) {
      must_equal(*(unsigned char *)l.blocks[i], 1);
      tm_free(l.heap, TM_MEM, l.blocks[i]);
    }
    free(l.blocks);
    levels_end(&seen);
  }
}

int main(void)
{
  if (TM_STRESS_TRIP) {
    printf(
        "SKIP: each of some million requests takes the slow path, and no other page than else\n");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_come_and_go),
      cmocka_unit_test(one_thread_frees_for_all),
      cmocka_unit_test(one_thread_allocates_for_all),
      cmocka_unit_test(half_of_them_free),
      cmocka_unit_test(what_was_of_one_size_serves_another),
      cmocka_unit_test(trim_returns_what_is_free),
  };
  pages_stay_small();
  (void)tm_heap_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
