/* shard.c - see shard.h. */
#include "heap/shard.h"

#include <string.h>

#include "base/assert.h"
#include "heap/arena.h"
#include "heap/credit.h"
#include "heap/page.h"

tm__shard tm__empty_shard = {
  .rows = {&tm__empty_shard.own[0], &tm__empty_shard.own[1], &tm__empty_shard.own[2],
           &tm__empty_shard.own[3]},
};
_Atomic(tm__shard *) tm__shard_table[TM_SHARDS_MAX + 1];
TM_TLS tm__shard *tm__self = &tm__empty_shard;
static TM_TLS tm__shard *others; /* of heaps with many threads, but not the default */
static TM_TLS bool late;         /* the thread is past our destructor */

static pthread_key_t exit_key;
static _Atomic(bool) exit_key_made;

static struct {
  tm__lock lock;
  uint32_t made;
  tm__shard *unused; /* structs of closed heaps, by next_idle; they keep their ids */
} pool = {.lock = TM__LOCK_INIT};

/* ---- Making --------------------------------------------------------------------------------- */

static tm__shard *take_struct(void)
{
  tm__lock_acquire(&pool.lock);
  tm__shard *shard = pool.unused;
  if (shard)
    pool.unused = shard->next_idle;
  uint32_t id = shard ? shard->id : pool.made < TM_SHARDS_MAX ? ++pool.made : 0;
  tm__lock_release(&pool.lock);
  if (shard)
    memset(shard, 0, sizeof *shard); /* a new one is zero, and mostly never touched */
  else if (id)
    shard = tm__meta_alloc(sizeof *shard);
  if (!shard)
    return NULL;
  shard->id = id;
  atomic_store_explicit(&tm__shard_table[id], shard, memory_order_release);
  return shard;
}

tm__shard *tm__shard_new(tm_heap *heap)
{
  tm__shard *shard = take_struct();
  if (!shard)
    return NULL;
  shard->heap = heap;
  for (unsigned row = 0; row < TM_POOLS_BUILT_IN; row++) {
    shard->keys[row] = tm__tag_key(tm__tag_make(TM_KIND_ACTIVE, shard->id, row, 0));
    shard->rows[row] = &shard->own[row];
  }
  tm__shared_add(&heap->meta_bytes, sizeof *shard);
  tm__lock_acquire(&heap->lock);
  shard->next = atomic_load(&heap->shards);
  atomic_store_explicit(&heap->shards, shard, memory_order_release);
  tm__lock_release(&heap->lock);
  atomic_fetch_add(&heap->shard_count, 1);
  atomic_fetch_add(&heap->busy_shards, 1);
  return shard;
}

/* ---- Handing back --------------------------------------------------------------------------- */

/* The thread is done with the shard: everything home, credit back, free for adoption. */
static void leave(tm__shard *shard)
{
  tm_heap *heap = shard->heap;
  tm__shard_quiesce(shard);
  tm__lock_acquire(&heap->lock);
  tm__credit_return_locked(shard);
  shard->idle = true;
  shard->next_idle = heap->idle;
  heap->idle = shard;
  atomic_fetch_sub(&heap->busy_shards, 1);
  tm__lock_release(&heap->lock);
}

static void forget_others(void)
{
  while (others) {
    tm__shard *shard = others;
    others = shard->next_of_thread;
    if (shard->heap)
      leave(shard);
  }
}

static void at_thread_exit(void *unused)
{
  (void)unused;
  tm__shard *shard = tm__self;
  late = true;
  tm__self = &tm__empty_shard;
  if (shard != &tm__empty_shard)
    leave(shard);
  forget_others();
}

void tm__shard_key_init(void)
{
  if (pthread_key_create(&exit_key, at_thread_exit) == 0)
    atomic_store(&exit_key_made, true);
}

/* ---- Finding -------------------------------------------------------------------------------- */

