/* compact.c - see compact.h: density, hints for hosts that move their own blocks. */
#include "heap/compact.h"

#include "heap/page.h"
#include "heap/shard.h"

static const uint64_t COUNT_EVERY_NS = 100000000;

/* ---- What could be repaired ------------------------------------------------------------------ */

static uint64_t fixable_of_queue(const tm__queue *queue)
{
  uint64_t out = 0, pages = 0;
  for (const tm_page *page = queue->first; page; page = page->next, pages++)
    out += tm__page_out(page);
  if (pages < 2)
    return 0;
  const tm_page *any = queue->first;
  uint64_t needed = (out + any->reserved - 1) / any->reserved;
  return (pages - needed) * ((uint64_t)any->slices << TM_SLICE_SHIFT);
}

uint64_t tm__compact_fixable(tm_heap *heap)
{
  tm__shard *shard = tm__shard_peek(heap);
  uint64_t now = tm__os_now_ns();
  if (shard == &tm__empty_shard)
    return 0;
  if (heap->fixable_at_ns && now - heap->fixable_at_ns < COUNT_EVERY_NS)
    return tm__counter_read(&heap->fixable_bytes);
  uint64_t fixable = 0;
  unsigned pools = atomic_load(&heap->pool_count);
  for (unsigned pool = 0; pool < pools; pool++) {
    const tm__row *row = shard->rows[pool];
    for (unsigned cls = 0; row && cls < TM_CLASSES; cls++)
      fixable += fixable_of_queue(&row->queues[cls]);
  }
  heap->fixable_at_ns = now;
  tm__counter_set(&heap->fixable_bytes, fixable);
  return fixable;
}

/* ---- The hint -------------------------------------------------------------------------------- */

int tm_should_move(const void *p)
{
  if (!tm__inside(p))
    return 0;
  tm__tag tag = tm__tag_read(tm__slice_of(p));
  if (tm__tag_kind(tag) != TM_KIND_PAGE)
    return 0;
  const tm_page *page = tm__page_of(p, tag);
  const tm__row *row = page->shard->rows[tm__tag_pool(tag)];
  const tm__queue *queue = &row->queues[tm__tag_class(tag)];
  bool queued = page->prev || page->next || queue->first == page;
  if (!queued || page->asleep || page == row->bins[tm__tag_class(tag)].active)
    return 0;
  /* At or below the mean of the pages that a refill would look at, this one left out: then a new
   * block lands on a denser page, or on the active one. */
  uint64_t out = 0, pages = 0;
  for (const tm_page *q = queue->first; q && pages < TM_PICK_PAGES; q = q->next) {
    if (q == page)
      continue;
    out += tm__page_out(q);
    pages++;
  }
  return pages > 0 && (uint64_t)tm__page_out(page) * pages <= out;
}
