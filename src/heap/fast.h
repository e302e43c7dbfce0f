/*
 * fast.h - the hot paths, one screen each, for the functions that are called a billion times.
 *
 * Budget on x86-64: malloc 22 instructions, free 24. They touch, besides the block: the class
 * table, the bin, the wire, the tag. No lock, no
 * shared line written, one compare with the wire. Whatever is unusual goes to the slow twin, which
 * starts over and has not been told a lie.
 */
#ifndef TM_HEAP_FAST_H
#define TM_HEAP_FAST_H

#include <string.h>

#include "heap/bin.h"
#include "heap/heap.h"
#include "heap/shard.h"

/* The slow twins: alloc.c and free.c. */
TM_HIDDEN void *tm__alloc_slow(tm_heap *heap, unsigned pool, size_t n);
TM_HIDDEN void *tm__alloc_quiet(tm_heap *heap, unsigned pool, size_t n); /* runs no hook */
TM_HIDDEN void *tm__calloc_slow(tm_heap *heap, unsigned pool, size_t n);
TM_HIDDEN void tm__free_slow(tm_heap *heap, unsigned pool, void *p);
/* The free of a block inside the arena that another thread of this heap and pool allocated: true
 * iff it was one and is now free. */
TM_HIDDEN bool tm__free_far(tm__shard *shard, unsigned pool, void *p);
TM_HIDDEN void *tm__realloc_from(tm_heap *heap, unsigned pool, void *p, size_t n);

TM_INLINE tm__bin *tm__bin_at(tm__row *row, size_t offset)
{
  return (tm__bin *)(void *)((char *)row->bins + offset);
}

/* A block of n bytes from the shard's bin, or NULL: then nothing has changed. */
TM_INLINE void *tm__alloc_fast(tm__shard *shard, unsigned pool, size_t n)
{
  if (tm_unlikely(n > TM_SMALL_MAX))
    return NULL;
  tm__bin *bin = tm__bin_at(&shard->own[pool], tm__bin_offset(n));
  tm__block *block = bin->head;
  if (tm_unlikely(!block)) /* nothing ready? */
    return NULL;
  if (tm_unlikely(!tm__ledger_pass(&shard->wire, bin->block_bytes))) { /* wire touched? */
    tm__ledger_undo(&shard->wire, bin->block_bytes);
    return NULL;
  }
  tm__block *next = block->next;
  bin->head = next;
  __builtin_prefetch(next, 1);
  tm__ledger_charge(&bin->books);
  return block;
}

/* true iff p was a block of this shard and pool, or of the other shard that the bin knows, and is
 * now free. */
TM_INLINE bool tm__free_fast(tm__shard *shard, unsigned pool, void *p)
{
  if (tm_unlikely(!tm__inside(p)))
    return false;
  tm__tag tag = tm__tag_read(tm__slice_of(p));
  tm__bin *bin = tm__bin_at(&shard->own[pool], tag >> 50);
  tm__block *block = p;
  if (tm_unlikely(tm__tag_key(tag) != shard->keys[pool])) { /* in use; this heap, thread, family? */
    if (tm__tag_key(tag) != bin->far_key)                   /* or a thread that we free for? */
      return false;
    bin->foreign = 1;
  }
  if (tm_unlikely(!tm__divides(bin->inverse, (uint16_t)(uintptr_t)p)) || /* a block's start? */
      tm_unlikely(block == bin->head))                                   /* freed just now? */
    return false;
  block->next = bin->head;
  bin->head = block;
  if (tm_unlikely(tm__ledger_refund(&bin->books) > bin->full_at)) /* how long is the list now? */
    tm__bin_overflow(shard, pool, (unsigned)(tag >> 56));
  return true;
}

/* ---- The default heap, for hosts and the shim. pool: a tm_family or TM_POOL_C --------------- */

TM_INLINE void *tm__default_malloc(unsigned pool, size_t n)
{
  void *p = tm__alloc_fast(tm__self, pool, n);
  return tm_likely(p != NULL) ? p : tm__alloc_slow(&tm__default_heap, pool, n);
}

TM_INLINE void *tm__default_calloc(unsigned pool, size_t count, size_t size)
{
  size_t n;
  if (tm_unlikely(__builtin_mul_overflow(count, size, &n)))
    n = SIZE_MAX; /* fails as an overflow */
  void *p = tm__alloc_fast(tm__self, pool, n);
  return tm_likely(p != NULL) ? memset(p, 0, n) : tm__calloc_slow(&tm__default_heap, pool, n);
}

TM_INLINE void tm__default_free(unsigned pool, void *p)
{
  if (tm_unlikely(!tm__free_fast(tm__self, pool, p)))
    tm__free_slow(&tm__default_heap, pool, p);
}

TM_INLINE void *tm__default_realloc(unsigned pool, void *p, size_t n)
{
  return tm__realloc_from(&tm__default_heap, pool, p, n);
}

#endif
