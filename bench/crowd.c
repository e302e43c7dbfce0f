/*
 * crowd.c - threads that all allocate, for as long as they are let.
 *
 * Stands for: a busy server while somebody looks at its memory. Each thread keeps a few thousand
 * blocks of 16 bytes to 4 KiB and replaces one after the other. What is measured is not this
 * program but who watches it (monitor.py), which ends it when it has seen enough.
 */
#include "bench.h"

enum { THREADS_MAX = 64, BLOCKS = 4000, SIZE_LEAST = 16, SIZE_SPAN = 4080 };

static uint64_t steps;

static void replace_one(void **place, bench_rng *rng)
{
  free(*place);
  *place = bench_malloc(SIZE_LEAST + bench_rng_below(rng, SIZE_SPAN));
  *(volatile char *)*place = 1;
}

static void *allocate(void *arg)
{
  bench_rng rng = bench_rng_new(*(uint64_t *)arg);
  void *blocks[BLOCKS] = {NULL};
  for (uint64_t i = 0; i < steps; i++) {
    replace_one(&blocks[bench_rng_below(&rng, BLOCKS)], &rng);
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    free(blocks[i]);
  }
  return NULL;
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"threads", 8, 1, THREADS_MAX, NULL},
                            {"steps", UINT64_MAX, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 2);
  size_t count = (size_t)options[0].value;
  pthread_t threads[THREADS_MAX];
  uint64_t seeds[THREADS_MAX];
  steps = options[1].value;
  for (size_t i = 0; i < count; i++) {
    seeds[i] = i + 1;
    threads[i] = bench_thread_start(allocate, &seeds[i]);
  }
  for (size_t i = 0; i < count; i++) {
    bench_thread_join(threads[i]);
  }
  return 0;
}
