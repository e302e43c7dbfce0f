/* alloc.c - the public ways to a block, and the slow twin of the fast path in fast.h. */
#include <errno.h>

#include "base/assert.h"
#include "heap/credit.h"
#include "heap/fast.h"
#include "heap/large.h"
#include "heap/page.h"
#include "heap/pool.h"
#include "heap/safepoint.h"
#include "heap/sample.h"

#ifndef TM_STRESS_OOM
#define TM_STRESS_OOM 0 /* 1: every 1,000th slow request of a heap with a hard limit is refused */
#endif

/* ---- The slow twin -------------------------------------------------------------------------- */

/* A request as the slow path sees it. */
typedef struct request {
  tm_heap *heap;
  unsigned pool;
  size_t n;         /* bytes, already rounded for alignment */
  size_t alignment; /* 16, or what large runs must start at */
  unsigned cls;     /* TM_CLASS_LARGE above TM_BLOCK_MAX */
  uint32_t bytes;   /* block size of the class */
  bool quiet;       /* no hook may run: the caller is a realloc */
} request;

static bool injected(const tm_heap *heap)
{
  static _Atomic(unsigned) calls;
  return TM_STRESS_OOM && tm__counter_read(&heap->engine.hard_bytes) &&
         atomic_fetch_add(&calls, 1) % 1000 == 999;
}

static void *carve_large(tm__shard *shard, const request *r, bool *zero)
{
  uint64_t usable = tm__large_usable(r->n);
  if (!tm__large_possible(r->n) || !tm__shard_row(shard, r->pool))
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  bool ask = !tm__credit_pass(shard, usable);
  if (ask && !tm__safepoint_charge(shard, usable, !r->quiet))
    return tm__heap_fail(r->heap, TM_FAIL_LIMIT);
  void *p = tm__large_alloc(shard, r->pool, r->n, r->alignment, zero);
  if (!p) {
    tm__ledger_undo(&shard->wire, usable);
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  }
  if (ask && tm__sampled_due(shard) && tm__sampled_take_large(p))
    tm__sampled_note(shard, r->pool, p, usable, usable);
  return p;
}

/* TM_POOL_CACHED: the block that was freed last. */
static tm__block *cache_pop(tm__row *row)
{
  tm__block *block = row->cache;
  row->cache = block->next;
  row->cached--;
  tm__bin_skip_alloc(&row->bins[0]);
  return block;
}

/* A request with a sample point: its block is not of the bin. NULL: it will not be sampled. */
TM_SLOW static void *carve_sampled(tm__shard *shard, const request *r)
{
  tm__block *block = tm__sampled_take(shard, r->pool, r->cls, r->bytes);
  if (!block)
    return NULL;
  tm__bin *bin = &shard->rows[r->pool]->bins[r->cls];
  tm__bin_skip_alloc(bin);
  tm__ledger_charge(&bin->books);
  tm__credit_asked(r->heap, r->bytes);
  tm__sampled_note(shard, r->pool, block, r->bytes, r->bytes);
  return block;
}

/* The order matters: first leave to allocate (hooks may run there and change every list), then a
 * block to hand out, then the books. */
static void *carve_small(tm__shard *shard, const request *r)
{
  tm__row *row = tm__shard_row(shard, r->pool);
  if (!row)
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  bool ask = !tm__credit_pass(shard, r->bytes);
  if (ask && !tm__safepoint_charge(shard, r->bytes, !r->quiet))
    return tm__heap_fail(r->heap, TM_FAIL_LIMIT);
  if (ask && tm__sampled_due(shard)) {
    void *sampled = carve_sampled(shard, r);
    if (sampled)
      return sampled;
  }
  tm__bin *bin = &row->bins[r->cls];
  if (!row->cache && !bin->head && !tm__bin_refill(shard, r->pool, r->cls, r->bytes)) {
    tm__ledger_undo(&shard->wire, r->bytes);
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  }
  tm__block *block = row->cache ? cache_pop(row) : tm__bin_pop(bin);
  tm__ledger_charge(&bin->books);
  if (ask)
    tm__credit_asked(r->heap, r->bytes);
  return block;
}

static void *carve_on(const request *r, bool *zero)
{
  *zero = false;
  if (r->n > PTRDIFF_MAX)
    return tm__heap_fail(r->heap, TM_FAIL_OVERFLOW);
  if (!tm__heap_startup())
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  if (injected(r->heap))
    return tm__heap_fail(r->heap, TM_FAIL_INJECTED);
  tm__shard *shard = tm__shard_get(r->heap);
  if (!shard)
    return tm__heap_fail(r->heap, TM_FAIL_OS);
  void *p = r->cls == TM_CLASS_LARGE ? carve_large(shard, r, zero) : carve_small(shard, r);
  tm__shard_put(shard);
  return p;
}

static request request_of(tm_heap *heap, unsigned pool, size_t n)
{
  request r = {heap, pool, n, 16, TM_CLASS_LARGE, 0, false};
  uint32_t fixed = heap->pools[pool].block_bytes;
  if (fixed && n <= fixed) {
    r.cls = 0;
    r.bytes = fixed;
  } else if (n <= TM_BLOCK_MAX) {
    r.cls = tm__class_of(n);
    r.bytes = tm__class_bytes[r.cls];
  }
  return r;
}

