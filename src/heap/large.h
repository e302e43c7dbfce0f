/*
 * large.h - blocks above 64 KiB: each owns a run of slices. They belong to the heap, not to a
 * thread; whoever frees one gives its run straight back to the arena.
 */
#ifndef TM_HEAP_LARGE_H
#define TM_HEAP_LARGE_H

#include "heap/types.h"

/* A large block of n bytes in `pool`, aligned to `alignment` (at least a slice); *zero tells that
 * it reads as zero. The wire has been charged with tm__large_usable(n). NULL iff no memory. */
TM_HIDDEN void *tm__large_alloc(tm__shard *shard, unsigned pool, size_t n, size_t alignment,
                                bool *zero);
TM_HIDDEN void tm__large_free(tm__shard *shard, unsigned pool, tm_page *page);
/* The same without the books of blocks: for a realloc that changes between small and large. */
TM_HIDDEN void *tm__large_take(tm__shard *shard, unsigned pool, uint64_t usable);
TM_HIDDEN void tm__large_drop(tm_page *page);

/* The same block with n usable bytes, moved by page tables if it must move; the difference is
 * booked. NULL iff refused: then nothing has changed. */
TM_HIDDEN void *tm__large_resize(tm__shard *shard, unsigned pool, tm_page *page, size_t n);

/* What a large block of n bytes is charged: whole OS pages. */
TM_INLINE uint64_t tm__large_usable(size_t n)
{
  return ((uint64_t)n + TM_OS_PAGE - 1) & ~(uint64_t)(TM_OS_PAGE - 1);
}
TM_INLINE uint32_t tm__large_slices(uint64_t usable)
{
  return (uint32_t)((usable + TM_SLICE - 1) >> TM_SLICE_SHIFT);
}

/* Fails without asking above this: more than the arena can ever hold. */
TM_INLINE bool tm__large_possible(size_t n)
{
  return n <= tm__arena.bytes;
}

#endif
