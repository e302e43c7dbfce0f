/*
 * threads.c - threads that live for a moment, allocate, leave something behind, and are gone.
 *
 * Stands for: a server with a thread per request, a build tool, parallel for-loops. Each thread
 * frees what its predecessor left and leaves a result of its own, so memory outlives the thread
 * that took it. Shows what a thread's first allocation and its exit cost, and whether what
 * exited threads held is used again.
 */
#include "bench.h"

enum { AT_ONCE = 2, BLOCKS = 600, LEFT = 60, DOUBLINGS = 8 };

/* What one thread leaves for the next in its lane. */
typedef struct lane {
  void *left[LEFT];
  uint64_t seed;
} lane;

static void *run_request(void *arg)
{
  lane *self = arg;
  void *blocks[BLOCKS];
  bench_rng rng = bench_rng_new(self->seed++);
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = bench_rng_size(&rng, DOUBLINGS);
    blocks[i] = bench_malloc(size);
    bench_touch(blocks[i], size);
  }
  for (size_t i = 0; i < LEFT; i++) {
    free(self->left[i]);
    self->left[i] = blocks[i * (BLOCKS / LEFT)];
    blocks[i * (BLOCKS / LEFT)] = NULL;
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    free(blocks[i]);
  }
  return NULL;
}

int main(int argc, char **argv)
{
  static lane lanes[AT_ONCE];
  pthread_t threads[AT_ONCE];
  bench_option options[] = {{"rounds", 12000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 1);
  for (uint64_t round = 0; round < options[0].value; round++) {
    for (size_t i = 0; i < AT_ONCE; i++) {
      lanes[i].seed += i * UINT32_MAX;
      threads[i] = bench_thread_start(run_request, &lanes[i]);
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
      bench_thread_join(threads[i]);
    }
  }
  for (size_t i = 0; i < AT_ONCE; i++) {
    for (size_t k = 0; k < LEFT; k++) {
      free(lanes[i].left[k]);
    }
  }
  return 0;
}
