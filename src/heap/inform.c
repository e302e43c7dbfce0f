/* inform.c - the books of memory that the heap cannot see. */
#include <tidemark/inform.h>

#include <string.h>

#include "base/assert.h"
#include "heap/credit.h"
#include "heap/heap.h"
#include "heap/pool.h"
#include "heap/safepoint.h"

/* The row for a tag; the last one is "other". Tags lock held. */
static tm__inform_tag *row_for(tm_heap *heap, const char *name)
{
  char cut[64];
  uint32_t count = atomic_load(&heap->tag_count);
  tm__inform_tag *other = &heap->tags[TM_TAGS_MAX];
  tm__name_copy(cut, sizeof cut, name ? name : "other");
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(heap->tags[i].name, cut) == 0)
      return &heap->tags[i];
  if (count == TM_TAGS_MAX || strcmp(cut, "other") == 0) {
    tm__name_copy(other->name, sizeof other->name, "other");
    return other;
  }
  memcpy(heap->tags[count].name, cut, sizeof cut);
  atomic_store_explicit(&heap->tag_count, count + 1, memory_order_release);
  return &heap->tags[count];
}

void tm_inform(tm_heap *heap, const char *tag, int64_t delta_bytes)
{
  if (!heap || !tm__heap_startup())
    return;
  tm__lock_acquire(&heap->tags_lock);
  tm__inform_tag *row = row_for(heap, tag);
  int64_t level = (int64_t)((uint64_t)atomic_load(&row->bytes) + (uint64_t)delta_bytes);
  atomic_store(&row->bytes, level);
  if (level > atomic_load(&row->peak))
    atomic_store(&row->peak, level);
  bool complain = level < 0 && !row->complained;
  row->complained |= complain;
  (void)atomic_fetch_add(&heap->informed_bytes, delta_bytes);
  tm__lock_release(&heap->tags_lock);
  if (complain)
    tm__report("fatal: tag underflow: \"%s\" of heap \"%s\" is at %ld bytes", row->name, heap->name,
               level);
  if (delta_bytes > 0) {
    tm__shared_add(&heap->informed_added_bytes, (uint64_t)delta_bytes);
    tm__credit_informed(heap);
    tm__safepoint_look(heap);
  }
}
