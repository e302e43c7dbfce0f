/*
 * shard.h - which shard a thread uses, and how shards come and go.
 *
 * Of the default heap a thread finds its shard in one thread-local load; before its first request,
 * and again after its end, that is the *empty shard*: no blocks, a wire of zero, keys that no tag
 * has. So the fast paths have no branch for start-up.
 */
#ifndef TM_HEAP_SHARD_H
#define TM_HEAP_SHARD_H

#include "heap/types.h"

TM_HIDDEN extern tm__shard tm__empty_shard;
/* The calling thread's shard of the default heap, or the empty shard. */
TM_HIDDEN extern TM_TLS tm__shard *tm__self;

/* Every shard by its id, which is what tags name it by; NULL where none was made. */
TM_HIDDEN extern _Atomic(tm__shard *) tm__shard_table[TM_SHARDS_MAX + 1];

/* The calling thread's shard of heap; found, adopted or made. NULL iff there is no memory. Every
 * get is followed by a put: when the thread is past its destructors, the shard is only lent. */
TM_HIDDEN tm__shard *tm__shard_get(tm_heap *heap);
TM_HIDDEN void tm__shard_put(tm__shard *shard);

/* As get, but never makes one: the empty shard when the thread has none. One or two loads. */
TM_HIDDEN tm__shard *tm__shard_of_others(tm_heap *heap);
TM_INLINE tm__shard *tm__shard_peek(tm_heap *heap)
{
  if (tm_likely(heap->is_default))
    return tm__self;
  return heap->one ? heap->one : tm__shard_of_others(heap);
}

/* The same where that costs no call; NULL for a heap of many threads that is not the default. */
TM_INLINE tm__shard *tm__shard_near(tm_heap *heap)
{
  return tm_likely(heap->is_default) ? tm__self : heap->one;
}

/* A new shard in heap's list (a heap for one thread makes its own at once). NULL iff no memory. */
TM_HIDDEN tm__shard *tm__shard_new(tm_heap *heap);

/* Flushes every idle shard of heap and makes holes in its pages; *returned grows by the bytes that
 * were resident of them. */
TM_HIDDEN void tm__shards_sweep_idle(tm_heap *heap, uint64_t *returned);

/* heap is closing: threads that end from now on leave its shards alone. */
TM_HIDDEN void tm__shards_end(tm_heap *heap);
/* Then: its shards' structs may be used again by other heaps. */
TM_HIDDEN void tm__shards_recycle(tm_heap *heap);

/* A zero row for a host's pool; NULL iff no memory. It is given back by recycle. */
TM_HIDDEN tm__row *tm__row_new(void);

/* The ids of a heap's shards: who walks the tags of the arena, while other heaps are at work, tells
 * by it what is ours without looking at anything that is theirs. */
typedef struct tm__shard_set {
  uint64_t bits[TM_SHARDS_MAX / 64 + 1];
} tm__shard_set;
TM_HIDDEN void tm__shard_set_fill(tm_heap *heap, tm__shard_set *set);
TM_INLINE bool tm__shard_set_has(const tm__shard_set *set, tm__tag tag)
{
  unsigned id = tm__tag_shard(tag);
  return set->bits[id / 64] >> (id % 64) & 1;
}

/* In a forked child: shards of threads that are gone are left alone, their locks made new. */
TM_HIDDEN void tm__shards_fork_child(tm_heap *heap);

/* Makes the key whose destructor hands shards back; once, at start-up. */
TM_HIDDEN void tm__shard_key_init(void);

#endif
