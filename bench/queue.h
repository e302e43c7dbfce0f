/*
 * queue.h - a bounded queue of batches of blocks between threads, with a mutex and two conditions,
 * as programs have it. A batch is an array of pointers, and who sleeps is woken when there is work
 * for a while, so that the queue's own cost is small against the cost of what is measured. The
 * arrays are part of the queue and never reallocated.
 */
#ifndef TM_BENCH_QUEUE_H
#define TM_BENCH_QUEUE_H

#include "bench.h"

enum { BENCH_BATCH = 128, BENCH_QUEUE_LEN = 32, BENCH_QUEUE_WAKE = 12 };

typedef struct bench_batch {
  void *blocks[BENCH_BATCH];
  size_t count;
} bench_batch;

/* filled == tail - head <= BENCH_QUEUE_LEN, both only grow. */
typedef struct bench_queue {
  pthread_mutex_t lock;
  pthread_cond_t not_full, not_empty;
  uint64_t head, tail;
  bench_batch ring[BENCH_QUEUE_LEN];
} bench_queue;

static inline void bench_queue_init(bench_queue *queue)
{
  (void)pthread_mutex_init(&queue->lock, NULL);
  (void)pthread_cond_init(&queue->not_full, NULL);
  (void)pthread_cond_init(&queue->not_empty, NULL);
  queue->head = queue->tail = 0;
}

/* Copies the batch in; waits while the queue is full. count == 0 tells the reader to stop. A reader
 * that sleeps is woken when enough batches wait, or none will follow. */
static inline void bench_queue_put(bench_queue *queue, const bench_batch *batch)
{
  (void)pthread_mutex_lock(&queue->lock);
  while (queue->tail - queue->head == BENCH_QUEUE_LEN) {
    (void)pthread_cond_wait(&queue->not_full, &queue->lock);
  }
  bench_batch *slot = &queue->ring[queue->tail % BENCH_QUEUE_LEN];
  memcpy(slot->blocks, batch->blocks, batch->count * sizeof batch->blocks[0]);
  slot->count = batch->count;
  queue->tail++;
  if (queue->tail - queue->head >= BENCH_QUEUE_WAKE || batch->count == 0) {
    (void)pthread_cond_signal(&queue->not_empty);
  }
  (void)pthread_mutex_unlock(&queue->lock);
}

/* Copies the oldest batch out; waits while the queue is empty. Writers that sleep are woken when
 * there is room for several batches. */
static inline void bench_queue_get(bench_queue *queue, bench_batch *batch)
{
  (void)pthread_mutex_lock(&queue->lock);
  while (queue->tail == queue->head) {
    (void)pthread_cond_wait(&queue->not_empty, &queue->lock);
  }
  const bench_batch *slot = &queue->ring[queue->head % BENCH_QUEUE_LEN];
  batch->count = slot->count;
  memcpy(batch->blocks, slot->blocks, slot->count * sizeof slot->blocks[0]);
  queue->head++;
  if (queue->tail - queue->head <= BENCH_QUEUE_LEN - BENCH_QUEUE_WAKE) {
    (void)pthread_cond_broadcast(&queue->not_full);
  }
  (void)pthread_mutex_unlock(&queue->lock);
}

#endif
