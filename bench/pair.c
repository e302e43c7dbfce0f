/*
 * pair.c - malloc and free of one block, again and again.
 *
 * Stands for: the temporary of an inner loop (a string to print, an iterator, a boxed number, a
 * frame), the commonest thing that an allocator sees. With size=0 the sizes walk through 32 of
 * them, as a loop that makes several kinds of temporaries, and one block of each size stays live
 * throughout, as in any program that has been running for a while.
 */
#include "bench.h"

enum { SIZES = 32 };

static const uint16_t sizes_bytes[SIZES] = {8,   16,  24,  32,  40,  48,  56,  64,   72,   80,  88,
                                            96,  104, 112, 120, 128, 144, 160, 176,  192,  224, 256,
                                            288, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048};

static void run_one_size(size_t size, uint64_t pairs)
{
  for (uint64_t i = 0; i < pairs; i++) {
    char *p = bench_malloc(size);
    *(volatile char *)p = 1;
    free(p);
  }
}

static void run_many_sizes(uint64_t pairs)
{
  void *stay[SIZES];
  for (size_t i = 0; i < SIZES; i++) {
    stay[i] = bench_malloc(sizes_bytes[i]);
  }
  for (uint64_t i = 0; i < pairs; i++) {
    char *p = bench_malloc(sizes_bytes[i % SIZES]);
    *(volatile char *)p = 1;
    free(p);
  }
  for (size_t i = 0; i < SIZES; i++) {
    free(stay[i]);
  }
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"size", 64, 0, 1 << 20, NULL},
                            {"pairs", 150000000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 2);
  if (options[0].value == 0) {
    run_many_sizes(options[1].value);
  } else {
    run_one_size((size_t)options[0].value, options[1].value);
  }
  return 0;
}
