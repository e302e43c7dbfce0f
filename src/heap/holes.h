/*
 * holes.h - giving back the free parts of a page that still has live blocks.
 *
 * A page is looked at in units (an OS page, or two for medium blocks). A unit that only free blocks
 * touch can be purged: it becomes a *hole*, and every block that touches a hole is taken off the
 * page's free list, because its link is gone. Such a block is home all the same:
 *
 *   out + |page.free| + blocks in holes + uncarved == reserved
 *
 * A refill fills holes again, lowest first, before it carves or takes a new page.
 */
#ifndef TM_HEAP_HOLES_H
#define TM_HEAP_HOLES_H

#include "heap/types.h"

/* Purges the free units of every page with room in the shard; the caller may use the shard. Returns
 * the bytes that became holes; *measured grows by what was resident of them. */
TM_HIDDEN uint64_t tm__holes_make(tm__shard *shard, uint64_t *measured);

/* Fills holes of a page until at least one block is free: a list of them, *count long. */
TM_HIDDEN tm__block *tm__holes_fill(tm_page *page, uint32_t *count);

/* Blocks of the page that touch a hole. O(blocks) when there are holes. */
TM_HIDDEN uint32_t tm__holes_blocks(const tm_page *page);
/* Bytes of the page that are holes. */
TM_HIDDEN uint64_t tm__holes_bytes(const tm_page *page);
/* true iff block `index` touches a hole. */
TM_HIDDEN bool tm__holes_touch(const tm_page *page, uint32_t index);
/* The page is given back as a whole: its holes are no longer booked. */
TM_HIDDEN void tm__holes_forget(tm_page *page);

#endif
