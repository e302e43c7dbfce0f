/* threads.h - running a function in several threads, and waiting for all of them. */
#ifndef TM_TESTS_SUPPORT_THREADS_H
#define TM_TESTS_SUPPORT_THREADS_H

#include <pthread.h>

#include "support/check.h"

typedef void (*thread_fn)(void *ctx, unsigned index);

typedef struct thread_start {
  thread_fn fn;
  void *ctx;
  unsigned index;
} thread_start;

static inline void *thread_main(void *arg)
{
  const thread_start *start = arg;
  start->fn(start->ctx, start->index);
  return NULL;
}

/* Runs fn(ctx, 0), ... fn(ctx, n - 1), each in a new thread, n <= 64; all have ended afterwards. */
static inline void threads_run(unsigned n, thread_fn fn, void *ctx)
{
  pthread_t threads[64];
  thread_start starts[64];
  must(n <= 64);
  for (unsigned i = 0; i < n; i++) {
    starts[i] = (thread_start){fn, ctx, i};
    must(pthread_create(&threads[i], NULL, thread_main, &starts[i]) == 0);
  }
  for (unsigned i = 0; i < n; i++)
    must(pthread_join(threads[i], NULL) == 0);
}

static inline void thread_run(thread_fn fn, void *ctx)
{
  threads_run(1, fn, ctx);
}

#endif
