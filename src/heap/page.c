/* page.c - see page.h and the picture in types.h. */
#include "heap/page.h"

#include "base/assert.h"
#include "heap/arena.h"
#include "heap/holes.h"
#include "heap/shard.h"

/* ---- The queue of pages with room ----------------------------------------------------------- */

static tm__queue *queue_of(const tm_page *page, tm__tag tag)
{
  return &page->shard->rows[tm__tag_pool(tag)]->queues[tm__tag_class(tag)];
}

static tm__bin *bin_of(const tm_page *page, tm__tag tag)
{
  return &page->shard->rows[tm__tag_pool(tag)]->bins[tm__tag_class(tag)];
}

void tm__queue_push(tm__queue *queue, tm_page *page)
{
  page->next = NULL;
  page->prev = queue->last;
  if (queue->last)
    queue->last->next = page;
  else
    queue->first = page;
  queue->last = page;
  queue->length++;
}

static void queue_remove(tm__queue *queue, tm_page *page)
{
  if (page->prev)
    page->prev->next = page->next;
  else
    queue->first = page->next;
  if (page->next)
    page->next->prev = page->prev;
  else
    queue->last = page->prev;
  page->next = page->prev = NULL;
  queue->length--;
}

/* The tag tells free() whether the page is its bin's active one; a page of several slices is
 * found the slow way. */
static void tag_kind_set(const tm_page *page, unsigned kind)
{
  uint32_t slice = tm__page_slice(page);
  tm__tag tag = tm__tag_read(slice);
  if (tm__tag_kind(tag) == TM_KIND_MEDIUM)
    return;
  tag = (tag & ~((tm__tag)255 << 24)) | (tm__tag)kind << 24;
  atomic_store_explicit(&tm__arena.tags[slice], tag, memory_order_relaxed);
}

static void activate(tm__bin *bin, tm_page *page)
{
  bin->active = page;
  tag_kind_set(page, TM_KIND_ACTIVE);
}

/* ---- The states of a page ------------------------------------------------------------------- */

/*
 *   active --all handed out--> full --enough came home--> with room --empty--> released
 *     ^                                                      |
 *     +------------------------ refill ----------------------+
 *
 * `wait` counts down on every free. A full page sleeps until a sixteenth of it is home: refilling
 * from a page with one free block would send every malloc to the slow path.
 */
static uint32_t out_of(const tm_page *page)
{
  return tm__page_out(page);
}

static void page_sleep(tm_page *page)
{
  uint32_t out = out_of(page), some = page->reserved / 16 + 1;
  page->wait = some < out ? some : out;
  page->asleep = out - page->wait;
}

static void page_awake(tm_page *page)
{
  page->wait = out_of(page);
  page->asleep = 0;
}

static void page_release(tm_page *page)
{
  tm_heap *heap = page->shard->heap;
  uint32_t slices = page->slices;
  tm_assert(out_of(page) == 0);
  tm__holes_forget(page);
  tm__shared_add(&heap->span_bytes, 0 - ((uint64_t)slices << TM_SLICE_SHIFT));
  tm__shared_add(&heap->usable_bytes, 0 - (uint64_t)page->reserved * page->block_bytes);
  tm__shared_add(&heap->page_count, (uint64_t)-1);
  page->freed = page->free; /* the last block that came home: a second free names it */
  tm__shared_add(&heap->released_bytes, tm__arena_release(tm__page_slice(page), slices, false));
}

void tm__page_attend(tm_page *page)
{
  tm__tag tag = tm__tag_read(tm__page_slice(page));
  tm__queue *queue = queue_of(page, tag);
  if (page->asleep) {
    page_awake(page);
    tm__queue_push(queue, page);
    return;
  }
  if (page == bin_of(page, tag)->active)
    return; /* only a flush gets here: its blocks are all in the bin or home */
  /* Empty. The last page with room stays, so that a block that comes and goes does not make and
   * unmake a page each time; runs for medium blocks are too big for that. */
  if (queue->length == 1 && queue->first == page && page->slices == 1)
    return;
  bool queued = page->prev || page->next || queue->first == page;
  if (queued)
    queue_remove(queue, page);
  page_release(page);
}

