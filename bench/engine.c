/*
 * engine.c - what watching costs: reading the books, polling when nothing is due, one decision.
 *
 * Stands for: a host that polls in its loop, a monitor that reads the statistics. The heap has as
 * many shards as threads are asked for, each with blocks of every class, and they stay alive while
 * it is measured. Prints medians in nanoseconds.
 */
#include "bench.h"

#include <tidemark/tidemark.h>

enum { ROUNDS = 21, MAX_THREADS = 256, BLOCKS = 2000 };

typedef struct stage {
  pthread_barrier_t filled, measured;
} stage;

static void *hold_blocks(void *arg)
{
  stage *both = arg;
  void *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = tm_malloc(tm_heap_default(), TM_MEM, 16 + i * 8);
  }
  (void)pthread_barrier_wait(&both->filled);
  (void)pthread_barrier_wait(&both->measured);
  for (size_t i = 0; i < BLOCKS; i++) {
    tm_free(tm_heap_default(), TM_MEM, blocks[i]);
  }
  return NULL;
}

/* ---- What is measured ----------------------------------------------------------------------- */

static void read_stats(void)
{
  tm_stats stats;
  tm_stats_init(&stats);
  if (tm_stats_read(tm_heap_default(), &stats) != 0) {
    bench_die(BENCH_EXIT_FAILED, "tm_stats_read failed");
  }
  bench_use(&stats);
}

static void read_footprint(void)
{
  uint64_t bytes = tm_footprint(tm_heap_default());
  bench_use(&bytes);
}

enum { POLLS = 16 }; /* in a row, so that the call of this function does not count */

static void poll_unfired(void)
{
  static tm_heap *heap; /* a host has it at hand */
  heap = heap != NULL ? heap : tm_heap_default();
  for (int i = 0; i < POLLS; i++) {
    if (tm_poll(heap) != 0) {
      bench_die(BENCH_EXIT_FAILED, "something was due");
    }
  }
}

/* The same in a host that tests the word itself. */
static void poll_by_word(void)
{
  static tm_heap *heap;
  static const volatile uint32_t *pending;
  heap = heap != NULL ? heap : tm_heap_default();
  pending = pending != NULL ? pending : tm_pending_word(heap);
  for (int i = 0; i < POLLS; i++) {
    if (*pending != 0 && tm_poll(heap) != 0) {
      bench_die(BENCH_EXIT_FAILED, "something was due");
    }
  }
}

static void decide(void)
{
  static tm_policy_state state;
  static tm_inputs inputs;
  tm_decision decision;
  if (inputs.size == 0) {
    tm_policy policy;
    tm_policy_init(&policy);
    tm_policy_state_init(&state, &policy, 1);
    inputs = (tm_inputs){.size = sizeof inputs, .now_ns = 1, .hooks = 1U << TM_COLLECT};
  }
  inputs.now_ns += 1000;
  inputs.footprint_bytes += 4096;
  inputs.allocated_bytes_total += 4096;
  inputs.committed_bytes += 4096;
  tm_decide(&inputs, &state, &decision);
  bench_use(&decision);
}

static double median_ns(void (*run)(void), uint64_t times)
{
  double ns[ROUNDS];
  for (size_t round = 0; round < ROUNDS; round++) {
    double start = bench_cpu_ns();
    for (uint64_t i = 0; i < times; i++) {
      run();
    }
    ns[round] = (bench_cpu_ns() - start) / (double)times;
  }
  return bench_median(ns, ROUNDS);
}

int main(int argc, char **argv)
{
  static stage both;
  pthread_t threads[MAX_THREADS];
  bench_option options[] = {{"shards", 8, 1, MAX_THREADS, NULL}};
  bench_begin(argc, argv, options, 1);
  unsigned count = (unsigned)options[0].value - 1; /* the main thread has one too */
  (void)pthread_barrier_init(&both.filled, NULL, count + 1);
  (void)pthread_barrier_init(&both.measured, NULL, count + 1);
  void *own = tm_malloc(tm_heap_default(), TM_MEM, 64);
  for (unsigned i = 0; i < count; i++) {
    threads[i] = bench_thread_start(hold_blocks, &both);
  }
  (void)pthread_barrier_wait(&both.filled);
  (void)printf("stats_read_ns=%.1f footprint_ns=%.1f unfired_poll_ns=%.2f "
               "unfired_word_ns=%.2f decision_ns=%.1f\n",
               median_ns(read_stats, 20000), median_ns(read_footprint, 100000),
               median_ns(poll_unfired, 500000) / POLLS, median_ns(poll_by_word, 500000) / POLLS,
               median_ns(decide, 500000));
  (void)pthread_barrier_wait(&both.measured);
  for (unsigned i = 0; i < count; i++) {
    bench_thread_join(threads[i]);
  }
  tm_free(tm_heap_default(), TM_MEM, own);
  return 0;
}
