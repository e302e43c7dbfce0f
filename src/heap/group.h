/* group.h - heaps in groups: where membership.c gets its numbers, and when. */
#ifndef TM_HEAP_GROUP_H
#define TM_HEAP_GROUP_H

#include "heap/types.h"

/* The engine looks: this heap's part of its group's budget, at least 1; 0 = it is in none. */
TM_HIDDEN uint64_t tm__group_headroom(tm_heap *heap, uint64_t footprint_bytes);

/* Once per quantum, with no lock held: tells the group where this heap is; sets the trips again
 * when its part has moved. Two loads in a heap without a group. */
TM_HIDDEN void tm__group_tick(tm_heap *heap);

#endif
