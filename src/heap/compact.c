/* compact.c - see compact.h: density, hints for hosts that move their own blocks. */
#include "heap/compact.h"

#include "heap/bin.h"
#include "heap/page.h"
#include "heap/shard.h"

static const uint64_t COUNT_EVERY_NS = 100000000, COUNT_EVERY_BYTES = 1 << 20;

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

uint64_t tm__compact_fixable(tm_heap *heap, uint64_t freed_bytes)
{
  tm__shard *shard = tm__shard_peek(heap);
  uint64_t now = tm__os_now_ns();
  if (shard == &tm__empty_shard)
    return 0;
  uint64_t at_ns = tm__counter_read(&heap->fixable_at_ns);
  uint64_t freed_since = freed_bytes - tm__counter_read(&heap->fixable_at_freed);
  if (at_ns && now - at_ns < COUNT_EVERY_NS && freed_since < COUNT_EVERY_BYTES)
    return tm__counter_read(&heap->fixable_bytes);
  uint64_t fixable = 0;
  unsigned pools = atomic_load(&heap->pool_count);
  for (unsigned pool = 0; pool < pools; pool++) {
    const tm__row *row = shard->rows[pool];
    for (unsigned cls = 0; row && cls < TM_CLASSES; cls++)
      fixable += fixable_of_queue(&row->queues[cls]);
  }
  tm__counter_set(&heap->fixable_at_ns, now);
  tm__counter_set(&heap->fixable_at_freed, freed_bytes);
  tm__counter_set(&heap->fixable_bytes, fixable);
  return fixable;
}

/* ---- The plan -------------------------------------------------------------------------------- */

/*
 * Packing n blocks needs n / reserved pages; the densest are the ones to keep, and among equals
 * those at low addresses. The plan finds the cut by counting pages per density and, in the class
 * of density where the cut falls, per part of the address range; it also puts the pages that stay
 * to the front of the queue, where refills look. Made anew after as many questions as there are
 * blocks in play, so a question is O(1) on the average.
 */
enum { DENSITIES = 32, PARTS = 64, DIRECT_FREES = 64 };

static uint32_t density_of(const tm_page *page)
{
  return (uint32_t)((uint64_t)tm__page_out(page) * (DENSITIES - 1) / page->reserved);
}

static bool stays(const tm__queue *queue, const tm_page *page)
{
  uint32_t density = density_of(page);
  return density > queue->plan_density ||
         (density == queue->plan_density && tm__page_slice(page) <= queue->plan_slice);
}

/* The slice up to which `keep` pages of this density lie, roughly from below. */
static uint32_t cut_slice(const tm__queue *queue, uint32_t density, uint32_t keep)
{
  uint32_t parts[PARTS] = {0}, low = UINT32_MAX, high = 0;
  for (const tm_page *page = queue->first; page; page = page->next) {
    if (density_of(page) != density)
      continue;
    uint32_t slice = tm__page_slice(page);
    low = slice < low ? slice : low;
    high = slice > high ? slice : high;
  }
  if (low > high)
    return 0;
  uint32_t width = (high - low) / PARTS + 1, part = 0, seen = 0;
  for (const tm_page *page = queue->first; page; page = page->next)
    if (density_of(page) == density)
      parts[(tm__page_slice(page) - low) / width]++;
  while (part + 1 < PARTS && seen + parts[part] < keep)
    seen += parts[part++];
  return low + (part + 1) * width - 1;
}

/* Pages that stay come first; the order among them is kept. */
static void reorder(tm__queue *queue)
{
  tm__queue halves[2] = {{0}, {0}};
  for (tm_page *page = queue->first, *next; page; page = next) {
    next = page->next;
    tm__queue_push(&halves[stays(queue, page) ? 0 : 1], page);
  }
  queue->first = queue->last = NULL;
  queue->length = 0;
  for (int half = 0; half < 2; half++)
    for (tm_page *page = halves[half].first, *next; page; page = next) {
      next = page->next;
      tm__queue_push(queue, page);
    }
}

static void plan(tm__queue *queue)
{
  uint32_t pages[DENSITIES] = {0}, kept = 0, density = DENSITIES - 1;
  uint64_t out = 0;
  for (const tm_page *page = queue->first; page; page = page->next) {
    out += tm__page_out(page);
    pages[density_of(page)]++;
  }
  uint32_t reserved = queue->first ? queue->first->reserved : 1;
  uint32_t needed = (uint32_t)((out + reserved - 1) / reserved);
  while (density > 0 && kept + pages[density] < needed)
    kept += pages[density--];
  queue->plan_density = density;
  queue->plan_slice = cut_slice(queue, density, needed - kept);
  queue->plan_left = (uint32_t)(out / 2) + 64;
  reorder(queue);
}

/* ---- The hint -------------------------------------------------------------------------------- */

int tm_should_move(const void *p)
{
  if (!tm__inside(p))
    return 0;
  tm__tag tag = tm__tag_read(tm__slice_of(p));
  if (!tm__tag_paged(tag) || tm__tag_kind(tag) == TM_KIND_SAMPLED)
    return 0;
  const tm_page *page = tm__page_of(p, tag);
  if (page->shard != tm__shard_peek(page->shard->heap))
    return 0; /* its queue is another thread's */
  tm__row *row = page->shard->rows[tm__tag_pool(tag)];
  tm__queue *queue = &row->queues[tm__tag_class(tag)];
  bool queued = page->prev || page->next || queue->first == page;
  if (!queued || page->asleep || queue->length < 2)
    return 0;
  if (queue->plan_left == 0) {
    tm__bin_flush(page->shard, tm__tag_pool(tag), tm__tag_class(tag));
    plan(queue);
  }
  queue->plan_left--;
  /* What the host frees now must not be handed out again: it goes home to the page it leaves. */
  queue->direct = DIRECT_FREES;
  row->bins[tm__tag_class(tag)].full_at = 0;
  return !stays(queue, page);
}
