/*
 * books.h - adding up the shards' books. Readers take no lock: shards are only ever added to a
 * heap's list, and a sum that starts with all frees can never show a block freed before it was
 * allocated.
 */
#ifndef TM_HEAP_BOOKS_H
#define TM_HEAP_BOOKS_H

#include "heap/types.h"

typedef struct tm__sums {
  uint64_t alloc_bytes, freed_bytes, allocs, frees, reallocs;
} tm__sums;

/* One pool's books over all shards. */
TM_HIDDEN void tm__books_pool(const tm_heap *heap, unsigned pool, tm__sums *sums);
/* Over all pools. */
TM_HIDDEN void tm__books_heap(const tm_heap *heap, tm__sums *sums);
/* The bytes that one shard's thread ever freed. */
TM_HIDDEN uint64_t tm__books_freed(const tm__shard *shard);
/* live + informed, without a lock: in motion it may be above the truth, never below zero. */
TM_HIDDEN uint64_t tm__books_footprint(const tm_heap *heap);

#endif
