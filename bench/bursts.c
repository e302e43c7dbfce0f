/*
 * bursts.c - memory in waves: a burst of blocks of all sizes, then nothing for a while.
 *
 * Stands for: a service whose requests come in waves, a batch job with phases. What the first burst
 * left behind is what the next one finds: an allocator that gives everything back at once pays for
 * each page again, one that gives nothing back holds its peak for ever. The pauses are slept, so
 * that purging by time can happen; processor time shows what the bursts cost.
 */
#include "bench.h"

enum { DOUBLINGS = 14, MIB = 1 << 20 };

static size_t burst(void **blocks, size_t capacity, uint64_t bytes, uint64_t seed)
{
  bench_rng rng = bench_rng_new(seed);
  size_t count = 0;
  for (uint64_t live = 0; live < bytes && count < capacity; count++) {
    size_t n = bench_rng_size(&rng, DOUBLINGS);
    blocks[count] = bench_malloc(n);
    memset(blocks[count], 1, n);
    live += n;
  }
  return count;
}

static void pause_ms(uint64_t ms)
{
  struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  (void)nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"bursts", 6, 1, UINT64_MAX, NULL},
                            {"mib", 96, 1, 1 << 14, NULL},
                            {"pause_ms", 150, 0, 60000, NULL}};
  bench_begin(argc, argv, options, 3);
  uint64_t bytes = options[1].value * MIB;
  size_t capacity = (size_t)(bytes / 16);
  void **blocks = bench_malloc(capacity * sizeof *blocks);
  for (uint64_t i = 0; i < options[0].value; i++) {
    size_t count = burst(blocks, capacity, bytes, i + 1);
    for (size_t k = 0; k < count; k++) {
      free(blocks[k]);
    }
    pause_ms(options[2].value);
  }
  free(blocks);
  return 0;
}
