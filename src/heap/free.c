/* free.c - the door from a user pointer to metadata, and the slow twin of the fast free. */
#include "heap/free.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "heap/fast.h"
#include "heap/large.h"
#include "heap/page.h"
#include "heap/pool.h"
#include "heap/remote.h"
#include "heap/sample.h"

/* ---- Reports -------------------------------------------------------------------------------- */

static _Atomic(int) mismatch_policy = -1; /* -1: not looked into the environment yet */

static tm_mismatch mismatch_now(void)
{
  int policy = atomic_load(&mismatch_policy);
  if (policy >= 0)
    return (tm_mismatch)policy;
  const char *text = tm__os_env("TM_MISMATCH");
  policy = TM_MISMATCH_ABORT;
  if (text && strcmp(text, "report") == 0)
    policy = TM_MISMATCH_REPORT;
  if (text && strcmp(text, "ignore") == 0)
    policy = TM_MISMATCH_IGNORE;
  atomic_store(&mismatch_policy, policy);
  return (tm_mismatch)policy;
}

int tm_mismatch_set(tm_mismatch policy)
{
  if (policy != TM_MISMATCH_ABORT && policy != TM_MISMATCH_REPORT && policy != TM_MISMATCH_IGNORE)
    return TM_EINVAL;
  atomic_store(&mismatch_policy, policy);
  return 0;
}

static void mixed(tm_heap *heap, const tm__found *found, unsigned asked, const void *p,
                  bool resizing)
{
  tm__shared_add(&heap->mismatches, 1);
  tm_mismatch policy = mismatch_now();
  if (policy == TM_MISMATCH_IGNORE)
    return;
  const char *with = resizing ? tm__pool_resize_name(heap, asked) : tm__pool_free_name(heap, asked);
  char line[256];
  (void)tm__format(
      line, sizeof line, "family mismatch: allocated by %s, freed by %s: %p, %zu bytes",
      tm__pool_alloc_name(heap, found->pool), with, (void *)(uintptr_t)p, tm_usable_size(p));
  if (policy == TM_MISMATCH_REPORT)
    tm__report("fatal: %s", line);
  else
    tm__fatal("%s", line);
}

static _Noreturn void not_a_block(const void *p, tm__tag tag)
{
  /* A page that was given back remembers the block whose free emptied it. */
  if (tm__tag_kind(tag) == TM_KIND_FREE && tm__arena.pages[tm__slice_of(p)].freed == p)
    tm__fatal("double free: %p", (void *)(uintptr_t)p);
  if (tm__tag_kind(tag) == TM_KIND_FREE)
    tm__fatal("invalid pointer: %p is on a page that holds nothing", (void *)(uintptr_t)p);
  const tm_page *page = tm__page_of(p, tag);
  uint64_t bytes = page->block_bytes ? page->block_bytes : page->large_bytes;
  uint64_t offset = (uint64_t)((const char *)p - tm__page_address(page));
  if (page->block_bytes)
    offset %= bytes;
  tm__fatal("invalid pointer: %p is %lu bytes into a block of %lu", (void *)(uintptr_t)p, offset,
            bytes);
}

/* ---- The door ------------------------------------------------------------------------------- */

tm__found tm__free_door(tm_heap *heap, unsigned pool, const void *p, bool resizing)
{
  if (!tm__inside(p))
    tm__fatal("foreign pointer: %p was not allocated here", (void *)(uintptr_t)p);
  tm__tag tag = tm__tag_read(tm__slice_of(p));
  tm__found found = {NULL, tag, tm__tag_pool(tag)};
  if (tm__tag_kind(tag) == TM_KIND_FREE)
    not_a_block(p, tag);
  tm_page *page = found.page = tm__page_of(p, tag);
  uint64_t offset = (uint64_t)((const char *)p - tm__page_address(page));
  bool start = tm__tag_kind(tag) == TM_KIND_LARGE
                   ? offset == 0
                   : offset % page->block_bytes == 0 &&
                         offset < (uint64_t)page->reserved * page->block_bytes;
  if (!start)
    not_a_block(p, tag);
  const tm_heap *owner = page->shard->heap;
  if (owner != heap)
    tm__fatal("wrong heap: %p belongs to heap \"%s\", freed through \"%s\"", (void *)(uintptr_t)p,
              owner ? owner->name : "closed", heap->name);
  if (!tm__pool_serves(heap, found.pool, pool))
    mixed(heap, &found, pool, p, resizing);
  return found;
}

/* ---- Going home ----------------------------------------------------------------------------- */

bool tm__freed_just_now(const tm__shard *shard, const tm__found *found, const void *p)
{
  /* A large run is free then, and its tag says so; of sampled blocks the profile knows. */
  if (tm__tag_kind(found->tag) == TM_KIND_LARGE || tm__tag_kind(found->tag) == TM_KIND_SAMPLED)
    return false;
  const tm__row *row = shard->rows[found->pool];
  if (row && (row->bins[tm__tag_class(found->tag)].head == p || row->cache == p))
    return true;
  return found->page->shard == shard ? found->page->free == p
                                     : shard->out[tm__remote_slot(found->tag)].first == p;
}

void tm__block_put(tm__shard *shard, const tm__found *found, tm__block *block)
{
  if (tm__tag_kind(found->tag) == TM_KIND_SAMPLED)
    tm__sampled_put(found->page, block);
  else if (found->page->shard != shard)
    tm__remote_gather(shard, found->tag, block);
  else if (found->page->slices > 1)
    tm__page_put(found->page, block);
  else
    tm__bin_give(shard, found->pool, tm__tag_class(found->tag), block);
}

