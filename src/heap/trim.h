/* trim.h - giving free memory back. */
#ifndef TM_HEAP_TRIM_H
#define TM_HEAP_TRIM_H

#include "heap/types.h"

/* As tm_trim: the built-in trim of the ladder. */
TM_HIDDEN uint64_t tm__trim_run(tm_heap *heap);
/* The part of it that reads and writes no block, free or not: whole slices that are free. */
TM_HIDDEN uint64_t tm__trim_untouched(tm_heap *heap);

#endif
