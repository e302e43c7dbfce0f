/*
 * check.c - the proof of the books: what is found on the pages against what was counted.
 *
 *   per pool   blocks and bytes on pages == allocs - frees, by the ledger
 *   per bin    |head| == base + frees - allocs
 *   per page   out == carved - |free| - in holes,  |free| <= carved <= reserved
 *   per heap   SUM spans == span_bytes,  SUM usable == usable_bytes,  pages == page_count
 */
#include "base/assert.h"
#include "heap/bin.h"
#include "heap/books.h"
#include "heap/heap.h"
#include "heap/holes.h"
#include "heap/page.h"
#include "heap/shard.h"
#include "heap/walk.h"

enum { TRIES = 50 }; /* near half a second in all: a thread may have lost its processor */

typedef struct found {
  uint64_t blocks[TM_POOLS_MAX + 1], bytes[TM_POOLS_MAX + 1];
  uint64_t span, usable, pages, holes;
  const char *wrong; /* first difference, or NULL */
  uint64_t have, want;
  const void *where;
} found;

static void differ(found *f, const char *what, uint64_t have, uint64_t want, const void *where)
{
  if (f->wrong || have == want)
    return;
  f->wrong = what;
  f->have = have;
  f->want = want;
  f->where = where;
}

/* ---- Pages ---------------------------------------------------------------------------------- */

static void count_page(const tm__picture *picture, const tm_page *page, found *f)
{
  unsigned pool = tm__tag_pool(tm__tag_read(tm__page_slice(page)));
  const char *start = tm__page_address(page);
  f->pages++;
  f->span += (uint64_t)page->slices << TM_SLICE_SHIFT;
  if (!page->block_bytes) {
    f->usable += page->large_bytes;
    f->blocks[pool]++;
    f->bytes[pool] += page->large_bytes;
    return;
  }
  uint64_t home = 0, live = 0;
  for (uint32_t i = 0; i < page->carved; i++)
    live += !tm__picture_free(picture, start + (size_t)i * page->block_bytes);
  for (const tm__block *b = page->free; b && home <= page->carved; b = b->next) {
    if (!tm__inside(b) || tm__slice_of(b) >= picture->top)
      break; /* moving, or overwritten: the numbers will differ */
    home++;
  }
  differ(f, "blocks out of a page", tm__page_out(page),
         page->carved - home - tm__holes_blocks(page), start);
  differ(f, "carved blocks of a page", page->carved <= page->reserved, 1, start);
  f->usable += (uint64_t)page->reserved * page->block_bytes;
  f->holes += tm__holes_bytes(page);
  f->blocks[pool] += live;
  f->bytes[pool] += live * page->block_bytes;
}

static void compare(tm_heap *heap, found *f)
{
  for (unsigned pool = 0; pool < atomic_load(&heap->pool_count); pool++) {
    tm__sums sums = {0};
    tm__books_pool(heap, pool, &sums);
    differ(f, "blocks of a pool", f->blocks[pool], sums.allocs - sums.frees,
           heap->pools[pool].name);
    differ(f, "bytes of a pool", f->bytes[pool], sums.alloc_bytes - sums.freed_bytes,
           heap->pools[pool].name);
  }
  differ(f, "span bytes", f->span, tm__counter_read(&heap->span_bytes), heap);
  differ(f, "usable bytes", f->usable, tm__counter_read(&heap->usable_bytes), heap);
  differ(f, "bytes in holes", f->holes, tm__counter_read(&heap->hole_bytes), heap);
  differ(f, "pages", f->pages, tm__counter_read(&heap->page_count), heap);
}

/* Only what the picture knows to be free is followed: a thread may be at work. */
static void count_bins(const tm__picture *picture, const tm__row *row, found *f)
{
  for (unsigned cls = 0; row && cls < TM_CLASSES; cls++) {
    const tm__bin *bin = &row->bins[cls];
    uint64_t length = 0, most = tm__bin_length(bin);
    for (const tm__block *b = bin->head; b && length <= most; b = b->next, length++)
      if (!tm__inside(b) || tm__slice_of(b) >= picture->top || !tm__picture_free(picture, b))
        break;
    differ(f, "blocks of a bin", length, most, bin->head);
  }
}

/* ---- Motion --------------------------------------------------------------------------------- */

static uint64_t motion_of(const tm_heap *heap)
{
  tm__sums sums = {0};
  tm__books_heap(heap, &sums);
  return sums.allocs + sums.frees + sums.reallocs;
}

static bool has_orphans(tm_heap *heap)
{
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next)
    if (s->orphan)
      return true;
  return false;
}

/* One look. 0, TM_EBUSY iff something moved meanwhile, TM_ECORRUPT with *f telling what. */
static int look(tm_heap *heap, found *f)
{
  tm__picture picture;
  *f = (found){.wrong = NULL};
  uint64_t before = motion_of(heap);
  if (tm__picture_take(heap, &picture))
    return TM_ENOMEM;
  differ(f, "free lists", picture.torn, 0, NULL);
  uint32_t slice = 0;
  for (tm_page *page; !f->wrong && (page = tm__picture_next(&picture, &slice));)
    count_page(&picture, page, f);
  if (!f->wrong)
    compare(heap, f);
  for (tm__shard *s = atomic_load(&heap->shards); s && !f->wrong; s = s->next)
    for (unsigned pool = 0; pool < atomic_load(&heap->pool_count); pool++)
      count_bins(&picture, s->rows[pool], f);
  tm__picture_drop(&picture);
  if (motion_of(heap) != before)
    return TM_EBUSY;
  return f->wrong ? TM_ECORRUPT : 0;
}

/* true iff no other thread has a shard at work. One shard may be another thread's: ours counts. */
static bool nobody_else(tm_heap *heap)
{
  uint32_t mine = !heap->one && tm__shard_peek(heap) != &tm__empty_shard;
  return heap->one || atomic_load(&heap->busy_shards) <= mine;
}

int tm_heap_check(tm_heap *heap)
{
  if (!heap)
    return TM_EINVAL;
  if (!tm__heap_startup())
    return TM_ENOMEM;
  bool alone = nobody_else(heap);
  uint64_t before = motion_of(heap);
  if (!alone) {
    tm__os_pause(1000000);
    if (motion_of(heap) != before)
      return TM_EBUSY;
  }
  found f;
  int result = look(heap, &f);
  if (result == TM_ECORRUPT && has_orphans(heap))
    return TM_EBUSY; /* fork caught another thread at work; its books stop there */
  /* A thread may have been caught between a list and its counter: look until it has moved on. */
  for (int i = 1; i < TRIES && result == TM_ECORRUPT && !alone; i++) {
    tm__os_pause((uint64_t)(i < 10 ? i : 10) * 1000000);
    result = look(heap, &f);
  }
  if (result == TM_ECORRUPT)
    tm__report("heap \"%s\" does not balance: %s: found %lu, counted %lu (%p)", heap->name, f.wrong,
               f.have, f.want, (void *)(uintptr_t)f.where);
  return result;
}
