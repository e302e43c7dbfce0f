/* remote.c - see remote.h. */
#include "heap/remote.h"

#include "heap/batch.h"
#include "heap/page.h"
#include "heap/shard.h"

/* ---- Sending -------------------------------------------------------------------------------- */

/* What all blocks of one owner, pool and class have in common, wherever they lie. */
static tm__tag address_of(tm__tag tag)
{
  const tm__tag offset = (tm__tag)0xffffff << 32, kind = (tm__tag)255 << 24;
  return tag & ~offset & ~kind;
}

static uint32_t block_bytes_of(const tm__block *block)
{
  return tm__page_of(block, tm__tag_read(tm__slice_of(block)))->block_bytes;
}

/* Blocks of one owner, pool and class. */
static void send(tm__tag to, tm__block *list, uint32_t count)
{
  tm__shard *owner =
      atomic_load_explicit(&tm__shard_table[tm__tag_shard(to)], memory_order_acquire);
  tm__row *row = __atomic_load_n(&owner->rows[tm__tag_pool(to)], __ATOMIC_ACQUIRE);
  _Atomic(tm__block *) *remote = &row->remote[tm__tag_class(to)];
  uint64_t bytes = (uint64_t)count * block_bytes_of(list);
  tm__block *head = atomic_load_explicit(remote, memory_order_relaxed);
  /* first the bytes: the owner never takes off more than was put on */
  atomic_fetch_add_explicit(&owner->remote_bytes, bytes, memory_order_relaxed);
  do {
    tm__batch_link(list, count, head);
  } while (!atomic_compare_exchange_weak_explicit(remote, &head, list, memory_order_release,
                                                  memory_order_relaxed));
}

static void send_out(tm__out *out)
{
  if (out->first)
    send(out->to, out->first, out->count);
  *out = (tm__out){0};
}

void tm__remote_send(tm__shard *shard)
{
  for (unsigned i = 0; i < TM_OUT_SLOTS; i++)
    send_out(&shard->out[i]);
}

void tm__remote_gather(tm__shard *shard, tm__tag tag, tm__block *block)
{
  tm__tag to = address_of(tag);
  tm__out *out = &shard->out[tm__remote_slot(to)];
  if (out->to != to) {
    send_out(out);
    out->to = to;
  }
  block->next = out->first;
  out->first = block;
  out->count++;
  if (out->count >= TM_LIST_MOST || out->count * block_bytes_of(block) >= TM_LIST_BYTES)
    send_out(out);
}

/* ---- Taking apart --------------------------------------------------------------------------- */

/* true iff all blocks of the list have the address of the first, another shard's. */
static bool all_theirs(const tm__shard *shard, const tm__block *list)
{
  tm__tag first = tm__tag_read(tm__slice_of(list));
  if (tm__tag_shard(first) == shard->id || tm__tag_kind(first) != TM_KIND_PAGE)
    return false;
  for (const tm__block *block = list->next; block; block = block->next)
    if (tm__tag_read(tm__slice_of(block)) != first)
      return false;
  return true;
}

/* Blocks of one page that follow each other in the list go home together; returns the rest. */
static tm__block *run_home(tm__shard *shard, tm__block *list)
{
  tm__tag tag = tm__tag_read(tm__slice_of(list));
  tm_page *page = tm__page_of(list, tag);
  uint32_t count = 1, slice = tm__slice_of(list);
  tm__block *last = list, *next = list->next;
  if (tm__tag_shard(tag) != shard->id) {
    tm__remote_gather(shard, tag, list);
    return next;
  }
  for (; next && tm__slice_of(next) == slice; next = next->next, count++)
    last = next;
  tm__page_put_run(page, list, last, count);
  return next;
}

void tm__list_home(tm__shard *shard, tm__block *list, uint32_t count)
{
  if (count > 1 && all_theirs(shard, list)) {
    send(address_of(tm__tag_read(tm__slice_of(list))), list, count);
    return;
  }
  while (list)
    list = run_home(shard, list);
}

/* ---- Receiving ------------------------------------------------------------------------------ */

tm__block *tm__remote_take(tm__shard *shard, tm__row *row, unsigned cls)
{
  if (!atomic_load_explicit(&row->remote[cls], memory_order_relaxed))
    return NULL;
  tm__block *first = atomic_exchange_explicit(&row->remote[cls], NULL, memory_order_acquire);
  uint64_t count = 0;
  for (const tm__block *batch = first; batch; batch = tm__batch_rest(batch))
    count += tm__batch_count(batch);
  if (first)
    atomic_fetch_sub_explicit(&shard->remote_bytes, count * block_bytes_of(first),
                              memory_order_relaxed);
  return first;
}

void tm__remote_home(tm__shard *shard, tm__row *row, unsigned cls)
{
  tm__block *batch = tm__remote_take(shard, row, cls);
  while (batch) {
    tm__block *list = batch;
    batch = tm__batch_rest(list);
    tm__list_home(shard, list, tm__batch_count(list));
  }
}

void tm__remote_all_home(tm__shard *shard)
{
  unsigned pools = atomic_load_explicit(&shard->heap->pool_count, memory_order_acquire);
  for (unsigned pool = 0; pool < pools; pool++) {
    tm__row *row = shard->rows[pool];
    for (unsigned cls = 0; row && cls < TM_CLASSES; cls++)
      tm__remote_home(shard, row, cls);
  }
}
