/* quiesce.c - see quiesce.h. */
#include "heap/quiesce.h"

#include "heap/bin.h"
#include "heap/page.h"
#include "heap/remote.h"

static void flush_cache(tm__row *row)
{
  tm__block *block = row->cache;
  row->cache = NULL;
  row->cached = 0;
  while (block) {
    tm__block *next = block->next;
    tm__page_put(tm__page_of(block, tm__tag_read(tm__slice_of(block))), block);
    block = next;
  }
}

void tm__shard_quiesce(tm__shard *shard)
{
  for (unsigned pool = 0; pool <= TM_POOLS_MAX; pool++) {
    tm__row *row = shard->rows[pool];
    if (!row)
      continue;
    flush_cache(row);
    for (unsigned cls = 0; cls < TM_CLASSES; cls++) {
      if (!(atomic_load_explicit(&row->used[cls >> 6], memory_order_relaxed) >> (cls & 63) & 1))
        continue;
      tm__bin_flush(shard, pool, cls);
      tm__queue_quiesce(&row->queues[cls]);
    }
  }
  tm__remote_send(shard);
}
