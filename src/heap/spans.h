/*
 * spans.h - a set of slices in which the lowest free run of a wanted length is found fast.
 *
 * One bit per slice (1 = in the set), and over it a tree whose nodes say how long the run at their
 * start, at their end and the longest inside is. Finding and changing visit a handful of nodes,
 * whatever the size of the heap. Same idea as the page allocator of the Go runtime ("Scaling the
 * Go page allocator", 2019), smaller.
 *
 *   level 0: one node per word of 64 slices; level k: one node per 16 of level k-1
 *
 * Not thread-safe: the arena's lock guards it.
 */
#ifndef TM_HEAP_SPANS_H
#define TM_HEAP_SPANS_H

#include "base/hints.h"

enum { TM_SPANS_LEVELS = 6, TM_SPANS_FAN = 16, TM_SPANS_NONE = -1 };

typedef struct tm__spans_node {
  uint32_t lead, best, tail;
} tm__spans_node;

typedef struct tm__spans {
  uint64_t *words;
  tm__spans_node *level[TM_SPANS_LEVELS];
  uint32_t nodes[TM_SPANS_LEVELS]; /* how many there are of each level */
  unsigned levels;
  uint64_t count; /* slices in the set */
} tm__spans;

/* Bytes of zero memory that a set over `slices` slices needs. */
TM_HIDDEN size_t tm__spans_bytes(uint32_t slices);
/* Makes the empty set in zero memory of that size. */
TM_HIDDEN void tm__spans_init(tm__spans *spans, void *memory, uint32_t slices);

/* Puts the run in or takes it out. It must be wholly outside or inside. */
TM_HIDDEN void tm__spans_put(tm__spans *spans, uint32_t first, uint32_t length);
TM_HIDDEN void tm__spans_take(tm__spans *spans, uint32_t first, uint32_t length);
/* Takes out whatever of the run is inside; returns how many slices that were. */
TM_HIDDEN uint32_t tm__spans_clear(tm__spans *spans, uint32_t first, uint32_t length);

/* The lowest slice at which `length` slices in a row are inside, or TM_SPANS_NONE. */
TM_HIDDEN int64_t tm__spans_find(const tm__spans *spans, uint32_t length);
/* true iff the whole run is inside. */
TM_HIDDEN bool tm__spans_has(const tm__spans *spans, uint32_t first, uint32_t length);
/* Slices inside of the run. */
TM_HIDDEN uint32_t tm__spans_count(const tm__spans *spans, uint32_t first, uint32_t length);
/* The highest run below `end`, at most `most` slices of it from its upper end: *first, length
 * returned; 0 iff there is none. */
TM_HIDDEN uint32_t tm__spans_last(const tm__spans *spans, uint32_t end, uint32_t most,
                                  uint32_t *first);
/* How many slices in a row, ending just below `end`, are inside. */
TM_HIDDEN uint32_t tm__spans_before(const tm__spans *spans, uint32_t end);

#endif
