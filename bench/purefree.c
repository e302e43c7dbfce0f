/*
 * purefree.c - one thread frees what several others made, and never allocates; the makers come and
 * go.
 *
 * Stands for: a logging or reclamation thread, a deferred-free queue (RCU), the last stage of a
 * pipeline. The freeing thread's own cache only ever fills; some makers have exited before their
 * blocks are freed. Peak RSS shows whether the blocks find their way back.
 */
#include "queue.h"

enum { MAKERS = 2, DOUBLINGS = 7 };

typedef struct work {
  bench_queue queue;
  uint64_t batches; /* per maker and generation */
} work;

typedef struct maker {
  work *shared;
  uint64_t seed;
} maker;

static void *run_maker(void *arg)
{
  maker *self = arg;
  bench_rng rng = bench_rng_new(self->seed);
  bench_batch batch;
  batch.count = BENCH_BATCH;
  for (uint64_t i = 0; i < self->shared->batches; i++) {
    for (size_t k = 0; k < BENCH_BATCH; k++) {
      size_t size = bench_rng_size(&rng, DOUBLINGS);
      batch.blocks[k] = bench_malloc(size);
      bench_touch(batch.blocks[k], size);
    }
    bench_queue_put(&self->shared->queue, &batch);
  }
  return NULL;
}

static void *run_freer(void *arg)
{
  work *shared = arg;
  bench_batch batch;
  for (bench_queue_get(&shared->queue, &batch); batch.count != 0;
       bench_queue_get(&shared->queue, &batch)) {
    for (size_t k = 0; k < batch.count; k++) {
      free(batch.blocks[k]);
    }
  }
  return NULL;
}

int main(int argc, char **argv)
{
  static work shared;
  maker makers[MAKERS];
  pthread_t threads[MAKERS];
  bench_option options[] = {{"generations", 50, 1, UINT64_MAX, NULL},
                            {"batches", 2000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 2);
  bench_queue_init(&shared.queue);
  shared.batches = options[1].value;
  pthread_t freer = bench_thread_start(run_freer, &shared);
  for (uint64_t generation = 0; generation < options[0].value; generation++) {
    for (size_t i = 0; i < MAKERS; i++) {
      makers[i] = (maker){&shared, generation * MAKERS + i};
      threads[i] = bench_thread_start(run_maker, &makers[i]);
    }
    for (size_t i = 0; i < MAKERS; i++) {
      bench_thread_join(threads[i]);
    }
  }
  bench_queue_put(&shared.queue, &(bench_batch){.count = 0});
  bench_thread_join(freer);
  return 0;
}
