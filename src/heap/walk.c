/* walk.c - see walk.h; tm_heap_walk. */
#include "heap/walk.h"

#include "heap/arena.h"
#include "heap/batch.h"
#include "heap/heap.h"
#include "heap/holes.h"
#include "heap/page.h"
#include "heap/shard.h"

/* ---- The picture ---------------------------------------------------------------------------- */

static size_t bit_of(const void *block)
{
  return ((uintptr_t)block - (uintptr_t)tm__arena.base) / 16;
}

bool tm__picture_free(const tm__picture *picture, const void *block)
{
  size_t bit = bit_of(block);
  return picture->bits[bit / 64] >> (bit % 64) & 1;
}

static void mark_one(tm__picture *picture, const void *block)
{
  size_t bit = bit_of(block);
  picture->bits[bit / 64] |= (uint64_t)1 << (bit % 64);
}

/* Marks the blocks of a list. Each is looked at before it is followed: an overwritten link, or a
 * thread at work, must not lead us astray. */
static void mark(tm__picture *picture, const tm__block *block)
{
  for (; block; block = block->next) {
    if (!tm__inside(block) || tm__slice_of(block) >= picture->top ||
        !tm__tag_paged(tm__tag_read(tm__slice_of(block))) || ((uintptr_t)block & 15) ||
        tm__picture_free(picture, block)) {
      picture->torn = true;
      return;
    }
    mark_one(picture, block);
  }
}

/* The same for each of a list of batches. */
static void mark_batches(tm__picture *picture, const tm__block *batch)
{
  while (batch && !picture->torn) {
    mark(picture, batch);
    if (!picture->torn)
      batch = tm__batch_rest(batch);
  }
}

static void mark_holes(tm__picture *picture, const tm_page *page)
{
  const char *at = tm__page_address(page);
  for (uint32_t i = 0; i < page->carved; i++, at += page->block_bytes)
    if (tm__holes_touch(page, i))
      mark_one(picture, at);
}

static void mark_shard(tm__picture *picture, tm__shard *shard)
{
  for (unsigned i = 0; i < TM_OUT_SLOTS; i++)
    mark(picture, shard->out[i].first);
  unsigned pools = atomic_load(&picture->heap->pool_count);
  for (unsigned pool = 0; pool < pools; pool++) {
    const tm__row *row = shard->rows[pool];
    if (!row)
      continue;
    mark(picture, row->cache);
    for (unsigned cls = 0; cls < TM_CLASSES; cls++) {
      mark(picture, row->bins[cls].head);
      mark_batches(picture, row->bins[cls].stash);
      mark_batches(picture, atomic_load_explicit(&row->remote[cls], memory_order_acquire));
    }
  }
}

tm_page *tm__picture_next(const tm__picture *picture, uint32_t *slice)
{
  while (*slice < picture->top) {
    uint32_t at = (*slice)++;
    tm__tag tag = tm__tag_read(at);
    if (tm__tag_kind(tag) == TM_KIND_FREE || tm__tag_offset(tag) != 0 ||
        !tm__shard_set_has(&picture->ours, tag))
      continue;
    tm_page *page = &tm__arena.pages[at];
    if (page->slices > 1)
      *slice = at + page->slices;
    return page;
  }
  return NULL;
}

int tm__picture_take(tm_heap *heap, tm__picture *picture)
{
  *picture = (tm__picture){.heap = heap, .top = tm__arena_top()};
  picture->bytes = ((size_t)picture->top << TM_SLICE_SHIFT) / 16 / 8 + TM_OS_PAGE;
  picture->bytes &= ~(size_t)(TM_OS_PAGE - 1);
  picture->bits = tm__os_map(picture->bytes);
  if (!picture->bits)
    return TM_ENOMEM;
  tm__shard_set_fill(heap, &picture->ours);
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next)
    mark_shard(picture, s);
  uint32_t slice = 0;
  for (tm_page *page; (page = tm__picture_next(picture, &slice));)
    if (page->block_bytes) {
      mark(picture, page->free);
      if (page->holes)
        mark_holes(picture, page);
    }
  return 0;
}

void tm__picture_drop(tm__picture *picture)
{
  if (picture->bits)
    (void)tm__os_unreserve(picture->bits, picture->bytes);
}

/* ---- tm_heap_walk --------------------------------------------------------------------------- */

static size_t live_on(const tm__picture *picture, const tm_page *page)
{
  size_t live = 0;
  const char *at = tm__page_address(page);
  for (uint32_t i = 0; i < page->carved; i++, at += page->block_bytes)
    live += !tm__picture_free(picture, at);
  return live;
}

static int show_blocks(const tm__picture *picture, const tm_page *page, tm_walk_item item,
                       tm_walk_fn fn, void *ctx)
{
  int stop = 0;
  char *at = item.address;
  item.kind = TM_WALK_BLOCK;
  item.bytes = item.block_bytes;
  item.blocks = item.live_blocks = 1;
  uint32_t count = page->block_bytes ? page->carved : 1;
  for (uint32_t i = 0; i < count && !stop; i++, at += page->block_bytes) {
    item.address = at;
    if (!page->block_bytes || !tm__picture_free(picture, at))
      stop = fn(ctx, &item);
  }
  return stop;
}

static int show(const tm__picture *picture, const tm_page *page, tm_walk_fn fn, void *ctx)
{
  unsigned pool = tm__tag_pool(tm__tag_read(tm__page_slice(page)));
  tm_walk_item item = {.kind = TM_WALK_PAGE,
                       .pool = picture->heap->pools[pool].name,
                       .address = tm__page_address(page),
                       .bytes = (size_t)page->slices << TM_SLICE_SHIFT,
                       .block_bytes = page->block_bytes ? page->block_bytes : page->large_bytes,
                       .blocks = page->block_bytes ? page->reserved : 1,
                       .live_blocks = page->block_bytes ? live_on(picture, page) : 1};
  int stop = fn(ctx, &item);
  return stop ? stop : show_blocks(picture, page, item, fn, ctx);
}

int tm_heap_walk(tm_heap *heap, tm_walk_fn fn, void *ctx)
{
  if (!heap || !fn)
    return TM_EINVAL;
  tm__picture picture;
  int result = tm__heap_startup() ? tm__picture_take(heap, &picture) : TM_ENOMEM;
  if (result)
    return result;
  uint32_t slice = 0;
  if (picture.torn)
    result = TM_EBUSY;
  for (tm_page *page; !result && (page = tm__picture_next(&picture, &slice));)
    result = show(&picture, page, fn, ctx);
  tm__picture_drop(&picture);
  return result;
}
