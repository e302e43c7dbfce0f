/*
 * trimming.c - a burst is over: how much goes back to the OS, what does trim say, what does it
 * cost?
 *
 * Stands for: a service after its rush hour, a batch job between two jobs. A tenth of a percent of
 * the blocks stay, spread over the heap, as something always stays. Prints the bytes that were
 * free, the bytes that the heap says it gave back, the fall of the resident set, and the time; and
 * what the proof of the books costs a block, before the burst is over.
 */
#include "bench.h"

#include <inttypes.h>
#include <tidemark/tidemark.h>
#include <unistd.h>

enum { DOUBLINGS = 10, STAYS_ONE_IN = 1000 };

static uint64_t resident_bytes(void)
{
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) {
    bench_die(BENCH_EXIT_FAILED, "cannot read /proc/self/statm");
  }
  (void)fclose(file);
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"blocks", 1500000, STAYS_ONE_IN, UINT32_MAX, NULL}};
  bench_begin(argc, argv, options, 1);
  tm_heap *heap = tm_heap_default();
  size_t count = (size_t)options[0].value;
  void **blocks = bench_malloc(count * sizeof *blocks);
  bench_rng rng = bench_rng_new(8);
  for (size_t i = 0; i < count; i++) {
    size_t size = bench_rng_size(&rng, DOUBLINGS);
    blocks[i] = tm_malloc(heap, TM_MEM, size);
    if (blocks[i] == NULL) {
      bench_die(BENCH_EXIT_FAILED, "no memory for %zu bytes", size);
    }
    memset(blocks[i], 1, size); /* all of it is backed by memory */
  }
  double check_start = bench_cpu_ns();
  if (tm_heap_check(heap) != 0) {
    bench_die(BENCH_EXIT_FAILED, "the books do not balance");
  }
  double check_ns = (bench_cpu_ns() - check_start) / (double)count;
  for (size_t i = 0; i < count; i++) {
    if (i % STAYS_ONE_IN != 0) {
      tm_free(heap, TM_MEM, blocks[i]);
    }
  }
  tm_stats stats;
  tm_stats_init(&stats);
  (void)tm_stats_read(heap, &stats);
  uint64_t before = resident_bytes();
  double start = bench_cpu_ns();
  uint64_t said = tm_trim(heap);
  double ms = (bench_cpu_ns() - start) / 1e6;
  uint64_t unused = stats.free_bytes + stats.dirty_bytes;
  (void)printf("free_bytes=%" PRIu64 " said_bytes=%" PRIu64 " fell_bytes=%" PRIu64
               " returned_share=%.3f trim_ms=%.2f check_ns_per_block=%.1f\n",
               unused, said, before - resident_bytes(), (double)said / (double)unused, ms,
               check_ns);
  free(blocks);
  return 0;
}
