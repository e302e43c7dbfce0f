/* realloc.c - in place when the class allows, by page tables when large, by copy last. No hook runs
 * here: the old block is half-way between two places. */
#include <string.h>

#include "base/assert.h"
#include "heap/credit.h"
#include "heap/fast.h"
#include "heap/free.h"
#include "heap/large.h"
#include "heap/page.h"
#include "heap/pool.h"
#include "heap/safepoint.h"
#include "heap/sample.h"

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
  return tm__bin_take(bin);
}

/* The same for a block that is to be sampled; *sampled = false when it is an ordinary one after
 * all. */
TM_SLOW static void *take_sampled(tm__shard *shard, const resize *r, bool *sampled)
{
  void *to = NULL;
  if (r->cls != TM_CLASS_LARGE)
    to = tm__sampled_take(shard, r->found.pool, r->cls, (uint32_t)r->new_bytes);
  *sampled = to != NULL;
  if (to)
    return to;
  to = take_block(shard, r);
  if (to && r->cls == TM_CLASS_LARGE)
    *sampled = tm__sampled_take_large(to);
  return to;
}

/* Copies into another block; the books see one resize. */
static void *move(tm__shard *shard, const resize *r, void *p)
{
  bool sampled = tm__sampled_is(r->found.tag, r->found.page);
  uint64_t charged = sampled ? tm__sampled_charged(p) : r->old_bytes;
  uint64_t more = r->new_bytes > r->old_bytes ? r->new_bytes - r->old_bytes : 0;
  bool ask = more && !tm__credit_pass(shard, more);
  if (ask && !tm__safepoint_charge(shard, more, false))
    return tm__heap_fail(r->heap, TM_FAIL_LIMIT);
  sampled |= ask && tm__sampled_due(shard);
  void *to = tm_unlikely(sampled) ? take_sampled(shard, r, &sampled) : take_block(shard, r);
  if (!to) {
    tm__ledger_undo(&shard->wire, more);
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  }
  memcpy(to, p, r->old_bytes < r->n ? r->old_bytes : r->n);
  if (tm__tag_kind(r->found.tag) == TM_KIND_LARGE)
    tm__large_drop(r->found.page);
  else
    tm__block_put(shard, &r->found, p);
  tm__ledger_resize(&shard->rows[r->found.pool]->books, r->old_bytes, r->new_bytes);
  if (ask || more >= TM_PEAK_LOOK)
    tm__credit_asked(r->heap, more);
  if (tm_unlikely(sampled))
    tm__sampled_note(shard, r->found.pool, to, r->new_bytes, charged + more);
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
  tm__tag tag = tm__tag_read(tm__slice_of(p));
  if (tm__tag_key(tag) != shard->keys[pool])
    return NULL;
  tm__bin *bin = tm__bin_at(&shard->own[pool], tag >> 50);
  return tm__divides(bin->inverse, (uint16_t)(uintptr_t)p) && p != bin->head ? bin : NULL;
}

/* A block that outgrew its class will do so again: it gets a class more than it asks for, so that
 * growing by small steps moves it half as often. */
static size_t with_growth(size_t old, size_t n)
{
  size_t more = old + old / 4;
  more = more < TM_SMALL_MAX ? more : TM_SMALL_MAX;
  return n > old && n < more ? more : n;
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
  tm__row *row = &shard->own[pool];
  tm__bin *to = tm__bin_at(row, tm__bin_offset(with_growth(old, n)));
  unsigned cls = (unsigned)(to - row->bins);
  uint64_t bytes = tm__class_bytes[cls], more = bytes > old ? bytes - old : 0;
  if (more && !tm__credit_pass(shard, more))
    return NULL;
  if (!to->head && !tm__bin_refill(shard, pool, cls, (uint32_t)bytes)) {
    tm__ledger_undo(&shard->wire, more);
    return NULL;
  }
  tm__block *block = tm__bin_take(to);
  memcpy(block, p, old < n ? old : n);
  tm__bin_give(shard, pool, (unsigned)(from - row->bins), p);
  tm__ledger_resize(&row->books, old, bytes);
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
