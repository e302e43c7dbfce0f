/*
 * bin.h - the lists that malloc pops and free pushes: how they are filled, put aside, emptied.
 * Everything here is for the thread that owns the shard (or holds the heap's lock over an idle
 * one); nothing here writes the books.
 */
#ifndef TM_HEAP_BIN_H
#define TM_HEAP_BIN_H

#include "base/assert.h"
#include "heap/types.h"

/* Fills the empty list of a bin: a batch put aside, batches that other threads sent back, blocks
 * at home in their pages, new ones. false iff the arena has no memory. `bytes` is the block size.
 * O(1), but for batches that came back by the hundred. */
TM_HIDDEN bool tm__bin_refill(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes);

/* The first half of it, for a bin that was started: what was put aside or came back. */
TM_HIDDEN bool tm__bin_reload(tm__shard *shard, unsigned pool, unsigned cls);

/* For a free that goes past bin.full_at: a list that is too long is put aside, or taken apart
 * when enough lists are; in both cases the block that was freed last stays. */
TM_HIDDEN void tm__bin_overflow(tm__shard *shard, unsigned pool, unsigned cls);

/* Every block of the bin goes home: the list, what was put aside, what came back. */
TM_HIDDEN void tm__bin_flush(tm__shard *shard, unsigned pool, unsigned cls);

/* Blocks on the list. */
TM_INLINE uint64_t tm__bin_length(const tm__bin *bin)
{
  return bin->base + tm__counter_own(&bin->books.frees) - tm__counter_own(&bin->books.allocs);
}

/* The next block of a bin that was refilled; the caller books an alloc. */
TM_INLINE tm__block *tm__bin_pop(tm__bin *bin)
{
  tm__block *block = bin->head;
  tm_require(block != NULL);
  bin->head = block->next;
  return block;
}

/* The same without an alloc in the books: a resize takes it. */
TM_INLINE tm__block *tm__bin_take(tm__bin *bin)
{
  bin->base--;
  return tm__bin_pop(bin);
}

/* A block is put on the list without a free in the books: a resize gives it. */
TM_INLINE void tm__bin_give(tm__shard *shard, unsigned pool, unsigned cls, tm__block *block)
{
  tm__bin *bin = &shard->rows[pool]->bins[cls];
  block->next = bin->head;
  bin->head = block;
  bin->base++;
  if (tm_unlikely(bin->full_at <= tm__counter_own(&bin->books.frees)))
    tm__bin_overflow(shard, pool, cls);
  else
    bin->full_at--;
}

/* A free was booked, its block went elsewhere; or the other way round. */
TM_INLINE void tm__bin_skip_free(tm__bin *bin)
{
  bin->base--;
}
TM_INLINE void tm__bin_skip_alloc(tm__bin *bin)
{
  bin->base++;
}

#endif
