/*
 * regrow.c - blocks that grow by realloc, several at a time.
 *
 * Stands for: string builders and small arrays that start tiny and grow by a fixed step (small),
 * and vectors, logs and file buffers that grow by half of their size up to megabytes (large).
 * Several grow side by side, so none can simply be stretched at the end of the heap.
 */
#include "bench.h"

enum { SIDE_BY_SIDE = 16, SMALL_STEP = 48, SMALL_END = 4096, LARGE_END = 16 << 20 };

static size_t grow_size(size_t size, uint64_t kind)
{
  return kind == 0 ? size + SMALL_STEP : size + size / 2 + 16;
}

/* One round: every block from its first bytes to its end, all in step, then freed. */
static void run_round(uint64_t kind, bench_rng *rng)
{
  char *blocks[SIDE_BY_SIDE] = {NULL};
  size_t sizes[SIDE_BY_SIDE] = {0};
  size_t end = kind == 0 ? SMALL_END : LARGE_END;
  for (bool grown = true; grown;) {
    grown = false;
    for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
      if (sizes[i] >= end) {
        continue;
      }
      size_t old = sizes[i];
      sizes[i] = grow_size(old, kind) + bench_rng_below(rng, 16);
      char *p = realloc(blocks[i], sizes[i]);
      if (p == NULL) {
        bench_die(BENCH_EXIT_FAILED, "no memory for %zu bytes", sizes[i]);
      }
      memset(p + old, (int)i, sizes[i] - old);
      blocks[i] = p;
      grown = true;
    }
  }
  for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
    free(blocks[i]);
  }
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"kind", 0, 0, 1, "small,large"}, {"rounds", 0, 0, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 2);
  bench_rng rng = bench_rng_new(6);
  uint64_t rounds = options[1].value;
  if (rounds == 0) {
    rounds = options[0].value == 0 ? 20000 : 8;
  }
  for (uint64_t round = 0; round < rounds; round++) {
    run_round(options[0].value, &rng);
  }
  return 0;
}
