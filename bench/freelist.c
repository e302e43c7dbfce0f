/*
 * freelist.c - a pair of malloc and free against the least that an allocator can do: one pop and
 * one push of a free list.
 *
 * Three arms in one process, interleaved, the same loop in each: the bare list inlined into the
 * loop; the bare list behind two calls through pointers, as every allocator in a library is called;
 * tm_malloc and tm_free of the library with accounting and checks. depth blocks are taken before
 * the first is given back. Prints the median nanoseconds of a pair for each arm.
 */
#include "bench.h"

#include <tidemark/tidemark.h>

enum { ROUNDS = 21, MAX_DEPTH = 64, ARMS = 3 };

typedef struct block {
  struct block *next;
} block;

static block *list_head;

/* ---- The arms ------------------------------------------------------------------------------- */

static inline block *pop_block(void)
{
  block *b = list_head;
  list_head = b->next;
  return b;
}

static inline void push_block(block *b)
{
  b->next = list_head;
  list_head = b;
}

static __attribute__((noinline)) void *pop_far(size_t n)
{
  (void)n;
  return pop_block();
}

static __attribute__((noinline)) void push_far(void *p)
{
  push_block(p);
}

/* Read at run time, so that the compiler must call. */
static void *(*volatile pop_pointer)(size_t) = pop_far;
static void (*volatile push_pointer)(void *) = push_far;

static double time_inline(uint64_t rounds, size_t depth, size_t size)
{
  void *held[MAX_DEPTH];
  (void)size;
  double start = bench_cpu_ns();
  for (uint64_t i = 0; i < rounds; i++) {
    for (size_t k = 0; k < depth; k++) {
      held[k] = pop_block();
      bench_use(held[k]);
    }
    for (size_t k = depth; k > 0; k--) {
      push_block(held[k - 1]);
      bench_use(held[k - 1]);
    }
  }
  return bench_cpu_ns() - start;
}

static double time_calls(uint64_t rounds, size_t depth, size_t size)
{
  void *held[MAX_DEPTH];
  void *(*pop)(size_t) = pop_pointer;
  void (*push)(void *) = push_pointer;
  double start = bench_cpu_ns();
  for (uint64_t i = 0; i < rounds; i++) {
    for (size_t k = 0; k < depth; k++) {
      held[k] = pop(size);
      bench_use(held[k]);
    }
    for (size_t k = depth; k > 0; k--) {
      push(held[k - 1]);
    }
  }
  return bench_cpu_ns() - start;
}

static double time_tidemark(uint64_t rounds, size_t depth, size_t size)
{
  void *held[MAX_DEPTH];
  tm_heap *heap = tm_heap_default();
  double start = bench_cpu_ns();
  for (uint64_t i = 0; i < rounds; i++) {
    for (size_t k = 0; k < depth; k++) {
      held[k] = tm_malloc(heap, TM_MEM, size);
      bench_use(held[k]);
    }
    for (size_t k = depth; k > 0; k--) {
      tm_free(heap, TM_MEM, held[k - 1]);
    }
  }
  return bench_cpu_ns() - start;
}

/* ---- Interleaving --------------------------------------------------------------------------- */

static void fill_list(size_t depth, size_t size)
{
  for (size_t i = 0; i < depth; i++) {
    push_block(bench_malloc(size));
  }
}

int main(int argc, char **argv)
{
  static double ns[ARMS][ROUNDS];
  double (*const arms[ARMS])(uint64_t, size_t, size_t) = {time_inline, time_calls, time_tidemark};
  bench_option options[] = {{"size", 64, sizeof(block), 1 << 16, NULL},
                            {"depth", 1, 1, MAX_DEPTH, NULL},
                            {"pairs", 4000000, 1000, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 3);
  size_t size = (size_t)options[0].value;
  size_t depth = (size_t)options[1].value;
  uint64_t rounds = options[2].value / depth;
  fill_list(depth, size);
  for (size_t round = 0; round < ROUNDS; round++) {
    for (size_t arm = 0; arm < ARMS; arm++) {
      ns[arm][round] = arms[arm](rounds, depth, size) / (double)(rounds * depth);
    }
  }
  double inlined = bench_median(ns[0], ROUNDS);
  double called = bench_median(ns[1], ROUNDS);
  double ours = bench_median(ns[2], ROUNDS);
  (void)printf("inline_ns=%.3f call_ns=%.3f tidemark_ns=%.3f ratio_to_call=%.3f\n", inlined, called,
               ours, ours / called);
  return 0;
}