static tm__shard *adopt(tm_heap *heap)
{
  tm__lock_acquire(&heap->lock);
  tm__shard *shard = heap->idle;
  if (shard) {
    heap->idle = shard->next_idle;
    shard->idle = false;
    atomic_fetch_add(&heap->busy_shards, 1);
  }
  tm__lock_release(&heap->lock);
  return shard ? shard : tm__shard_new(heap);
}

tm__shard *tm__shard_of_others(tm_heap *heap)
{
  for (tm__shard *s = others; s; s = s->next_of_thread)
    if (s->heap == heap)
      return s;
  return &tm__empty_shard;
}

tm__shard *tm__shard_get(tm_heap *heap)
{
  tm__shard *shard = tm__shard_peek(heap);
  if (tm_likely(shard != &tm__empty_shard))
    return shard;
  shard = adopt(heap);
  if (!shard || late)
    return shard;
  if (heap->is_default) {
    tm__self = shard;
  } else {
    shard->next_of_thread = others;
    others = shard;
  }
  /* Any value but NULL: the destructor looks at the thread-locals. It may call calloc, which
   * finds the shard in place. */
  if (atomic_load(&exit_key_made))
    (void)pthread_setspecific(exit_key, &late);
  return shard;
}

void tm__shard_put(tm__shard *shard)
{
  if (tm_unlikely(late) && !shard->heap->one)
    leave(shard);
}

/* ---- Frees for others ----------------------------------------------------------------------- */

static void send(tm__out *out)
{
  if (!out->first)
    return;
  _Atomic(tm__block *) *remote = &out->to->remote;
  tm__block *head = atomic_load_explicit(remote, memory_order_relaxed);
  do {
    out->last->next = head;
  } while (!atomic_compare_exchange_weak_explicit(remote, &head, out->first, memory_order_release,
                                                  memory_order_relaxed));
  *out = (tm__out){0};
}

void tm__shard_send(tm__shard *shard)
{
  for (unsigned i = 0; i < TM_OUT_SLOTS; i++)
    send(&shard->out[i]);
}

void tm__shard_gather(tm__shard *shard, tm__shard *to, tm__block *block, uint32_t block_bytes)
{
  tm__out *out = &shard->out[to->id % TM_OUT_SLOTS];
  if (out->to != to) {
    send(out);
    out->to = to;
  }
  block->next = out->first;
  out->first = block;
  if (!out->last)
    out->last = block;
  out->bytes += block_bytes;
  if (out->bytes >= TM_OUT_BYTES)
    send(out);
}

/* ---- Idle shards, closing, fork ------------------------------------------------------------- */

void tm__shards_sweep_idle(tm_heap *heap)
{
  /* Taken off the list while it is swept: page release takes the arena's lock, never this one. */
  tm__lock_acquire(&heap->lock);
  tm__shard *list = heap->idle;
  heap->idle = NULL;
  tm__lock_release(&heap->lock);
  for (tm__shard *s = list; s; s = s->next_idle)
    tm__shard_quiesce(s);
  tm__lock_acquire(&heap->lock);
  while (list) {
    tm__shard *s = list;
    list = s->next_idle;
    tm__credit_return_locked(s);
    s->next_idle = heap->idle;
    heap->idle = s;
  }
  tm__lock_release(&heap->lock);
}

void tm__shards_recycle(tm_heap *heap)
{
  tm__lock_acquire(&pool.lock);
  for (tm__shard *s = atomic_load(&heap->shards), *next; s; s = next) {
    next = s->next;
    bool linked = !heap->one && !s->idle; /* some thread's list still names it: never reuse */
    s->heap = NULL;
    memset(s->keys, 0, sizeof s->keys);
    if (!linked) {
      s->next_idle = pool.unused;
      pool.unused = s;
    }
  }
  atomic_store(&heap->shards, NULL);
  tm__lock_release(&pool.lock);
}

void tm__shards_fork_child(tm_heap *heap)
{
  tm__lock_init(&pool.lock);
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next) {
    bool mine = s == tm__self || s == heap->one || s->idle;
    for (tm__shard *o = others; o && !mine; o = o->next_of_thread)
      mine = o == s;
    s->orphan = !mine;
  }
}
