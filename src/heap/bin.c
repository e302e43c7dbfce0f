/* bin.c - see bin.h and the picture in types.h. */
#include "heap/bin.h"

#include "heap/batch.h"
#include "heap/page.h"
#include "heap/remote.h"

enum { CALM_MOST = 3 };

/* ---- One list ------------------------------------------------------------------------------- */

static void start(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes)
{
  tm__row *row = shard->rows[pool];
  tm__bin *bin = &row->bins[cls];
  uint32_t limit = TM_LIST_BYTES / bytes;
  limit = limit < TM_LIST_LEAST ? TM_LIST_LEAST : limit;
  row->queues[cls].limit = limit > TM_LIST_MOST ? TM_LIST_MOST : limit;
  bin->block_bytes = bytes;
  bin->inverse = tm__inverse_of(bytes);
  if (!bin->far_key)
    bin->far_key = TM_NO_KEY;
  tm__row_mark(row, cls);
}

/* How many frees until the list may be too long: a bin whose list was short each time that it was
 * looked at is looked at less often. */
static void arm(tm__bin *bin, const tm__queue *queue, uint64_t length)
{
  uint64_t room = queue->direct || length >= queue->limit ? 0 : queue->limit - length;
  bin->full_at = tm__counter_own(&bin->books.frees) + (room << queue->calm);
}

/* The bin hands out this list, which is all that it has. */
static void load(tm__bin *bin, const tm__queue *queue, tm__block *list, uint32_t count)
{
  bin->head = list;
  bin->foreign = 0;
  bin->base += count - tm__bin_length(bin);
  arm(bin, queue, count);
}

/* ---- Lists put aside ------------------------------------------------------------------------ */

static bool stash_push(tm__shard *shard, tm__bin *bin, tm__queue *queue, tm__block *list,
                       uint32_t count, uint32_t most)
{
  uint32_t bytes = count * bin->block_bytes;
  if (queue->stash_bytes + bytes > most || shard->stashed_bytes + bytes > TM_STASHED_MOST)
    return false;
  tm__batch_link(list, count, bin->stash);
  bin->stash = list;
  queue->stash_bytes += bytes;
  shard->stashed_bytes += bytes;
  return true;
}

static tm__block *stash_pop(tm__shard *shard, tm__bin *bin, tm__queue *queue, uint32_t *count)
{
  tm__block *list = bin->stash;
  *count = tm__batch_count(list);
  bin->stash = tm__batch_rest(list);
  queue->stash_bytes -= *count * bin->block_bytes;
  shard->stashed_bytes -= *count * bin->block_bytes;
  return list;
}

/* ---- Filling -------------------------------------------------------------------------------- */

/* Batches that came back: the first is the new list, others are put aside as far as there is room
 * for them. false iff none came. */
static bool receive(tm__shard *shard, unsigned pool, unsigned cls)
{
  tm__row *row = shard->rows[pool];
  tm__bin *bin = &row->bins[cls];
  tm__queue *queue = &row->queues[cls];
  tm__block *batch = tm__remote_take(shard, row, cls);
  if (!batch)
    return false;
  tm__block *rest = tm__batch_rest(batch);
  load(bin, queue, batch, tm__batch_count(batch));
  while (rest) {
    tm__block *list = rest;
    uint32_t count = tm__batch_count(list);
    rest = tm__batch_rest(list);
    if (!stash_push(shard, bin, queue, list, count, TM_STASHED_MOST))
      tm__list_home(shard, list, count);
  }
  return true;
}

bool tm__bin_reload(tm__shard *shard, unsigned pool, unsigned cls)
{
  tm__row *row = shard->rows[pool];
  tm__bin *bin = &row->bins[cls];
  tm__queue *queue = &row->queues[cls];
  if (bin->stash) {
    uint32_t count;
    tm__block *list = stash_pop(shard, bin, queue, &count);
    load(bin, queue, list, count);
    bin->foreign = queue->stash_foreign;
    queue->stash_foreign &= bin->stash != NULL;
    return true;
  }
  uint64_t back = atomic_load_explicit(&shard->remote_bytes, memory_order_relaxed);
  if (tm_unlikely(back > TM_REMOTE_MOST)) {
    tm__remote_all_home(shard);
    return false;
  }
  return back && receive(shard, pool, cls);
}

bool tm__bin_refill(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes)
{
  tm__bin *bin = &shard->rows[pool]->bins[cls];
  uint32_t count;
  if (tm_unlikely(!bin->block_bytes))
    start(shard, pool, cls, bytes);
  if (tm__bin_reload(shard, pool, cls))
    return true;
  tm__block *list = tm__pages_supply(shard, pool, cls, &count);
  if (!list)
    return false;
  load(bin, &shard->rows[pool]->queues[cls], list, count);
  return true;
}

/* ---- Emptying ------------------------------------------------------------------------------- */

TM_NOINLINE void tm__bin_overflow(tm__shard *shard, unsigned pool, unsigned cls)
{
  tm__row *row = shard->rows[pool];
  tm__bin *bin = &row->bins[cls];
  tm__queue *queue = &row->queues[cls];
  tm__block *last = bin->head;
  if (tm_unlikely(!bin->block_bytes))
    start(shard, pool, cls, tm__class_bytes[cls]); /* others' blocks: of a built-in pool */
  uint64_t length = tm__bin_length(bin);
  if (tm_unlikely(queue->direct)) {
    queue->direct--;
    bin->head = last->next;
    last->next = NULL;
    bin->base--;
    arm(bin, queue, length - 1);
    tm__list_home(shard, last, 1);
    return;
  }
  if (length <= queue->limit) {
    if (queue->calm < CALM_MOST)
      queue->calm++;
    arm(bin, queue, length);
    return;
  }
  queue->calm = 0;
  /* A thread that only frees must not keep what others could use. */
  uint64_t allocs = tm__counter_own(&bin->books.allocs);
  bool home = bin->foreign && allocs - queue->allocs_seen < queue->limit;
  queue->allocs_seen = allocs;
  queue->stash_foreign |= bin->foreign && !home;
  tm__block *list = last->next;
  last->next = NULL;
  load(bin, queue, last, 1);
  bin->foreign = tm__tag_shard(tm__tag_read(tm__slice_of(last))) != shard->id;
  if (home || !stash_push(shard, bin, queue, list, (uint32_t)length - 1, TM_STASH_BYTES))
    tm__list_home(shard, list, (uint32_t)length - 1);
}

void tm__bin_flush(tm__shard *shard, unsigned pool, unsigned cls)
{
  tm__row *row = shard->rows[pool];
  tm__bin *bin = &row->bins[cls];
  tm__queue *queue = &row->queues[cls];
  uint32_t count = (uint32_t)tm__bin_length(bin);
  tm__block *list = bin->head;
  if (!bin->block_bytes)
    return;
  load(bin, queue, NULL, 0);
  tm__list_home(shard, list, count);
  while (bin->stash) {
    list = stash_pop(shard, bin, queue, &count);
    tm__list_home(shard, list, count);
  }
  tm__remote_home(shard, row, cls);
}
