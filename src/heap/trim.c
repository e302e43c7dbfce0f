/* trim.c - see trim.h. What cannot be reached: pages in the bins of other threads that live. */
#include "heap/trim.h"

#include "heap/arena.h"
#include "heap/heap.h"
#include "heap/holes.h"
#include "heap/quiesce.h"
#include "heap/sample.h"
#include "heap/shard.h"

uint64_t tm__trim_untouched(tm_heap *heap)
{
  uint64_t returned = 0, purged = tm__arena_purge(0, &returned);
  tm__shared_add(&heap->released_bytes, purged);
  return returned;
}

uint64_t tm__trim_run(tm_heap *heap)
{
  tm__shard *mine = tm__shard_peek(heap);
  uint64_t returned = 0;
  if (mine != &tm__empty_shard) {
    tm__shard_quiesce(mine);
    (void)tm__holes_make(mine, &returned);
  }
  tm__shards_sweep_idle(heap, &returned);
  tm__sampled_trim(heap);
  return returned + tm__trim_untouched(heap);
}

uint64_t tm_trim(tm_heap *heap)
{
  return heap && tm__heap_startup() ? tm__trim_run(heap) : 0;
}
