/* large.c - see large.h. */
#include "heap/large.h"

#include <string.h>

#include "base/assert.h"
#include "heap/arena.h"
#include "heap/books.h"
#include "heap/credit.h"
#include "heap/heap.h"
#include "heap/safepoint.h"
#include "heap/sample.h"

/* Below this a copy is cheaper than moving page tables and splitting the kernel's mapping. */
static const uint64_t MOVE_BYTES = 1 << 20;

/* The span and usable levels of the heap follow every change of a run. */
static void book_run(tm_heap *heap, int64_t slices, int64_t usable, uint64_t fresh)
{
  tm__shared_add(&heap->span_bytes, (uint64_t)(slices * TM_SLICE));
  tm__shared_add(&heap->usable_bytes, (uint64_t)usable);
  tm__shared_add(&heap->acquired_bytes, fresh);
}

/* A quantum can hide a large block's peak, so it is looked at on the spot. */
static void note_peak(tm_heap *heap, uint64_t usable)
{
  if (usable >= TM_PEAK_LOOK)
    (void)tm__credit_level(heap);
}

static tm_page *run_new(tm__shard *shard, unsigned pool, uint64_t usable, size_t alignment,
                        bool *zero)
{
  uint64_t fresh;
  uint32_t slices = tm__large_slices(usable);
  uint32_t align = alignment > TM_SLICE ? (uint32_t)(alignment >> TM_SLICE_SHIFT) : 1;
  int64_t first = tm__arena_acquire(slices, align, zero, &fresh);
  if (first < 0)
    return NULL;
  tm_page *page = &tm__arena.pages[first];
  *page = (tm_page){.slices = slices, .shard = shard, .large_bytes = usable};
  book_run(shard->heap, slices, (int64_t)usable, fresh);
  tm__shared_add(&shard->heap->page_count, 1);
  tm__arena_tag((uint32_t)first, 0, slices,
                tm__tag_make(TM_KIND_LARGE, shard->id, pool, TM_CLASS_LARGE));
  return page;
}

static void run_release(tm_page *page, bool clean)
{
  tm_heap *heap = page->shard->heap;
  uint32_t slices = page->slices;
  book_run(heap, -(int64_t)slices, -(int64_t)page->large_bytes, 0);
  tm__shared_add(&heap->page_count, (uint64_t)-1);
  if (tm_unlikely(page->reserved))
    tm__sampled_forget_large(page);
  page->freed = tm__page_address(page);
  tm__shared_add(&heap->released_bytes, tm__arena_release(tm__page_slice(page), slices, clean));
}

void *tm__large_alloc(tm__shard *shard, unsigned pool, size_t n, size_t alignment, bool *zero)
{
  uint64_t usable = tm__large_usable(n);
  tm_page *page = run_new(shard, pool, usable, alignment, zero);
  if (!page)
    return NULL;
  tm__ledger_charge_large(&shard->rows[pool]->books, usable);
  note_peak(shard->heap, usable);
  return tm__page_address(page);
}

void *tm__large_take(tm__shard *shard, unsigned pool, uint64_t usable)
{
  bool zero;
  tm_page *page = run_new(shard, pool, usable, TM_SLICE, &zero);
  return page ? tm__page_address(page) : NULL;
}

void tm__large_drop(tm_page *page)
{
  run_release(page, false);
}

void tm__large_free(tm__shard *shard, unsigned pool, tm_page *page)
{
  uint64_t usable = page->large_bytes;
  run_release(page, false);
  tm__ledger_refund_large(&shard->rows[pool]->books, usable);
}

/* Gives the slices behind the new end back. */
static void shrink_in_place(tm_page *page, uint64_t usable)
{
  uint32_t keep = tm__large_slices(usable), drop = page->slices - keep;
  book_run(page->shard->heap, -(int64_t)drop, (int64_t)(usable - page->large_bytes), 0);
  page->slices = keep;
  page->large_bytes = usable;
  if (drop) {
    uint32_t first = tm__page_slice(page) + keep;
    tm__arena.pages[first].freed = NULL;
    tm__shared_add(&page->shard->heap->released_bytes, tm__arena_release(first, drop, false));
  }
}

static bool grow_in_place(tm_page *page, uint64_t usable)
{
  uint32_t first = tm__page_slice(page), slices = page->slices;
  uint32_t more = tm__large_slices(usable) - slices;
  uint64_t fresh = 0;
  if (more && !tm__arena_extend(first, slices, more, &fresh))
    return false;
  if (more)
    tm__arena_tag(first, slices, slices + more, tm__tag_read(first));
  book_run(page->shard->heap, more, (int64_t)(usable - page->large_bytes), fresh);
  page->slices = slices + more;
  page->large_bytes = usable;
  return true;
}

/* Somewhere else: page tables move when that is cheaper than bytes. */
static tm_page *grow_elsewhere(tm__shard *shard, unsigned pool, tm_page *page, uint64_t usable)
{
  bool zero;
  tm_page *to = run_new(shard, pool, usable, 1, &zero);
  if (!to)
    return NULL;
  uint64_t bytes = page->large_bytes, span = (uint64_t)page->slices << TM_SLICE_SHIFT;
  char *old = tm__page_address(page), *new = tm__page_address(to);
  bool moved = bytes >= MOVE_BYTES && tm__os_move(old, new, span) == 0;
  if (!moved)
    memcpy(new, old, bytes);
  run_release(page, moved); /* all of its slices moved: nothing backs it any more */
  return to;
}

/* A sampled block, or one whose growth has a sample point, is now who resized it's. */
static void sample_anew(tm__shard *shard, unsigned pool, tm_page *page, uint64_t charged)
{
  void *p = tm__page_address(page);
  if (page->reserved)
    tm__sampled_forget_large(page);
  if (tm__sampled_take_large(p))
    tm__sampled_note(shard, pool, p, page->large_bytes, charged);
}

void *tm__large_resize(tm__shard *shard, unsigned pool, tm_page *page, size_t n)
{
  uint64_t old = page->large_bytes, usable = tm__large_usable(n);
  bool hit = false, sampled = page->reserved != 0;
  uint64_t charged = sampled ? tm__sampled_charged(tm__page_address(page)) : old;
  if (usable > old) {
    bool ask = !tm__credit_pass(shard, usable - old);
    if (ask && !tm__safepoint_charge(shard, usable - old, false)) {
      (void)tm__heap_fail(shard->heap, TM_FAIL_LIMIT);
      return NULL;
    }
    hit = ask && tm__sampled_due(shard);
    charged += usable - old;
    if (!grow_in_place(page, usable)) {
      tm_page *to = grow_elsewhere(shard, pool, page, usable);
      if (!to) {
        tm__ledger_undo(&shard->wire, usable - old);
        (void)tm__heap_fail(shard->heap, TM_FAIL_OS);
        return NULL;
      }
      page = to;
    }
  } else if (usable < old) {
    shrink_in_place(page, usable);
  }
  tm__ledger_resize(&shard->rows[pool]->books, old, usable);
  note_peak(shard->heap, usable > old ? usable : 0);
  if (tm_unlikely(hit || sampled))
    sample_anew(shard, pool, page, charged);
  return tm__page_address(page);
}
