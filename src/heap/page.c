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

void tm__page_release(tm_page *page)
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

/* So many blocks came home that the owner must look: a full page has room again, or a page is
 * empty. */
TM_NOINLINE static void page_attend(tm_page *page)
{
  tm__queue *queue = queue_of(page, tm__tag_read(tm__page_slice(page)));
  bool woken = page->asleep != 0;
  page_awake(page);
  if (page == queue->active)
    return; /* the next refill takes what is home */
  if (woken)
    tm__queue_push(queue, page);
  if (page->wait)
    return;
  /* Empty. The last page with room stays, so that a block that comes and goes does not make and
   * unmake a page each time; runs for medium blocks are too big for that. */
  if (queue->length == 1 && queue->first == page && page->slices == 1)
    return;
  bool queued = page->prev || page->next || queue->first == page;
  if (queued)
    queue_remove(queue, page);
  tm__page_release(page);
}

void tm__page_put_run(tm_page *page, tm__block *first, tm__block *last, uint32_t count)
{
  last->next = page->free;
  page->free = first;
  if (tm_likely(page->wait > count)) {
    page->wait -= count;
    return;
  }
  page->asleep -= count - page->wait;
  page->wait = 0;
  page_attend(page);
}

void tm__page_put(tm_page *page, tm__block *block)
{
  tm__page_put_run(page, block, block, 1);
}

/* ---- Supplying a bin ------------------------------------------------------------------------ */

static uint32_t slices_for(uint32_t bytes)
{
  return bytes <= TM_SMALL_MAX ? 1 : TM_MEDIUM_SLICES;
}

tm_page *tm__page_new(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes, unsigned kind)
{
  bool zero;
  uint64_t fresh;
  uint32_t slices = slices_for(bytes);
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
  tm__arena_tag((uint32_t)first, 0, slices, tm__tag_make(kind, shard->id, pool, cls));
  return page;
}

static tm_page *page_fresh(tm__shard *shard, unsigned pool, unsigned cls)
{
  const tm__bin *bin = &shard->rows[pool]->bins[cls];
  bool one = slices_for(bin->block_bytes) == 1;
  tm_page *page =
      tm__page_new(shard, pool, cls, bin->block_bytes, one ? TM_KIND_PAGE : TM_KIND_MEDIUM);
  /* Below zero where other threads' blocks are freed here. */
  int64_t in_use =
      (int64_t)(tm__counter_own(&bin->books.allocs) - tm__counter_own(&bin->books.frees));
  if (page && one && in_use * bin->block_bytes >= TM_GROWN_BYTES)
    tm__os_populate(tm__page_address(page), TM_SLICE);
  return page;
}

/* true iff carve has something to make: holes to fill, or blocks that never were. */
static bool has_room(const tm_page *page)
{
  return page->holes || page->carved < page->reserved;
}

/* Makes the next blocks of a page, in address order: one OS page of them, or one big block. */
static tm__block *carve(tm_page *page, uint32_t *count)
{
  if (page->holes) {
    tm__block *filled = tm__holes_fill(page, count);
    page->wait += *count;
    return filled;
  }
  uint32_t left = page->reserved - page->carved, some = TM_CARVE_BYTES / page->block_bytes;
  some = some == 0 ? 1 : some < left ? some : left;
  char *at = tm__page_address(page) + (size_t)page->carved * page->block_bytes;
  tm__block *first = (tm__block *)(void *)at;
  for (uint32_t i = 1; i < some; i++, at += page->block_bytes)
    ((tm__block *)(void *)at)->next = (tm__block *)(void *)(at + page->block_bytes);
  ((tm__block *)(void *)at)->next = NULL;
  page->carved += some;
  page->wait += some;
  *count = some;
  return first;
}

/* A page's free blocks, all of them. */
static tm__block *take_home(tm_page *page, uint32_t *count)
{
  tm__block *list = page->free;
  uint32_t out = out_of(page);
  page->free = NULL;
  page->wait = page->carved - tm__holes_blocks(page);
  page->asleep = 0;
  *count = page->wait - out;
  tm_assert(*count > 0);
  return list;
}

/* The active page has nothing left to hand out: where does it belong now? */
static void deactivate(tm__queue *queue)
{
  tm_page *page = queue->active;
  queue->active = NULL;
  if (!page)
    return;
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

tm__block *tm__pages_supply(tm__shard *shard, unsigned pool, unsigned cls, uint32_t *count)
{
  tm__row *row = shard->rows[pool];
  tm__queue *queue = &row->queues[cls];
  tm_page *active = queue->active;
  if (active && active->free)
    return take_home(active, count);
  tm_page *page = pick(queue);
  if (active && has_room(active) && (active->holes || !(page && has_home(page))))
    return carve(active, count);
  if (page)
    queue_remove(queue, page);
  else if (!(page = page_fresh(shard, pool, cls)))
    return NULL;
  deactivate(queue);
  queue->active = page;
  return page->free ? take_home(page, count) : carve(page, count);
}

/* ---- Quiet ---------------------------------------------------------------------------------- */

void tm__queue_quiesce(tm__queue *queue)
{
  tm_page *active = queue->active;
  queue->active = NULL;
  if (active && (active->free || has_room(active) || out_of(active) == 0)) {
    page_awake(active);
    tm__queue_push(queue, active);
  } else if (active) {
    page_sleep(active);
  }
  for (tm_page *page = queue->first, *next; page; page = next) {
    next = page->next;
    if (out_of(page) == 0) {
      queue_remove(queue, page);
      tm__page_release(page);
    }
  }
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