static void free_block(tm__shard *shard, const tm__found *found, void *p)
{
  tm__row *row = tm__shard_row(shard, found->pool);
  if (!row) /* no memory for its books: see free_start */
    return;
  if (tm__tag_kind(found->tag) == TM_KIND_LARGE) {
    tm__large_free(shard, found->pool, found->page);
    return;
  }
  if (tm__freed_just_now(shard, found, p))
    tm__fatal("double free: %p, %u bytes", p, found->page->block_bytes);
  unsigned cls = tm__tag_class(found->tag);
  tm__row_mark(row, cls);
  tm__block_put(shard, found, p);
  tm__bin_skip_free(&row->bins[cls]);
  (void)tm__ledger_refund(&row->bins[cls].books);
}

TM_SLOW static void free_start(tm_heap *heap, unsigned pool, void *p)
{
  int saved = errno; /* the first call of a thread may allocate thread-specific data */
  tm__found found = tm__free_door(heap, pool, p, false);
  tm__shard *shard = tm__shard_get(heap);
  /* Without memory for this thread's books the block stays in those that it is in: not given back,
   * but the program, which may be about to make room, goes on. */
  if (shard) {
    free_block(shard, &found, p);
    tm__shard_put(shard);
  }
  errno = saved;
}

/* Where a block of another thread goes that shares its cache lines. */
static bool free_shy(tm__shard *shard, tm__row *row, tm__tag tag, tm__block *block)
{
  tm__bin *bin = &row->bins[tm__tag_class(tag)];
  if (shard->out[tm__remote_slot(tag)].first == block)
    return false;
  tm__row_mark(row, tm__tag_class(tag));
  tm__remote_gather(shard, tag, block);
  tm__bin_skip_free(bin);
  (void)tm__ledger_refund(&bin->books);
  bin->shy++;
  return true;
}

TM_NOINLINE bool tm__free_far(tm__shard *shard, unsigned pool, void *p)
{
  tm__tag tag = tm__tag_read(tm__slice_of(p));
  const tm__shard *owner =
      atomic_load_explicit(&tm__shard_table[tm__tag_shard(tag)], memory_order_acquire);
  tm__bin *bin = tm__bin_at(&shard->own[pool], tag >> 50);
  tm__block *block = p;
  if ((tag & 0xff0000ff) != tm__tag_make(TM_KIND_PAGE, 0, pool, 0) ||
      tm_unlikely(owner->heap != shard->heap) || tm_unlikely(owner == shard) ||
      tm_unlikely(!tm__divides(tm__class_inverse[tag >> 56], (uint16_t)(uintptr_t)p)) ||
      tm_unlikely(block == bin->head))
    return false;
  if (tm_unlikely(tag >> 56 < TM_SHY_CLASSES) && bin->shy < TM_SHY_FREES)
    return free_shy(shard, &shard->own[pool], tag, block);
  /* It is in this core's cache now: this thread's next request of the size should get it. */
  block->next = bin->head;
  bin->head = block;
  bin->foreign = 1;
  bin->far_key = tm__tag_key(tag); /* the next ones of this owner take the fast path */
  if (tm_unlikely(tm__ledger_refund(&bin->books) > bin->full_at))
    tm__bin_overflow(shard, pool, (unsigned)(tag >> 56));
  return true;
}

void tm__free_slow(tm_heap *heap, unsigned pool, void *p)
{
  if (!p)
    return;
  if (pool < TM_POOLS_BUILT_IN && tm__inside(p)) {
    tm__shard *shard = tm__shard_peek(heap);
    if (tm__free_fast(shard, pool, p) || tm__free_far(shard, pool, p))
      return;
  }
  free_start(heap, pool, p);
}

TM_HOT void tm_free(tm_heap *heap, tm_family family, void *p)
{
  tm__shard *shard = tm__shard_near(heap);
  if (tm_unlikely(!shard) || tm_unlikely(!tm__free_fast(shard, family, p)))
    tm__free_slow(heap, family, p);
}

void tm_pool_free(tm_pool *pool, void *p)
{
  if (!p)
    return;
  tm_heap *heap = pool->heap;
  tm__found found = tm__free_door(heap, pool->id, p, false);
  tm__shard *shard = tm__shard_get(heap);
  if (!shard) /* as in free_start */
    return;
  tm__row *row = tm__shard_row(shard, found.pool);
  if (row && found.pool == pool->id && pool->cache_blocks && found.page->shard == shard &&
      tm__tag_kind(found.tag) != TM_KIND_SAMPLED && row->cached < pool->cache_blocks &&
      !tm__freed_just_now(shard, &found, p)) {
    ((tm__block *)p)->next = row->cache;
    row->cache = p;
    row->cached++;
    tm__bin_skip_free(&row->bins[0]);
    (void)tm__ledger_refund(&row->bins[0].books);
  } else {
    free_block(shard, &found, p);
  }
  tm__shard_put(shard);
}

/* ---- Questions about a pointer -------------------------------------------------------------- */

int tm_owns(const void *p)
{
  return tm__inside(p);
}

size_t tm_usable_size(const void *p)
{
  if (!tm__inside(p))
    return 0;
  tm__tag tag = tm__tag_read(tm__slice_of(p));
  const tm_page *page = tm__page_of(p, tag);
  if (tm__tag_paged(tag))
    return page->block_bytes;
  return tm__tag_kind(tag) == TM_KIND_LARGE ? page->large_bytes : 0;
}
