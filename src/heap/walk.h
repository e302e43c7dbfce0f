/* walk.h - a picture of a quiet heap, taken by following every list. */
#ifndef TM_HEAP_WALK_H
#define TM_HEAP_WALK_H

#include "heap/shard.h"

/* One bit per 16 bytes of the arena: 1 at the start of each free block of the heap. */
typedef struct tm__picture {
  tm_heap *heap;
  uint64_t *bits;
  size_t bytes; /* of `bits` */
  uint32_t top; /* slices that it covers */
  tm__shard_set ours;
  bool torn; /* a list led somewhere impossible: in motion, or overwritten */
} tm__picture;

/* 0, or TM_ENOMEM. */
TM_HIDDEN int tm__picture_take(tm_heap *heap, tm__picture *picture);
TM_HIDDEN void tm__picture_drop(tm__picture *picture);
TM_HIDDEN bool tm__picture_free(const tm__picture *picture, const void *block);
/* The next run of the heap at or after *slice; moves *slice behind it. NULL at the end. */
TM_HIDDEN tm_page *tm__picture_next(const tm__picture *picture, uint32_t *slice);

#endif
