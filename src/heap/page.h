/*
 * page.h - pages: where a bin's blocks come from and where they go when they come home.
 * Everything here is for the thread that owns the shard (or holds the heap's lock over an idle
 * one); nothing here writes the books of blocks.
 */
#ifndef TM_HEAP_PAGE_H
#define TM_HEAP_PAGE_H

#include "heap/types.h"

/* Puts a page at the end of a queue. */
TM_HIDDEN void tm__queue_push(tm__queue *queue, tm_page *page);

/* Blocks for the empty list of a bin that was started: at home in a page with room, or new ones. A
 * list of *count; NULL iff the arena has no memory. */
TM_HIDDEN tm__block *tm__pages_supply(tm__shard *shard, unsigned pool, unsigned cls,
                                      uint32_t *count);

/* A new page, in no queue, with no block yet; its tags are written. NULL iff the arena has no
 * memory. */
TM_HIDDEN tm_page *tm__page_new(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes,
                                unsigned kind);
/* An empty page, in no queue, goes back. */
TM_HIDDEN void tm__page_release(tm_page *page);

/* A block of a page of this shard comes home, without the books. */
TM_HIDDEN void tm__page_put(tm_page *page, tm__block *block);
/* The same for `count` linked blocks of the page. */
TM_HIDDEN void tm__page_put_run(tm_page *page, tm__block *first, tm__block *last, uint32_t count);

/* Of a bin that was flushed: the active page becomes one of many; empty pages go back. */
TM_HIDDEN void tm__queue_quiesce(tm__queue *queue);

enum { TM_PICK_PAGES = 8 }; /* how many pages a refill looks at */

/* Blocks of the page that are not home. */
TM_INLINE uint32_t tm__page_out(const tm_page *page)
{
  return page->wait + page->asleep;
}

TM_INLINE tm_page *tm__page_of(const void *p, tm__tag tag)
{
  return &tm__arena.pages[tm__slice_of(p) - tm__tag_offset(tag)];
}

/* The row of `pool` in shard; made if a host's pool has none here yet. NULL iff no memory. */
TM_HIDDEN tm__row *tm__shard_row(tm__shard *shard, unsigned pool);

/* Readers look at the bins that are marked only. */
TM_INLINE void tm__row_mark(tm__row *row, unsigned cls)
{
  uint64_t seen = atomic_load_explicit(&row->used[cls >> 6], memory_order_relaxed);
  if (tm_unlikely(!(seen >> (cls & 63) & 1)))
    atomic_store_explicit(&row->used[cls >> 6], seen | (uint64_t)1 << (cls & 63),
                          memory_order_release);
}

#endif