void tm__page_put(tm_page *page, tm__block *block)
{
  tm__tag tag = tm__tag_read(tm__page_slice(page));
  tm__bin *bin = bin_of(page, tag);
  if (page == bin->active) {
    block->next = bin->head;
    bin->head = block;
    return;
  }
  block->next = page->free;
  page->free = block;
  if (--page->wait == 0)
    tm__page_attend(page);
}

/* ---- Refilling a bin ------------------------------------------------------------------------ */

static tm_page *page_new(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes)
{
  bool zero;
  uint64_t fresh;
  uint32_t slices = bytes <= TM_SMALL_MAX ? 1 : TM_MEDIUM_SLICES;
  int64_t first = tm__arena_acquire(slices, 1, &zero, &fresh);
  if (first < 0)
    return NULL;
  tm_page *page = &tm__arena.pages[first];
  uint32_t reserved = slices * TM_SLICE / bytes;
  *page = (tm_page){.reserved = reserved, .block_bytes = bytes, .slices = slices, .shard = shard};
  tm_heap *heap = shard->heap;
  tm__shared_add(&heap->span_bytes, (uint64_t)slices << TM_SLICE_SHIFT);
  tm__shared_add(&heap->usable_bytes, (uint64_t)reserved * bytes);
  tm__shared_add(&heap->page_count, 1);
  tm__shared_add(&heap->acquired_bytes, fresh);
  unsigned kind = slices == 1 ? TM_KIND_PAGE : TM_KIND_MEDIUM;
  tm__arena_tag((uint32_t)first, 0, slices, tm__tag_make(kind, shard->id, pool, cls));
  return page;
}

/* true iff carve has something to make: holes to fill, or blocks that never were. */
static bool has_room(const tm_page *page)
{
  return page->holes || page->carved < page->reserved;
}

/* Makes the next blocks of a page, in address order: one OS page of them, or one big block. */
static tm__block *carve(tm_page *page)
{
  uint32_t count;
  if (page->holes) {
    tm__block *filled = tm__holes_fill(page, &count);
    page->wait += count;
    return filled;
  }
  uint32_t left = page->reserved - page->carved;
  count = TM_CARVE_BYTES / page->block_bytes;
  count = count == 0 ? 1 : count < left ? count : left;
  char *at = tm__page_address(page) + (size_t)page->carved * page->block_bytes;
  tm__block *first = (tm__block *)(void *)at;
  for (uint32_t i = 1; i < count; i++, at += page->block_bytes)
    ((tm__block *)(void *)at)->next = (tm__block *)(void *)(at + page->block_bytes);
  ((tm__block *)(void *)at)->next = NULL;
  page->carved += count;
  page->wait += count;
  return first;
}

/* Hands a page's free blocks to the bin. */
static void take_home(tm__bin *bin, tm_page *page)
{
  uint32_t out = out_of(page);
  bin->head = page->free;
  page->free = NULL;
  page->wait = page->carved - tm__holes_blocks(page);
  page->asleep = 0;
  tm_assert(page->wait > out);
  (void)out;
}

/* The active page has nothing left to hand out: where does it belong now? */
static void deactivate(tm__bin *bin, tm__queue *queue)
{
  tm_page *page = bin->active;
  bin->active = NULL;
  if (!page)
    return;
  tag_kind_set(page, TM_KIND_PAGE);
  if (has_room(page))
    tm__queue_push(queue, page);
  else
    page_sleep(page);
}

/* true iff blocks of the page came home, wherever they are now. */
static bool has_home(const tm_page *page)
{
  return page->free || page->holes;
}

/* The densest of the first pages with blocks at home, so that sparse ones can become empty; pages
 * that only have uncarved room come after. */
static tm_page *pick(const tm__queue *queue)
{
  tm_page *best = NULL;
  unsigned looked = 0;
  for (tm_page *page = queue->first; page && looked < TM_PICK_PAGES; page = page->next, looked++) {
    if (!best || (has_home(page) && (!has_home(best) || out_of(page) > out_of(best))))
      best = page;
  }
  return best;
}

