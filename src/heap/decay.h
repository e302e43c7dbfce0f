/*
 * decay.h - how many free pages may stay dirty. Pure: time and bytes are arguments.
 *
 * Each epoch (window / 64) remembers how many dirty bytes it added. A byte that was freed t ago
 * counts with weight h(t / window), h falling smoothly from 1 to 0: what is reused soon is never
 * purged, what is idle goes back along the curve and is gone after the window. The curve is the
 * smoothstep 3x^2 - 2x^3 that jemalloc's decay uses too.
 */
#ifndef TM_HEAP_DECAY_H
#define TM_HEAP_DECAY_H

#include "base/hints.h"

enum { TM_DECAY_EPOCHS = 64 };

typedef struct tm__decay {
  uint64_t window_ns;
  uint64_t epoch;                  /* number of the present epoch */
  uint64_t dirty_bytes;            /* at the last call */
  uint64_t added[TM_DECAY_EPOCHS]; /* ring: dirty bytes that epoch % EPOCHS added */
} tm__decay;

TM_HIDDEN void tm__decay_init(tm__decay *decay, uint64_t window_ns);

/* The bytes that may stay dirty at now_ns, when dirty_bytes are. O(epochs), constant within one
 * epoch but for what that epoch added. */
TM_HIDDEN uint64_t tm__decay_limit(tm__decay *decay, uint64_t now_ns, uint64_t dirty_bytes);

#endif
