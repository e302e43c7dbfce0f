/*
 * test_signals.c - a thread at work is interrupted all the time, by handlers that ask what they may
 * ask (tm_owns, tm_pending) and let no system call be restarted: no byte is lost, no answer is
 * wrong. A handler that allocates is not promised anything.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <tidemark/gc.h>

#include "heap/arena.h"
#include "heap/heap.h"
#include "support/books.h"
#include "support/pages.h"
#include "support/storm.h"
#include "support/threads.h"

enum {
  LEAST_SIGNALS = TEST_TSAN ? 1 : 50,
  STEPS = TEST_SANITIZED || TM_STRESS_TRIP ? 8000 : 60000
};

/* What the handler looks at. */
static tm_heap *watched;
static void *_Atomic block;      /* a live one of ours */
static _Atomic(unsigned) caught; /* signals, since the start of a test */
static int here;                 /* not ours */
static int answered[2];          /* a pipe that the handler writes to */

static void on_signal(int number)
{
  int saved = errno;
  (void)number;
  const void *p = atomic_load(&block);
  if ((p && !tm_owns(p)) || tm_owns(&here) || tm_pending(watched) < 0)
    _exit(99);
  ssize_t written = write(answered[1], "x", 1); /* may fail: the pipe is full, and never read */
  (void)written;
  atomic_fetch_add(&caught, 1);
  errno = saved;
}

typedef struct work {
  tm_heap *heap;
  void (*fn)(tm_heap *heap);
  _Atomic(bool) done;
} work;

static void *be_interrupted(void *ctx)
{
  work *w = ctx;
  do
    w->fn(w->heap);
  while (atomic_load(&caught) < LEAST_SIGNALS);
  atomic_store(&w->done, true);
  void *p = tm_malloc(w->heap, TM_MEM, 100);
  tm_free(w->heap, TM_MEM, p);
  return NULL; /* and its end is interrupted too */
}

/* Runs fn in a thread of its own that gets a signal as soon as it has handled the last one. */
static void interrupt(tm_heap *heap, void (*fn)(tm_heap *heap))
{
  pthread_t thread;
  work w = {.heap = heap, .fn = fn};
  watched = heap;
  atomic_store(&caught, 0);
  atomic_store(&block, tm_malloc(heap, TM_MEM, 64));
  must(pthread_create(&thread, NULL, be_interrupted, &w) == 0);
  test_random r = {1};
  while (!atomic_load(&w.done)) {
    unsigned before = atomic_load(&caught);
    (void)pthread_kill(thread, SIGUSR1);
    while (atomic_load(&caught) == before && !atomic_load(&w.done))
      (void)sched_yield();
    /* then some work is done before the next one, now more, now less */
    for (uint64_t i = random_below(&r, 20000); i && !atomic_load(&w.done); i--)
      continue;
  }
  for (int i = 0; i < 20; i++) /* not joined yet: its id is good */
    (void)pthread_kill(thread, SIGUSR1);
  must(pthread_join(thread, NULL) == 0);
  tm_free(heap, TM_MEM, atomic_exchange(&block, NULL));
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

/* ---- What is interrupted --------------------------------------------------------------------- */

static void work_of_all_kinds(tm_heap *heap)
{
  storm s = {.heap = heap, .most_blocks = 400, .random = {STEPS}};
  for (int i = 0; i < STEPS; i++) {
    storm_step(&s);
    if (i % 200 == 0)
      (void)tm_trim(heap);
    if (i % 100 == 0)
      must(tm_poll(heap) >= 0);
    if (i % 1000 == 0) {
      int checked = tm_heap_check(heap);
      must(checked == 0 || checked == TM_EBUSY);
    }
  }
  for (size_t i = 0; i < s.shadow.count; i++)
    shadow_verify(&s.shadow.blocks[i], s.shadow.blocks[i].n);
  storm_calm(&s);
  must_equal(s.shadow.failures, 0);
  shadow_drop(&s.shadow);
}

static void no_byte_is_lost(void **state)
{
  (void)state;
  tm_heap *const heaps[] = {tm_heap_default(), heap_for_many()};
  for (int h = 0; h < 2; h++) {
    tm_stats before = books_stats(heaps[h]);
    interrupt(heaps[h], work_of_all_kinds);
    assert_int_equal(books_stats(heaps[h]).live_bytes, before.live_bytes);
    books_must_balance(heaps[h]);
  }
  assert_int_equal(tm_heap_close(heaps[1]), 0);
}

static uint64_t resident(void)
{
  return tm__os_resident(tm__arena.base, (size_t)tm__arena_top() << TM_SLICE_SHIFT);
}

/* Freed blocks of all sizes, among live ones; the kernel is interrupted while it purges. */
static void trim_often(tm_heap *heap)
{
  enum { BLOCKS = 3000 };
  static void *blocks[BLOCKS];
  test_random r = {7};
  for (int i = 0; i < BLOCKS; i++) {
    size_t n = random_size(&r);
    blocks[i] = tm_malloc(heap, TM_MEM, n);
    must(blocks[i] != NULL);
    memset(blocks[i], 1, n);
  }
  for (int i = 0; i < BLOCKS; i++)
    if (i % 50)
      tm_free(heap, TM_MEM, blocks[i]);
  uint64_t before = resident(), said = tm_trim(heap);
  must(said > 0);
  must_equal(said, before - resident());
  must_equal(tm_trim(heap), 0);
  for (int i = 0; i < BLOCKS; i += 50)
    tm_free(heap, TM_MEM, blocks[i]);
  before = resident();
  said = tm_trim(heap);
  must_equal(said, before - resident());
}

static void trim_tells_the_truth(void **state)
{
  (void)state;
  tm_heap *heap = heap_for_many();
  (void)tm_trim(heap);
  interrupt(heap, trim_often);
  assert_int_equal(books_stats(heap).live_bytes, 0);
  books_must_balance(heap);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void use_once(void *ctx, unsigned index)
{
  void *p = tm_malloc(ctx, TM_MEM, 1000 + index);
  must(p != NULL);
  tm_free(ctx, TM_MEM, p);
}

/* The thread that is interrupted makes and ends threads and heaps. */
static void heaps_and_threads(tm_heap *heap)
{
  for (int i = 0; i < 20; i++) {
    tm_heap *fresh = heap_for_many();
    threads_run(2, use_once, fresh);
    threads_run(2, use_once, heap);
    must(tm_malloc(fresh, TM_RAW, 100) != NULL);
    must(tm_heap_check(fresh) == 0);
    must(tm_heap_close(fresh) == 0);
  }
}

static void heaps_and_threads_come_and_go(void **state)
{
  (void)state;
  tm_heap *heap = heap_for_many();
  interrupt(heap, heaps_and_threads);
  assert_int_equal(books_stats(heap).threads, 1); /* this one */
  assert_int_equal(books_stats(heap).live_bytes, 0);
  books_must_balance(heap);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_byte_is_lost),
      cmocka_unit_test(trim_tells_the_truth),
      cmocka_unit_test(heaps_and_threads_come_and_go),
  };
  struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
  pages_stay_small();
  (void)tm_heap_default();
  must(pipe2(answered, O_NONBLOCK | O_CLOEXEC) == 0);
  must(sigaction(SIGUSR1, &action, NULL) == 0);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
