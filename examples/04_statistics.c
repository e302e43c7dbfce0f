/*
 * 04_statistics.c - reading the books.
 *
 * Shows: a snapshot of a heap, the rows of its pools and tags, and the same as JSON. Every counter
 * is listed once, in <tidemark/fields.def>; a program can generate its own table from that list, as
 * print_levels does here.
 *
 *   cc 04_statistics.c -o 04_statistics $(pkg-config --cflags --libs tidemark)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/tidemark.h>

/* Every level of the snapshot that is not zero, with its meaning. */
static void print_levels(const tm_stats *s)
{
  enum { LEVEL, PEAK, TOTAL, BOUND };
#define TM_FIELD(type, name, kind, pool, help)                                                     \
  if (kind == LEVEL && s->name != 0)                                                               \
    printf("  %-16s %12lld  %s\n", #name, (long long)s->name, help);
#define TM_FIELD_BY_REASON(name, help)
#include <tidemark/fields.def>
#undef TM_FIELD
#undef TM_FIELD_BY_REASON
}

static void print_rows(const tm_heap *heap)
{
  tm_pool_row row;
  for (size_t i = 0; tm_pool_stats_read(heap, i, &row) == 1; i++)
    if (row.allocs_total)
      printf("  pool %-4s %7llu bytes in %llu blocks; ever: %llu blocks made, %llu freed\n",
             row.name, (unsigned long long)row.live_bytes, (unsigned long long)row.live_blocks,
             (unsigned long long)row.allocs_total, (unsigned long long)row.frees_total);
  tm_tag_row tag;
  for (size_t i = 0; tm_tag_stats_read(heap, i, &tag) == 1; i++)
    printf("  tag  %-4s %7lld bytes\n", tag.name, (long long)tag.informed_bytes);
}

int main(void)
{
  tm_heap *heap;
  if (tm_heap_new(&heap, NULL) != 0)
    return 1;

  void *blocks[100];
  for (int i = 0; i < 100; i++)
    blocks[i] = tm_malloc(heap, i % 4 ? TM_OBJ : TM_MEM, 1000);
  for (int i = 50; i < 100; i++)
    tm_free(heap, i % 4 ? TM_OBJ : TM_MEM, blocks[i]);
  tm_inform(heap, "gpu", 50000); /* 50,000 bytes that the heap cannot see */
  if (tm_malloc(heap, TM_MEM, SIZE_MAX))
    return 1; /* nobody has that much: it counts as a failure */

  tm_stats stats;
  tm_stats_init(&stats);
  if (tm_stats_read(heap, &stats) != 0)
    return 1;
  puts("levels:");
  print_levels(&stats);
  puts("where the bytes are:");
  print_rows(heap);

  puts("what always holds:");
  printf("  footprint = live + informed: %s\n",
         stats.footprint_bytes == stats.live_bytes + (uint64_t)stats.informed_bytes ? "yes" : "no");
  printf("  live = allocated - freed: %s\n",
         stats.live_bytes == stats.allocated_bytes_total - stats.freed_bytes_total ? "yes" : "no");
  printf("  committed = live + free + waste + dirty + meta: %s\n",
         stats.committed_bytes == stats.live_bytes + stats.free_bytes + stats.waste_bytes +
                                      stats.dirty_bytes + stats.meta_bytes
             ? "yes"
             : "no");
  printf("  the peak is near %llu, the failed request counted %llu time\n",
         (unsigned long long)stats.footprint_peak_bytes,
         (unsigned long long)stats.failures_total[TM_FAIL_OVERFLOW]);

  /* Text formats write into your buffer and say how much they need. */
  size_t length = tm_stats_json(heap, NULL, 0);
  char *json = malloc(length + 1);
  if (!json)
    return 1;
  (void)tm_stats_json(heap, json, length + 1);
  puts("as JSON:");
  puts(json);
  free(json);
  return tm_heap_close(heap);
}