/* What happens often: the list was empty, but there is another one; or the shard was not looked for
 * yet. NULL: nothing has changed that a request could see. */
static void *carve_reload(tm__shard *shard, unsigned pool, size_t n)
{
  tm__bin *bin = tm__bin_at(&shard->own[pool], tm__bin_offset(n));
  if (!bin->head &&
      (!bin->block_bytes || !tm__bin_reload(shard, pool, (unsigned)(bin - shard->own[pool].bins))))
    return NULL;
  return tm__alloc_fast(shard, pool, n);
}

TM_NOINLINE void *tm__alloc_slow(tm_heap *heap, unsigned pool, size_t n)
{
  bool zero;
  if (n <= TM_SMALL_MAX && pool < TM_POOLS_BUILT_IN) {
    void *p = carve_reload(tm__shard_peek(heap), pool, n);
    if (p)
      return p;
  }
  request r = request_of(heap, pool, n);
  return carve_on(&r, &zero);
}

TM_SLOW void *tm__alloc_quiet(tm_heap *heap, unsigned pool, size_t n)
{
  bool zero;
  request r = request_of(heap, pool, n);
  r.quiet = true;
  return carve_on(&r, &zero);
}

TM_SLOW void *tm__calloc_slow(tm_heap *heap, unsigned pool, size_t n)
{
  bool zero;
  request r = request_of(heap, pool, n);
  void *p = carve_on(&r, &zero);
  return p && !zero ? memset(p, 0, n) : p;
}

/* ---- The public functions ------------------------------------------------------------------- */

TM_HOT void *tm_malloc(tm_heap *heap, tm_family family, size_t n)
{
  tm__shard *shard = tm__shard_near(heap);
  void *p = tm_likely(shard != NULL) ? tm__alloc_fast(shard, family, n) : NULL;
  return tm_likely(p != NULL) ? p : tm__alloc_slow(heap, family, n);
}

void *tm_calloc(tm_heap *heap, tm_family family, size_t count, size_t size)
{
  size_t n;
  if (tm_unlikely(__builtin_mul_overflow(count, size, &n)))
    n = SIZE_MAX; /* fails as an overflow */
  tm__shard *shard = tm__shard_near(heap);
  void *p = tm_likely(shard != NULL) ? tm__alloc_fast(shard, family, n) : NULL;
  return tm_likely(p != NULL) ? memset(p, 0, n) : tm__calloc_slow(heap, family, n);
}

void *tm__aligned_alloc(tm_heap *heap, unsigned pool, size_t alignment, size_t n)
{
  if (n > PTRDIFF_MAX)
    return tm__heap_fail(heap, TM_FAIL_OVERFLOW);
  if (alignment <= 16)
    return tm__alloc_slow(heap, pool, n);
  bool zero;
  request r = request_of(heap, pool, n);
  if (alignment > TM_SLICE || n > TM_BLOCK_MAX) {
    /* Runs start at slices; more than that the arena must find. */
    r.cls = TM_CLASS_LARGE;
    r.n = n > TM_BLOCK_MAX ? n : TM_BLOCK_MAX + 1;
    r.alignment = alignment;
    return carve_on(&r, &zero);
  }
  /* Pages start at slices, so blocks of a size that is a multiple are aligned: the next power of
   * two is one, and often a smaller class is. */
  size_t rounded = (n + alignment - 1) & ~(alignment - 1);
  r.cls = tm__class_of(rounded ? rounded : alignment);
  while (tm__class_bytes[r.cls] & (alignment - 1))
    r.cls++;
  r.bytes = tm__class_bytes[r.cls];
  return carve_on(&r, &zero);
}

void *tm_aligned_alloc(tm_heap *heap, tm_family family, size_t alignment, size_t n)
{
  static const size_t most = (size_t)1 << 30;
  if (alignment == 0 || (alignment & (alignment - 1)) || alignment > most) {
    errno = EINVAL;
    return NULL;
  }
  return tm__aligned_alloc(heap, family, alignment, n);
}

/* ---- Pools ---------------------------------------------------------------------------------- */

void *tm_pool_alloc(tm_pool *pool, size_t n)
{
  if (tm_unlikely(n > pool->most_bytes)) {
    errno = EINVAL;
    return NULL;
  }
  tm__shard *shard = tm__shard_peek(pool->heap);
  tm__row *row = shard->rows[pool->id];
  if (row && row->cache && tm__credit_pass(shard, pool->block_bytes)) {
    tm__block *block = cache_pop(row);
    tm__ledger_charge(&row->bins[0].books);
    return block;
  }
  if (tm_likely(row && n <= TM_SMALL_MAX)) {
    unsigned cls = pool->block_bytes ? 0 : tm__class_of(n);
    tm__bin *bin = &row->bins[cls];
    uint32_t bytes = pool->block_bytes ? pool->block_bytes : tm__class_bytes[cls];
    tm__block *block = bin->head;
    if (tm_likely(block && tm__credit_pass(shard, bytes))) {
      bin->head = block->next;
      tm__ledger_charge(&bin->books);
      return block;
    }
  }
  return tm__alloc_slow(pool->heap, pool->id, n);
}
