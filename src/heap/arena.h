/*
 * arena.h - the one address range of the process, handed out in runs of slices.
 *
 * Every slice below `top` is either in use or in the set `free`; `dirty`, a part of `free`, are
 * those that the OS still backs. Above top nothing was ever used. Lowest address first, dirty
 * before clean, so that the upper end empties by itself and memory is reused while it is warm.
 *
 *   committed = in use + dirty     acquired - released = committed (over the life of the process)
 */
#ifndef TM_HEAP_ARENA_H
#define TM_HEAP_ARENA_H

#include "heap/types.h"

enum { TM_DECAY_MS = 10000 };

/* Reserves the range (once; later calls return at once). false iff the OS refused every size. */
TM_HIDDEN bool tm__arena_init(void);

/* The process may have limit_bytes of address space from now on: gives back what of the unused
 * range would be in the way. What is in use stays. It does not grow again when the limit does. */
TM_HIDDEN void tm__arena_fit(uint64_t limit_bytes);

/* A run of slices whose address is a multiple of `align` slices; -1 iff there is no memory. *zero
 * tells that it reads as zero; *fresh_bytes how much of it the OS must newly back. Tags are not
 * written. */
TM_HIDDEN int64_t tm__arena_acquire(uint32_t slices, uint32_t align, bool *zero,
                                    uint64_t *fresh_bytes);
/* The `more` slices behind the run [first, first + slices), if they are free: in-place growth. */
TM_HIDDEN bool tm__arena_extend(uint32_t first, uint32_t slices, uint32_t more,
                                uint64_t *fresh_bytes);
/* Gives a run back, dirty (or clean, when its memory is known to be gone); clears its tags. Returns
 * the bytes that were purged at once, because more was dirty than may be kept. */
TM_HIDDEN uint64_t tm__arena_release(uint32_t first, uint32_t slices, bool clean);

/* Writes the tags of a run: head_tag plus each slice's offset, from slice `from` of the run on. */
TM_HIDDEN void tm__arena_tag(uint32_t first, uint32_t from, uint32_t slices, tm__tag head_tag);

/* Purges, highest address first, until at most keep_bytes are dirty. Returns the bytes purged;
 * with `measured`, the bytes that were resident before and are not now. */
TM_HIDDEN uint64_t tm__arena_purge(uint64_t keep_bytes, uint64_t *measured);
/* Purges what the decay curve no longer allows; cheap when nothing is due. Returns bytes purged. */
TM_HIDDEN uint64_t tm__arena_tick(uint64_t now_ns);
/* Never keep more than this dirty, whatever the curve allows (a soft limit has no room for it);
 * UINT64_MAX: no such bound. */
TM_HIDDEN void tm__arena_keep_set(uint64_t bytes);

TM_HIDDEN uint64_t tm__arena_dirty_bytes(void);
TM_HIDDEN uint64_t tm__arena_meta_bytes(void);
TM_HIDDEN uint32_t tm__arena_top(void); /* slices below which everything is; for walks */

/* Zero memory for bookkeeping, 64-aligned, never given back; new slices where the OS maps nothing
 * more; NULL iff it refuses those too. */
TM_HIDDEN void *tm__meta_alloc(size_t bytes);
/* As that, and its byte `offset` begins a page, or lies within 128 bytes of a begin: for a large
 * struct of which little use writes a part around there. Any address will do, too. */
TM_HIDDEN void *tm__meta_alloc_placed(size_t bytes, size_t offset);
/* Bookkeeping memory that was mapped (or, below zero, unmapped) elsewhere, on the same books. */
TM_HIDDEN void tm__meta_book(int64_t bytes);

TM_HIDDEN void tm__arena_fork_prepare(void);
TM_HIDDEN void tm__arena_fork_release(void);
TM_HIDDEN void tm__arena_fork_child(void);

#endif
