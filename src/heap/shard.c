/* shard.c - see shard.h. */
#include "heap/shard.h"

#include <string.h>

#include "base/assert.h"
#include "heap/arena.h"
#include "heap/credit.h"
#include "heap/holes.h"
#include "heap/quiesce.h"

tm__shard tm__empty_shard; /* all zero: it lies in .bss and is hardly touched */
_Atomic(tm__shard *) tm__shard_table[TM_SHARDS_MAX + 1];
TM_TLS tm__shard *tm__self = &tm__empty_shard;
static TM_TLS tm__shard *others; /* of heaps with many threads, but not the default */
static TM_TLS bool late;         /* the thread is past our destructor */

static pthread_key_t exit_key;
static _Atomic(bool) exit_key_made;

static struct {
  tm__lock lock;
  uint32_t made;
  tm__shard *unused;    /* structs of closed heaps, by next_idle; they keep their ids */
  tm__row *unused_rows; /* by cache */
} pool = {.lock = TM__LOCK_INIT};

/* Where in a page the row that malloc uses begins: its small bins are on that page, their queues
 * on the next. Not at 0, whose cache sets are those of the first blocks of all classes' pages. */
enum { C_ROW_AT = 384 };

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
    shard = tm__meta_alloc_placed(sizeof *shard, offsetof(tm__shard, own[TM_POOL_C]) - C_ROW_AT);
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
    shard->keys[row] = tm__tag_key(tm__tag_make(TM_KIND_PAGE, shard->id, row, 0));
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

tm__row *tm__row_new(void)
{
  tm__lock_acquire(&pool.lock);
  tm__row *row = pool.unused_rows;
  if (row)
    pool.unused_rows = (tm__row *)(void *)row->cache;
  tm__lock_release(&pool.lock);
  return row ? memset(row, 0, sizeof *row) : tm__meta_alloc(sizeof *row);
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

/* A closed heap's shard, or none's: a thread may look while another closes the heap. */
static tm_heap *heap_of(const tm__shard *shard)
{
  return __atomic_load_n(&shard->heap, __ATOMIC_RELAXED);
}

static void unuse_locked(tm__shard *shard)
{
  shard->next_idle = pool.unused;
  pool.unused = shard;
}

/* The heap's shards at the end of a thread. A heap that is being closed has them already. */
static void forget_others(void)
{
  tm__lock_acquire(&pool.lock);
  while (others) {
    tm__shard *shard = others;
    others = shard->next_of_thread;
    shard->listed = false;
    if (!shard->ended)
      leave(shard);
    else if (!heap_of(shard))
      unuse_locked(shard);
  }
  tm__lock_release(&pool.lock);
}

/* Takes the shards of closed heaps out of this thread's list. */
static void drop_ended_locked(void)
{
  for (tm__shard **at = &others; *at;) {
    tm__shard *shard = *at;
    if (heap_of(shard)) {
      at = &shard->next_of_thread;
      continue;
    }
    *at = shard->next_of_thread;
    unuse_locked(shard);
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

enum { LOOK_IDLE = 128 };

/* ---- Finding -------------------------------------------------------------------------------- */

/* Of the idle shards the one to which most has come back, else the one that has rested longest: a
 * shard that nobody takes keeps blocks that nobody can use. */
static tm__shard *pick_idle_locked(tm_heap *heap)
{
  tm__shard **best = &heap->idle;
  unsigned looked = 0;
  for (tm__shard **at = best; *at && looked < LOOK_IDLE; at = &(*at)->next_idle, looked++)
    if (atomic_load_explicit(&(*at)->remote_bytes, memory_order_relaxed) >=
        atomic_load_explicit(&(*best)->remote_bytes, memory_order_relaxed))
      best = at;
  tm__shard *shard = *best;
  if (shard)
    *best = shard->next_idle;
  return shard;
}

static tm__shard *adopt(tm_heap *heap)
{
  tm__lock_acquire(&heap->lock);
  tm__shard *shard = pick_idle_locked(heap);
  if (shard) {
    shard->idle = false;
    atomic_fetch_add(&heap->busy_shards, 1);
  }
  tm__lock_release(&heap->lock);
  return shard ? shard : tm__shard_new(heap);
}

tm__shard *tm__shard_of_others(tm_heap *heap)
{
  for (tm__shard *s = others; s; s = s->next_of_thread)
    if (heap_of(s) == heap)
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
    tm__lock_acquire(&pool.lock);
    drop_ended_locked();
    shard->listed = true;
    shard->next_of_thread = others;
    others = shard;
    tm__lock_release(&pool.lock);
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

/* ---- Idle shards, closing, fork ------------------------------------------------------------- */

void tm__shards_sweep_idle(tm_heap *heap, uint64_t *returned)
{
  /* Taken off the list while it is swept: page release takes the arena's lock, never this one. */
  tm__lock_acquire(&heap->lock);
  tm__shard *list = heap->idle;
  heap->idle = NULL;
  for (tm__shard *s = list; s; s = s->next_idle)
    s->idle = false; /* a fork that comes now finds it half swept */
  tm__lock_release(&heap->lock);
  for (tm__shard *s = list; s; s = s->next_idle) {
    tm__shard_quiesce(s);
    (void)tm__holes_make(s, returned);
  }
  tm__lock_acquire(&heap->lock);
  while (list) {
    tm__shard *s = list;
    list = s->next_idle;
    tm__credit_return_locked(s);
    s->idle = true;
    s->next_idle = heap->idle;
    heap->idle = s;
  }
  tm__lock_release(&heap->lock);
}

void tm__shards_end(tm_heap *heap)
{
  tm__lock_acquire(&pool.lock);
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next)
    s->ended = true;
  tm__lock_release(&pool.lock);
}

void tm__shards_recycle(tm_heap *heap)
{
  tm__lock_acquire(&pool.lock);
  for (tm__shard *s = atomic_load(&heap->shards), *next; s; s = next) {
    next = s->next;
    for (unsigned id = TM_POOLS_BUILT_IN; id <= TM_POOLS_MAX; id++) {
      if (!s->rows[id])
        continue;
      s->rows[id]->cache = (tm__block *)(void *)pool.unused_rows;
      pool.unused_rows = s->rows[id];
    }
    memset(s->keys, 0, sizeof s->keys);
    __atomic_store_n(&s->heap, NULL, __ATOMIC_RELAXED);
    if (!s->listed)
      unuse_locked(s);
  }
  atomic_store(&heap->shards, NULL);
  drop_ended_locked();
  tm__lock_release(&pool.lock);
}

void tm__shard_set_fill(tm_heap *heap, tm__shard_set *set)
{
  memset(set, 0, sizeof *set);
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next)
    set->bits[s->id / 64] |= (uint64_t)1 << (s->id % 64);
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
