/* checkups.h - what the heaps looked like over the last minutes, for the doctor. */
#ifndef TM_MONITOR_CHECKUPS_H
#define TM_MONITOR_CHECKUPS_H

#include "monitor/inner.h"

/* Keeps one checkup of each of the first TM_MONITOR_HEAPS heaps, unless the last one is younger
 * than a minute. */
TM_HIDDEN void tm__checkups_keep(tm__monitor *m);

/* The findings of heap `index` now, against what is kept of it. At most `capacity` are written, the
 * worst first; returns how many there are. */
TM_HIDDEN size_t tm__checkups_examine(const tm__monitor *m, size_t index, tm_heap *heap,
                                      tm_finding *out, size_t capacity);

#endif
