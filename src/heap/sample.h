/*
 * sample.h - where the heap meets its profile.
 *
 * Off, it costs nothing that can be measured: a sample point is a place where a shard's credit
 * ends, so malloc's one compare finds it, and only requests that ask for credit look here. Sampled
 * blocks of a size class live on pages of their own kind, whose tag is no thread's key: free's one
 * compare sends them to the slow path, and no other block. These pages belong to nobody's queues;
 * the lock of the profile guards them.
 *
 *   sampled page:  wait = blocks with users, asleep = 0; next and prev link those with room
 *   large run:     reserved = 1 iff its block is sampled
 */
#ifndef TM_HEAP_SAMPLE_H
#define TM_HEAP_SAMPLE_H

#include "heap/types.h"

/* Number of the profile that runs; 0 = none. */
TM_HIDDEN extern _Atomic(uint32_t) tm__profiling;

TM_INLINE bool tm__sampling(void)
{
  return tm_unlikely(atomic_load_explicit(&tm__profiling, memory_order_relaxed) != 0);
}

/* For a draw of credit, whose request of `bytes` is in gross: how much of `quantum` more the shard
 * may get. Notes whether the request has a sample point. */
TM_HIDDEN uint64_t tm__sampled_room(tm__shard *shard, uint64_t bytes, uint64_t quantum);

/* After a draw: is this request to be sampled? */
TM_INLINE bool tm__sampled_due(const tm__shard *shard)
{
  return tm__sampling() && shard->sample_hit;
}

/* A block of a sampled page, without the books of blocks; note must follow. NULL: there is no room
 * for it, take an ordinary block. */
TM_HIDDEN tm__block *tm__sampled_take(tm__shard *shard, unsigned pool, unsigned cls,
                                      uint32_t bytes);
/* The same for a large block that is there: false = not sampled. */
TM_HIDDEN bool tm__sampled_take_large(void *p);
/* The block is in the books: who asked for it? `charged` is more than bytes for a block that was
 * larger before. May allocate. */
TM_HIDDEN void tm__sampled_note(tm__shard *shard, unsigned pool, const void *p, uint64_t bytes,
                                uint64_t charged);

/* A block of a sampled page comes home, without the books. Finds a double free. */
TM_HIDDEN void tm__sampled_put(tm_page *page, tm__block *block);
/* The run of a sampled large block ends, or is sampled anew. */
TM_HIDDEN void tm__sampled_forget_large(const tm_page *page);
/* What a sampled block was charged with in its life. */
TM_HIDDEN uint64_t tm__sampled_charged(const void *p);

TM_INLINE bool tm__sampled_is(tm__tag tag, const tm_page *page)
{
  unsigned kind = tm__tag_kind(tag);
  return kind == TM_KIND_SAMPLED || (kind == TM_KIND_LARGE && page->reserved);
}

/* Gives empty sampled pages of heap back; of all heaps for NULL. */
TM_HIDDEN void tm__sampled_trim(const tm_heap *heap);

/* heap is closing: its blocks are forgotten, its sampled pages are no longer linked. */
TM_HIDDEN void tm__sampled_close(tm_heap *heap);

TM_HIDDEN void tm__sampled_fork_prepare(void);
TM_HIDDEN void tm__sampled_fork_parent(void);
TM_HIDDEN void tm__sampled_fork_child(void);

/* Test: the sample points of the next profile come from this seed. */
TM_HIDDEN void tm__sampled_seed_set(uint64_t seed);

#endif
