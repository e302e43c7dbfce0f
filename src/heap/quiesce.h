/*
 * quiesce.h - a shard comes to rest: its thread ends, trims, or closes the heap.
 */
#ifndef TM_HEAP_QUIESCE_H
#define TM_HEAP_QUIESCE_H

#include "heap/types.h"

/* Every block in the shard's bins goes home or to its owner, and empty pages to the arena: after it
 * the shard holds only pages with live blocks. By the shard's thread, or under the heap's lock over
 * an idle one. O(free blocks). */
TM_HIDDEN void tm__shard_quiesce(tm__shard *shard);

#endif
