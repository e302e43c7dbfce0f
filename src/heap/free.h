/* free.h - the one door from a user pointer to metadata. */
#ifndef TM_HEAP_FREE_H
#define TM_HEAP_FREE_H

#include "heap/types.h"

/* What the door found behind a pointer. */
typedef struct tm__found {
  tm_page *page;
  tm__tag tag;
  unsigned pool; /* the pool that the block was charged to */
} tm__found;

/* Looks at p on behalf of a free (or, resizing, a realloc) from `heap` and `pool`. All checks
 * stand here: foreign, free page, wrong heap, interior, family. Does not return when the block is
 * none, or when families are mixed and the policy is to abort. */
TM_HIDDEN tm__found tm__free_door(tm_heap *heap, unsigned pool, const void *p, bool resizing);

/* true iff p is the block that was freed last here: a second free of it, or a resize, is seen. */
TM_HIDDEN bool tm__freed_just_now(const tm__shard *shard, const tm__found *found, const void *p);

/* The block, which is not large, goes where a freed block goes: its pages, this thread's list, its
 * owner. Without the books. */
TM_HIDDEN void tm__block_put(tm__shard *shard, const tm__found *found, tm__block *block);

#endif
