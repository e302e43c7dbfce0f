/*
 * false_sharing.c - two threads write to tiny blocks of their own, all the time.
 *
 * Stands for: counters, flags and queue heads that each worker allocates for itself. In the active
 * shape each thread allocates its own block; in the passive shape the main thread allocates one
 * block after the other and hands them out, a thread frees what it got and allocates again. An
 * allocator that serves two threads from one cache line makes both wait for each other.
 */
#include "bench.h"

enum { MAX_THREADS = 64, BLOCK_BYTES = 8 };

typedef struct worker {
  char *given; /* passive: the block that the main thread made for this one */
  uint64_t blocks, writes;
} worker;

static void *run_worker(void *arg)
{
  worker *self = arg;
  free(self->given);
  for (uint64_t i = 0; i < self->blocks; i++) {
    volatile char *p = bench_malloc(BLOCK_BYTES);
    p[0] = 0;
    for (uint64_t k = 0; k < self->writes; k++) {
      p[0] = (char)(p[0] + 1);
    }
    free((void *)(uintptr_t)p);
  }
  return NULL;
}

int main(int argc, char **argv)
{
  static worker workers[MAX_THREADS];
  pthread_t threads[MAX_THREADS];
  bench_option options[] = {{"shape", 0, 0, 1, "active,passive"},
                            {"threads", 2, 1, MAX_THREADS, NULL},
                            {"blocks", 400, 1, UINT64_MAX, NULL},
                            {"writes", 1000000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 4);
  size_t count = (size_t)options[1].value;
  for (size_t i = 0; i < count; i++) {
    workers[i] = (worker){NULL, options[2].value, options[3].value};
    if (options[0].value == 1) {
      workers[i].given = bench_malloc(BLOCK_BYTES);
      workers[i].given[0] = 1;
    }
  }
  for (size_t i = 0; i < count; i++) {
    threads[i] = bench_thread_start(run_worker, &workers[i]);
  }
  for (size_t i = 0; i < count; i++) {
    bench_thread_join(threads[i]);
  }
  return 0;
}
