/*
 * xthread.c - one thread allocates, the other frees: producer and consumer.
 *
 * Stands for: a reader thread that parses requests and a worker that answers and drops them, a
 * decoder that feeds a player, an actor's mailbox. Every block is freed by a thread that did not
 * allocate it, and the consumer allocates nothing: what it frees must find its way back.
 */
#include "queue.h"

typedef struct work {
  bench_queue queue;
  uint64_t batches;
} work;

static void *produce(void *arg)
{
  work *shared = arg;
  bench_rng rng = bench_rng_new(3);
  bench_batch batch;
  for (uint64_t i = 0; i < shared->batches; i++) {
    batch.count = BENCH_BATCH;
    for (size_t k = 0; k < BENCH_BATCH; k++) {
      size_t size = 16 + bench_rng_below(&rng, 240);
      batch.blocks[k] = bench_malloc(size);
      bench_touch(batch.blocks[k], size);
    }
    bench_queue_put(&shared->queue, &batch);
  }
  batch.count = 0;
  bench_queue_put(&shared->queue, &batch);
  return NULL;
}

static void consume(work *shared)
{
  bench_batch batch;
  for (bench_queue_get(&shared->queue, &batch); batch.count != 0;
       bench_queue_get(&shared->queue, &batch)) {
    for (size_t k = 0; k < batch.count; k++) {
      (void)*(volatile char *)batch.blocks[k];
      free(batch.blocks[k]);
    }
  }
}

int main(int argc, char **argv)
{
  static work shared;
  bench_option options[] = {{"batches", 250000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 1);
  bench_queue_init(&shared.queue);
  shared.batches = options[0].value;
  pthread_t producer = bench_thread_start(produce, &shared);
  consume(&shared);
  bench_thread_join(producer);
  return 0;
}
