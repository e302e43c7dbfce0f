/*
 * batch.h - lists of free blocks that are handed on whole, and lists of such lists.
 *
 *   batch --> block --next--> block --next--> NULL
 *               | batch: count, and
 *               v
 *             block --next--> ...
 *
 * A block has 16 bytes at least, so the first one of a batch holds the link to the next batch in
 * its second word, below the number of its blocks: handing on a batch touches one block.
 */
#ifndef TM_HEAP_BATCH_H
#define TM_HEAP_BATCH_H

#include "heap/types.h"

enum { TM_BATCH_SHIFT = 48 }; /* addresses of user space are shorter */

/* `count` blocks linked from `first` become a batch, with `rest` behind it. */
TM_INLINE void tm__batch_link(tm__block *first, uint32_t count, tm__block *rest)
{
  first->batch = (uint64_t)count << TM_BATCH_SHIFT | (uint64_t)(uintptr_t)rest;
}

TM_INLINE uint32_t tm__batch_count(const tm__block *batch)
{
  return (uint32_t)(batch->batch >> TM_BATCH_SHIFT);
}

TM_INLINE tm__block *tm__batch_rest(const tm__block *batch)
{
  uint64_t rest = batch->batch & (((uint64_t)1 << TM_BATCH_SHIFT) - 1);
  return (tm__block *)(uintptr_t)rest; /* NOLINT(performance-no-int-to-ptr): it was one */
}

#endif
