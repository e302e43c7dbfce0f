/*
 * test_slack.c - how near soft trips and the peak are with several threads: within slack_bytes, as
 * published at that moment.
 */
#include <tidemark/gc.h>

#include "heap/credit.h"
#include "support/books.h"
#include "support/threads.h"

enum { MIB = 1 << 20 };

static tm_heap *heap_for_many(void)
{
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  return heap;
}

/* ---- The slack of soft trips ----------------------------------------------------------------- */

typedef struct crossing {
  _Atomic(uint64_t) footprint, slack;
  _Atomic(int) count;
} crossing;

static void note(void *ctx, tm_heap *heap)
{
  crossing *c = ctx;
  if (atomic_fetch_add(&c->count, 1) == 0) {
    tm_stats stats = books_stats(heap);
    atomic_store(&c->footprint, stats.footprint_bytes);
    atomic_store(&c->slack, stats.slack_bytes);
  }
}

static void climb(void *ctx, unsigned index)
{
  tm_heap *heap = ctx;
  (void)index;
  while (!tm_pending(heap))
    must(tm_malloc(heap, TM_MEM, 48) != NULL);
}

/* Overshot by threads times quantum at most, by any number of threads. */
static void soft_trips_are_overshot_by_the_slack_at_most(void **state)
{
  (void)state;
  if (TM_STRESS_TRIP) {
    print_message("SKIP: in this build every request asks: there is no quantum\n");
    skip();
  }
  for (unsigned threads = 1; threads <= 8; threads *= 2) {
    (void)tm_trim(tm_heap_default()); /* dirt above a soft limit would be due at once */
    tm_heap *heap = heap_for_many();
    crossing c = {0};
    assert_int_equal(tm_notify_set(heap, note, &c), 0);
    assert_int_equal(tm_limit_set(heap, TM_SOFT, 30 * MIB), 0);
    uint64_t trip = books_stats(heap).trip_bytes;
    assert_in_range(trip, MIB, 30 * MIB);
    threads_run(threads, climb, heap);
    /* What is out shrinks as it is used, also between the crossing and our look: the bound is what
     * could be out then, a sixteenth of the footprint for each thread. */
    uint64_t most = threads * (trip / 16 + TM_QUANTUM_MIN), slack = atomic_load(&c.slack);
    slack = (slack > most ? slack : most) + 48;
    assert_int_equal(atomic_load(&c.count), 1); /* R10: together they fire it once */
    assert_in_range(atomic_load(&c.footprint), trip - slack, trip + slack);
    assert_true(slack <= threads * (uint64_t)TM_QUANTUM_MAX);
    assert_int_equal(books_stats(heap).slack_bytes, 0); /* they have ended */
    assert_int_equal(tm_heap_close(heap), 0);
  }
}

/* ---- The peak of several threads ------------------------------------------------------------ */

typedef struct summit {
  tm_heap *heap;
  pthread_barrier_t barrier;
} summit;

enum { CLIMBERS = 8, CLIMB = 9000 };

static void climb_and_descend(void *ctx, unsigned index)
{
  summit *s = ctx;
  void **blocks = calloc(CLIMB, sizeof *blocks);
  must(blocks != NULL);
  for (int i = 0; i < CLIMB; i++)
    must((blocks[i] = tm_malloc(s->heap, TM_MEM, 100 + index)) != NULL);
  (void)pthread_barrier_wait(&s->barrier);
  (void)pthread_barrier_wait(&s->barrier);
  for (int i = 0; i < CLIMB; i++)
    tm_free(s->heap, TM_MEM, blocks[i]);
  free(blocks);
}

static void *climbers_main(void *arg)
{
  threads_run(CLIMBERS, climb_and_descend, arg);
  return NULL;
}

/* All at the top at once, and down again: the peak is that, but for the slack. */
static void the_peak_of_several_threads_is_near(void **state)
{
  (void)state;
  for (int round = 0; round < 5; round++) {
    pthread_t helper;
    summit s = {.heap = heap_for_many()};
    (void)pthread_barrier_init(&s.barrier, NULL, CLIMBERS + 1);
    must(pthread_create(&helper, NULL, climbers_main, &s) == 0);
    (void)pthread_barrier_wait(&s.barrier);
    uint64_t top = (uint64_t)CLIMBERS * CLIMB * 112, slack = atomic_load(&s.heap->slack_bytes);
    uint64_t stored = tm__counter_read(&s.heap->peak_bytes); /* no reader has raised it */
    assert_true(stored + slack >= top);
    assert_true(stored <= top);
    (void)pthread_barrier_wait(&s.barrier);
    must(pthread_join(helper, NULL) == 0);
    assert_true(books_stats(s.heap).footprint_peak_bytes + slack >= top);
    assert_true(books_stats(s.heap).footprint_peak_bytes <= top + slack);
    (void)pthread_barrier_destroy(&s.barrier);
    assert_int_equal(tm_heap_close(s.heap), 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(soft_trips_are_overshot_by_the_slack_at_most),
      cmocka_unit_test(the_peak_of_several_threads_is_near),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
