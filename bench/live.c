/*
 * live.c - random sizes with a big live set, replaced at random.
 *
 * Stands for: a cache or a key-value store in memory, a long-running interpreter with a large heap.
 * Blocks die in no order, so pages are never wholly empty: shows fragmentation, the cost of finding
 * a place, and whether the cost of a pair grows with the heap.
 */
#include "bench.h"

enum { DOUBLINGS = 10 };

static void *new_block(bench_rng *rng)
{
  size_t size = bench_rng_size(rng, DOUBLINGS);
  void *p = bench_malloc(size);
  bench_touch(p, size);
  return p;
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"blocks", 1000000, 1, UINT32_MAX, NULL},
                            {"steps", 10000000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 2);
  size_t count = (size_t)options[0].value;
  bench_rng rng = bench_rng_new(4);
  void **blocks = bench_malloc(count * sizeof *blocks);
  for (size_t i = 0; i < count; i++) {
    blocks[i] = new_block(&rng);
  }
  for (uint64_t step = 0; step < options[1].value; step++) {
    size_t slot = bench_rng_below(&rng, count);
    free(blocks[slot]);
    blocks[slot] = new_block(&rng);
  }
  for (size_t i = 0; i < count; i++) {
    free(blocks[i]);
  }
  free(blocks);
  return 0;
}
