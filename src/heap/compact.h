/* compact.h - what moving blocks can repair, and the blocks that the heap may move by itself. */
#ifndef TM_HEAP_COMPACT_H
#define TM_HEAP_COMPACT_H

#include "heap/types.h"

/* Bytes of pages that would become empty if the calling thread's blocks were packed: per class,
 * pages with room less the pages that their blocks need. Counted anew at most every 100 ms. */
TM_HIDDEN uint64_t tm__compact_fixable(tm_heap *heap);

/* heap is closing: gives the handles' tables back. */
TM_HIDDEN void tm__handles_close(tm_heap *heap);

#endif
