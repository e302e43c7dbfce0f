/*
 * churn.c - a server's churn: threads that each keep a set of live blocks of random sizes, replace
 * them at random, and hand whole sets to each other.
 *
 * Stands for: a threaded server. A set is a connection's state; requests replace parts of it; now
 * and then another worker picks the connection up and frees what the first one allocated.
 */
#include "bench.h"

enum { MAX_THREADS = 64, DOUBLINGS = 8, REPLACED_PER_TURN = 2000 };

typedef struct block_set {
  void **blocks;
} block_set;

/* Sets that wait for a worker: each worker puts its own down and takes the one that was there. */
typedef struct exchange {
  pthread_mutex_t lock;
  block_set *waiting;
} exchange;

typedef struct worker {
  exchange *shared;
  block_set *set;
  size_t slots;
  uint64_t turns, seed;
} worker;

static void *new_block(bench_rng *rng)
{
  size_t size = bench_rng_size(rng, DOUBLINGS);
  void *p = bench_malloc(size);
  bench_touch(p, size);
  return p;
}

static void fill_set(block_set *set, size_t slots, uint64_t seed)
{
  bench_rng rng = bench_rng_new(seed);
  set->blocks = bench_malloc(slots * sizeof *set->blocks);
  for (size_t i = 0; i < slots; i++) {
    set->blocks[i] = new_block(&rng);
  }
}

static void drop_set(block_set *set, size_t slots)
{
  for (size_t i = 0; i < slots; i++) {
    free(set->blocks[i]);
  }
  free(set->blocks);
}

static void *run_worker(void *arg)
{
  worker *self = arg;
  bench_rng rng = bench_rng_new(self->seed);
  for (uint64_t turn = 0; turn < self->turns; turn++) {
    void **blocks = self->set->blocks;
    for (size_t i = 0; i < REPLACED_PER_TURN; i++) {
      size_t slot = bench_rng_below(&rng, self->slots);
      free(blocks[slot]);
      blocks[slot] = new_block(&rng);
    }
    (void)pthread_mutex_lock(&self->shared->lock);
    block_set *next = self->shared->waiting;
    self->shared->waiting = self->set;
    self->set = next;
    (void)pthread_mutex_unlock(&self->shared->lock);
  }
  return NULL;
}

int main(int argc, char **argv)
{
  static block_set sets[MAX_THREADS + 1];
  static worker workers[MAX_THREADS];
  pthread_t threads[MAX_THREADS];
  exchange shared = {PTHREAD_MUTEX_INITIALIZER, &sets[0]};
  bench_option options[] = {{"threads", 2, 1, MAX_THREADS, NULL},
                            {"slots", 10000, 1, 1 << 24, NULL},
                            {"turns", 8000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 3);
  size_t count = (size_t)options[0].value;
  size_t slots = (size_t)options[1].value;
  for (size_t i = 0; i <= count; i++) {
    fill_set(&sets[i], slots, i);
  }
  for (size_t i = 0; i < count; i++) {
    workers[i] = (worker){&shared, &sets[i + 1], slots, options[2].value, 100 + i};
    threads[i] = bench_thread_start(run_worker, &workers[i]);
  }
  for (size_t i = 0; i < count; i++) {
    bench_thread_join(threads[i]);
  }
  for (size_t i = 0; i <= count; i++) {
    drop_set(&sets[i], slots);
  }
  return 0;
}
