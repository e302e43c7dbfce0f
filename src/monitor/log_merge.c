/* log_merge.c - a merge that holds one record of each log at a time. */
#include "monitor/log_merge.h"

#include <tidemark/stats.h>

static void advance(tm__log_merge *merge, size_t i)
{
  tm_heap *heap = merge->logs[i].heap;
  merge->logs[i].more = tm_log_read(heap, &merge->logs[i].cursor, &merge->logs[i].record) == 1;
}

void tm__log_merge_begin(tm__log_merge *merge)
{
  tm_heap *heap;
  merge->count = 0;
  merge->shown = TM__LOGS;
  while (merge->count < TM__LOGS && (heap = tm_heap_at(merge->count))) {
    size_t i = merge->count++;
    merge->logs[i].heap = heap;
    merge->logs[i].cursor = 0;
    advance(merge, i);
  }
}

const tm_record *tm__log_merge_next(tm__log_merge *merge)
{
  size_t oldest = merge->count;
  if (merge->shown < merge->count)
    advance(merge, merge->shown);
  for (size_t i = 0; i < merge->count; i++)
    if (merge->logs[i].more && (oldest == merge->count ||
                                merge->logs[i].record.time_ns < merge->logs[oldest].record.time_ns))
      oldest = i;
  merge->shown = oldest;
  return oldest < merge->count ? &merge->logs[oldest].record : NULL;
}