bool tm__bin_refill(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes)
{
  tm__row *row = shard->rows[pool];
  tm__bin *bin = &row->bins[cls];
  tm__queue *queue = &row->queues[cls];
  tm__row_mark(row, cls);
  bin->block_bytes = bytes;
  bin->inverse = tm__inverse_of(bytes);
  bin->lent_bytes = 0;
  if (atomic_load_explicit(&shard->remote, memory_order_relaxed) && tm__shard_drain(shard) &&
      bin->head)
    return true;

  tm_page *page = pick(queue), *active = bin->active;
  if (active && has_room(active) && (active->holes || !(page && has_home(page)))) {
    bin->head = carve(active);
    return true;
  }
  if (page)
    queue_remove(queue, page);
  else if (!(page = page_new(shard, pool, cls, bytes)))
    return false;
  deactivate(bin, queue);
  activate(bin, page);
  if (page->free)
    take_home(bin, page);
  else
    bin->head = carve(page);
  return true;
}

void tm__block_put(tm__shard *shard, tm_page *page, tm__block *block)
{
  if (page->shard == shard)
    tm__page_put(page, block);
  else
    tm__shard_gather(shard, page->shard, block, page->block_bytes);
}

/* ---- Coming home from other threads --------------------------------------------------------- */

bool tm__shard_drain(tm__shard *shard)
{
  tm__block *block = atomic_exchange_explicit(&shard->remote, NULL, memory_order_acquire);
  if (!block)
    return false;
  while (block) {
    tm__block *next = block->next;
    tm__page_put(tm__page_of(block, tm__tag_read(tm__slice_of(block))), block);
    block = next;
  }
  return true;
}

/* ---- Quiet ---------------------------------------------------------------------------------- */

/* The bin's blocks go home to its page; the page is released, queued or put to sleep. */
static void bin_flush(tm__shard *shard, tm__bin *bin, tm__queue *queue)
{
  tm_page *page = bin->active;
  if (!page)
    return;
  tm__block *block = bin->head, *next;
  bin->active = NULL;
  bin->head = NULL;
  bin->lent_bytes = 0;
  tag_kind_set(page, TM_KIND_PAGE);
  page_awake(page);
  for (; block; block = next) {
    next = block->next;
    tm_page *home = tm__page_of(block, tm__tag_read(tm__slice_of(block)));
    if (home == page) { /* counted below: it may become empty only once */
      block->next = page->free;
      page->free = block;
      page->wait--;
    } else {
      tm__block_put(shard, home, block);
    }
  }
  if (out_of(page) == 0)
    page_release(page);
  else if (page->free || has_room(page))
    tm__queue_push(queue, page);
  else
    page_sleep(page);
}

static void release_empty(tm__queue *queue)
{
  for (tm_page *page = queue->first, *next; page; page = next) {
    next = page->next;
    if (out_of(page) == 0) {
      queue_remove(queue, page);
      page_release(page);
    }
  }
}

static void flush_cache(tm__row *row)
{
  tm__block *block = row->cache;
  row->cache = NULL;
  row->cached = 0;
  while (block) {
    tm__block *next = block->next;
    tm__page_put(tm__page_of(block, tm__tag_read(tm__slice_of(block))), block);
    block = next;
  }
}

void tm__shard_quiesce(tm__shard *shard)
{
  (void)tm__shard_drain(shard);
  for (unsigned pool = 0; pool <= TM_POOLS_MAX; pool++) {
    tm__row *row = shard->rows[pool];
    if (!row)
      continue;
    flush_cache(row);
    for (unsigned cls = 0; cls < TM_CLASSES; cls++) {
      if (!(atomic_load_explicit(&row->used[cls >> 6], memory_order_relaxed) >> (cls & 63) & 1))
        continue;
      bin_flush(shard, &row->bins[cls], &row->queues[cls]);
      release_empty(&row->queues[cls]);
    }
  }
  tm__shard_send(shard);
}

tm__row *tm__shard_row(tm__shard *shard, unsigned pool)
{
  tm__row *row = shard->rows[pool];
  if (tm_likely(row != NULL))
    return row;
  row = tm__row_new();
  if (!row)
    return NULL;
  tm__shared_add(&shard->heap->meta_bytes, sizeof *row);
  /* Readers of the books may look at the same time. */
  __atomic_store_n(&shard->rows[pool], row, __ATOMIC_RELEASE);
  return row;
}
