/*
 * batch.c - allocate N small blocks, then free all N, in one of three orders.
 *
 * Stands for: a parser or compiler that builds a tree and drops it (lifo), a queue of messages that
 * is drained (fifo), a table whose entries die in hash order (random), a request handler that frees
 * everything at its end.
 */
#include "bench.h"

enum { SIZE_STEPS = 16 };

/* Sizes of 16 to 256 bytes, drawn once: the loop measures the allocator, not the generator. */
static uint16_t *new_sizes(size_t blocks)
{
  bench_rng rng = bench_rng_new(1);
  uint16_t *sizes = bench_malloc(blocks * sizeof *sizes);
  for (size_t i = 0; i < blocks; i++) {
    sizes[i] = (uint16_t)(16 + 16 * bench_rng_below(&rng, SIZE_STEPS));
  }
  return sizes;
}

/* In which order the blocks are freed. */
static uint32_t *new_order(size_t blocks, uint64_t kind)
{
  bench_rng rng = bench_rng_new(2);
  uint32_t *order = bench_malloc(blocks * sizeof *order);
  for (size_t i = 0; i < blocks; i++) {
    order[i] = (uint32_t)(kind == 0 ? blocks - 1 - i : i);
  }
  for (size_t i = blocks; kind == 2 && i > 1; i--) {
    size_t k = bench_rng_below(&rng, i);
    uint32_t swap = order[i - 1];
    order[i - 1] = order[k];
    order[k] = swap;
  }
  return order;
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"order", 0, 0, 2, "lifo,fifo,random"},
                            {"blocks", 10000, 1, 1 << 24, NULL},
                            {"rounds", 10000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 3);
  size_t count = (size_t)options[1].value;
  uint16_t *sizes = new_sizes(count);
  uint32_t *order = new_order(count, options[0].value);
  void **blocks = bench_malloc(count * sizeof *blocks);
  for (uint64_t round = 0; round < options[2].value; round++) {
    for (size_t i = 0; i < count; i++) {
      blocks[i] = bench_malloc(sizes[i]);
      *(volatile char *)blocks[i] = 1;
    }
    for (size_t i = 0; i < count; i++) {
      free(blocks[order[i]]);
    }
  }
  free(blocks);
  free(order);
  free(sizes);
  return 0;
}
