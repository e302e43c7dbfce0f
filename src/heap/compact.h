/* compact.h - what moving blocks can repair, and the blocks that the heap may move by itself. */
#ifndef TM_HEAP_COMPACT_H
#define TM_HEAP_COMPACT_H

#include "heap/types.h"

/* Bytes of pages that would become empty if the calling thread's blocks were packed: per class,
 * pages with room less the pages that their blocks need. Counted anew after 100 ms, or when
 * freed_bytes (all that the heap ever freed) has grown by a MiB: a collection shows at once. */
TM_HIDDEN uint64_t tm__compact_fixable(tm_heap *heap, uint64_t freed_bytes);

/* heap is closing: gives the handles' tables back. */
TM_HIDDEN void tm__handles_close(tm_heap *heap);

#endif
