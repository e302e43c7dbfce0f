/*
 * large.c - large blocks come and go: 64 KiB to 32 MiB, every page of them touched.
 *
 * Stands for: image and matrix code, database sort buffers, a web service with big bodies. Small
 * sizes of the range are more frequent than big ones (evenly spread over the doublings). An
 * allocator that gives each freed run back to the OS at once pays a page fault per 4 KiB; one that
 * never does keeps the peak for ever.
 */
#include "bench.h"

enum { SLOTS = 24, LOWEST_BYTES = 64 << 10, DOUBLINGS = 9, OS_PAGE = 4096 };

static size_t draw_size(bench_rng *rng)
{
  size_t base = (size_t)LOWEST_BYTES << bench_rng_below(rng, DOUBLINGS);
  return base + bench_rng_below(rng, base);
}

static void touch_pages(void *p, size_t size)
{
  volatile char *bytes = p;
  for (size_t at = 0; at < size; at += OS_PAGE) {
    bytes[at] = 1;
  }
}

int main(int argc, char **argv)
{
  static void *slots[SLOTS];
  bench_option options[] = {{"steps", 2500, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 1);
  bench_rng rng = bench_rng_new(5);
  for (uint64_t step = 0; step < options[0].value; step++) {
    size_t slot = bench_rng_below(&rng, SLOTS);
    size_t size = draw_size(&rng);
    free(slots[slot]);
    slots[slot] = bench_malloc(size);
    touch_pages(slots[slot], size);
  }
  for (size_t slot = 0; slot < SLOTS; slot++) {
    free(slots[slot]);
  }
  return 0;
}
