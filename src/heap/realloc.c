/* realloc.c - in place when the class allows, by page tables when large, by copy last. No hook runs
 * here: the old block is half-way between two places. */
#include <string.h>

#include "base/assert.h"
#include "heap/credit.h"
#include "heap/fast.h"
#include "heap/free.h"
#include "heap/large.h"
#include "heap/pool.h"
#include "heap/safepoint.h"

/* A resize as it goes. */
typedef struct resize {
  tm_heap *heap;
  tm__found found;
  size_t old_bytes, n;
  uint64_t new_bytes; /* usable bytes of the new block */
  unsigned cls;       /* of the new block; TM_CLASS_LARGE */
} resize;

/* A block without the books of blocks: only the wire was charged. */
static void *take_block(tm__shard *shard, const resize *r)
{
  unsigned pool = r->found.pool;
  if (r->cls == TM_CLASS_LARGE)
    return tm__large_take(shard, pool, r->new_bytes);
  tm__bin *bin = &shard->rows[pool]->bins[r->cls];
  if (!bin->head && !tm__bin_refill(shard, pool, r->cls, (uint32_t)r->new_bytes))
    return NULL;
  return tm__bin_pop(bin);
}

/* Copies into another block; the books see one resize. */
static void *move(tm__shard *shard, const resize *r, void *p)
{
  uint64_t more = r->new_bytes > r->old_bytes ? r->new_bytes - r->old_bytes : 0;
  bool ask = more && !tm__credit_pass(shard, more);
  if (ask && !tm__safepoint_charge(shard, more, false))
    return tm__heap_fail(r->heap, TM_FAIL_LIMIT);
  void *to = take_block(shard, r);
  if (!to) {
    tm__ledger_undo(&shard->wire, more);
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  }
  memcpy(to, p, r->old_bytes < r->n ? r->old_bytes : r->n);
  if (tm__tag_kind(r->found.tag) == TM_KIND_LARGE)
    tm__large_drop(r->found.page);
  else
    tm__block_put(shard, r->found.page, p);
  tm__ledger_resize(&shard->rows[r->found.pool]->books, r->old_bytes, r->new_bytes);
  if (ask || more >= TM_QUANTUM_CALM)
    tm__credit_asked(r->heap, more);
  return to;
}

/* A block of a fixed pool that outgrows it leaves the pool for its family: an alloc, a free and a
 * resize, because it changes rows. */
static void *leave_pool(tm__shard *shard, const resize *r, unsigned pool, void *p)
{
  void *to = tm__alloc_quiet(r->heap, pool, r->n);
  if (!to)
    return NULL;
  memcpy(to, p, r->old_bytes < r->n ? r->old_bytes : r->n);
  tm__free_slow(r->heap, r->found.pool, p);
  tm__ledger_resize(&shard->rows[pool]->books, r->n, r->n);
  return to;
}

/* In place when it fits and does not waste more than half: shrinking by a little moves nothing. */
static bool stays(size_t old_bytes, size_t n)
{
  return n <= old_bytes && (n >= old_bytes / 2 || old_bytes <= 64);
}

static void *resize_with(tm__shard *shard, resize *r, unsigned pool, void *p)
{
  bool large = tm__tag_kind(r->found.tag) == TM_KIND_LARGE;
  if (large && r->n > TM_BLOCK_MAX)
    return tm__large_resize(shard, r->found.pool, r->found.page, r->n);
  if (stays(r->old_bytes, r->n)) {
    tm__ledger_resize(&shard->rows[r->found.pool]->books, r->old_bytes, r->old_bytes);
    return p;
  }
  if (r->heap->pools[r->found.pool].block_bytes)
    return leave_pool(shard, r, pool, p);
  r->cls = r->n > TM_BLOCK_MAX ? TM_CLASS_LARGE : tm__class_of(r->n);
  r->new_bytes =
      r->cls == TM_CLASS_LARGE ? tm__large_usable(r->n) : (uint64_t)tm__class_bytes[r->cls];
  return move(shard, r, p);
}

/* ---- The ordinary case: a small block of this thread that stays small ------------------------ */

/* The bin of p iff it is a live block of a one-slice page of this shard and pool. */
static tm__bin *own_bin(tm__shard *shard, unsigned pool, const void *p)
{
  if (!tm__inside(p))
    return NULL;
  uint32_t slice = tm__slice_of(p);
  tm__tag tag = tm__tag_read(slice);
  uint32_t key = tm__tag_key(tag), mine = shard->keys[pool];
  if (key != mine && key != TM_KEY_OF_PAGE(mine))
    return NULL;
  tm__bin *bin = tm__bin_at(&shard->own[pool], tag >> 50);
  bool block = tm__divides(bin->inverse, (uint16_t)(uintptr_t)p);
  bool live = p != bin->head && (key == mine || p != tm__arena.pages[slice].free);
  return block && live ? bin : NULL;
}

/* The resized block, or NULL: then nothing has changed and the long way is asked. */
static void *resize_fast(tm__shard *shard, unsigned pool, void *p, size_t n)
{
  tm__bin *from = own_bin(shard, pool, p);
  if (!from || n > TM_SMALL_MAX)
    return NULL;
  size_t old = from->block_bytes;
  if (stays(old, n)) {
    tm__ledger_resize(&shard->own[pool].books, old, old);
    return p;
  }
  tm__bin *to = tm__bin_at(&shard->own[pool], tm__bin_offset(n));
  tm__block *block = to->head;
  if (!block || (to->block_bytes > old && !tm__credit_pass(shard, to->block_bytes - old)))
    return NULL;
  to->head = block->next;
  memcpy(block, p, old < n ? old : n);
  tm__page_put(tm__page_of(p, tm__tag_read(tm__slice_of(p))), p);
  tm__ledger_resize(&shard->own[pool].books, old, to->block_bytes);
  return block;
}

void *tm__realloc_from(tm_heap *heap, unsigned pool, void *p, size_t n)
{
  if (!p) {
    void *fresh = tm__alloc_fast(tm__shard_peek(heap), pool, n);
    return fresh ? fresh : tm__alloc_quiet(heap, pool, n);
  }
  void *quick = resize_fast(tm__shard_peek(heap), pool, p, n);
  if (quick)
    return quick;
  if (n > PTRDIFF_MAX)
    return tm__heap_fail(heap, TM_FAIL_OVERFLOW);
  resize r = {.heap = heap, .found = tm__free_door(heap, pool, p, true), .n = n};
  if (!tm__large_possible(n))
    return tm__heap_fail(heap, TM_FAIL_OS);
  r.old_bytes = tm_usable_size(p);
  tm__shard *shard = tm__shard_get(heap);
  if (!shard)
    return tm__heap_fail(heap, TM_FAIL_OS);
  if (tm_unlikely(tm__freed_just_now(shard, &r.found, p)))
    tm__fatal("double free: %p was freed and then resized", p);
  bool booked = tm__shard_row(shard, r.found.pool) != NULL;
  void *to = booked ? resize_with(shard, &r, pool, p) : tm__heap_fail(heap, TM_FAIL_OS);
  tm__shard_put(shard);
  return to;
}

void *tm_realloc(tm_heap *heap, tm_family family, void *p, size_t n)
{
  return tm__realloc_from(heap, family, p, n);
}
