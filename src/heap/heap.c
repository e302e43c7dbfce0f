/* heap.c - making, finding and ending heaps; start-up and fork. */
#include "heap/heap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "heap/arena.h"
#include "heap/compact.h"
#include "heap/credit.h"
#include "heap/page.h"
#include "heap/pool.h"
#include "heap/safepoint.h"
#include "heap/sample.h"
#include "heap/shard.h"

/* Zero until start-up, so that it lies in .bss: a small program touches a few of its pages only. */
tm_heap tm__default_heap;

static struct {
  tm__lock lock;
  _Atomic(unsigned) count; /* slots ever used */
  tm_heap *unused;         /* structs of closed heaps */
  _Atomic(int) started;    /* 0 no, 1 on its way, 2 yes */
  pthread_t starter;
} table = {.lock = TM__LOCK_INIT};
static _Atomic(tm_heap *) heaps[TM_HEAPS_MAX]; /* by slot; the first one is not used: see below */

/* Slot 0 is the default heap, whether it says so or not: a small program writes no page for it. */
static tm_heap *heap_in(unsigned slot)
{
  return slot ? atomic_load(&heaps[slot]) : &tm__default_heap;
}

/* ---- Start-up ------------------------------------------------------------------------------- */

static void fork_prepare(void)
{
  tm__lock_acquire(&table.lock);
  for (unsigned i = 0; i < atomic_load(&table.count); i++) {
    tm_heap *heap = heap_in(i);
    if (!heap)
      continue;
    tm__lock_acquire(&heap->handles_lock);
    tm__lock_acquire(&heap->tags_lock);
    tm__lock_acquire(&heap->lock);
  }
  tm__sampled_fork_prepare();
  tm__arena_fork_prepare();
}

static void fork_parent(void)
{
  tm__arena_fork_release();
  tm__sampled_fork_parent();
  for (unsigned i = 0; i < atomic_load(&table.count); i++) {
    tm_heap *heap = heap_in(i);
    if (!heap)
      continue;
    tm__lock_release(&heap->lock);
    tm__lock_release(&heap->tags_lock);
    tm__lock_release(&heap->handles_lock);
  }
  tm__lock_release(&table.lock);
}

/* The child's only thread is the one that took the locks. */
static void fork_child(void)
{
  tm__arena_fork_child();
  tm__sampled_fork_child();
  for (unsigned i = 0; i < atomic_load(&table.count); i++) {
    tm_heap *heap = heap_in(i);
    if (!heap)
      continue;
    tm__lock_release(&heap->lock);
    tm__lock_release(&heap->tags_lock);
    tm__lock_release(&heap->handles_lock);
    tm__shards_fork_child(heap);
    tm__engine_fork_child(&heap->engine);
    tm__membership_fork_child(&heap->membership);
  }
  tm__lock_release(&table.lock);
}

/* Handlers run in the reverse order of their registration before a fork, so ours must be older than
 * any that allocates: it is registered before the program's constructors run, not at first use. */
__attribute__((constructor(101))) static void register_fork(void)
{
  static _Atomic(bool) registered;
  if (!atomic_exchange(&registered, true))
    (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}

static bool startup_locked(void)
{
  /* What needs no memory comes first, once: without any, the default heap refuses, but answers. */
  if (!atomic_load(&table.count)) {
    tm_heap *heap = &tm__default_heap;
    tm__name_copy(heap->name, sizeof heap->name, "default");
    heap->threads = TM_MANY_THREADS;
    heap->is_default = true;
    tm__lock_init(&heap->lock);
    tm__lock_init(&heap->tags_lock);
    tm__lock_init(&heap->handles_lock);
    tm__pools_init(&tm__default_heap);
    (void)tm__safepoint_init(&tm__default_heap, NULL);
    atomic_store(&table.count, 1);
  }
  if (!tm__arena_init())
    return false;
  tm__shard_key_init();
  return true;
}

TM_SLOW static bool start(void)
{
  tm__lock_acquire(&table.lock);
  if (atomic_load(&table.started) == 2) {
    tm__lock_release(&table.lock);
    return true;
  }
  bool there = startup_locked();
  atomic_store(&table.started, there ? 2 : 0);
  tm__lock_release(&table.lock);
  /* Outside the lock: it may allocate, and then finds the heap started. */
  if (there)
    register_fork(); /* of an archive's constructors another may have come first */
  return there;
}

bool tm__heap_startup(void)
{
  return tm_likely(atomic_load_explicit(&table.started, memory_order_acquire) == 2) || start();
}

tm_heap *tm_heap_default(void)
{
  (void)tm__heap_startup();
  return &tm__default_heap;
}

/* ---- The table ------------------------------------------------------------------------------ */

tm_heap *tm__heap_slot(unsigned slot)
{
  return slot < atomic_load(&table.count) ? heap_in(slot) : NULL;
}

tm_heap *tm_heap_at(size_t index)
{
  for (unsigned slot = 0; slot < atomic_load(&table.count); slot++) {
    tm_heap *heap = heap_in(slot);
    if (heap && index-- == 0)
      return heap;
  }
  return NULL;
}

void tm__heap_rearm_all(void)
{
  tm__lock_acquire(&table.lock);
  for (unsigned slot = 0; slot < atomic_load(&table.count); slot++) {
    tm_heap *heap = heap_in(slot);
    if (heap)
      tm__credit_rearm(heap);
  }
  tm__lock_release(&table.lock);
}

uint64_t tm__heap_meta_elsewhere(const tm_heap *heap)
{
  uint64_t bytes = 0;
  tm__lock_acquire(&table.lock); /* a heap that is in the table is not being made or ended */
  for (unsigned slot = 0; slot < atomic_load(&table.count); slot++) {
    const tm_heap *other = heap_in(slot);
    if (other && other != heap)
      bytes += tm__counter_read(&other->meta_bytes);
  }
  tm__lock_release(&table.lock);
  return bytes;
}

const char *tm_heap_name(const tm_heap *heap)
{
  return heap ? heap->name : "";
}

/* ---- Making and ending ---------------------------------------------------------------------- */

void tm_heap_config_init(tm_heap_config *config)
{
  *config = (tm_heap_config){
      .size = sizeof *config, .name = "heap", .delivery = TM_DEFERRED, .threads = TM_ONE_THREAD};
}

static bool valid(const tm_heap_config *config)
{
  if (config->size == 0 || config->size > sizeof *config)
    return false;
  if (config->delivery != TM_DEFERRED && config->delivery != TM_SYNCHRONOUS)
    return false;
  if (config->threads != TM_ONE_THREAD && config->threads != TM_MANY_THREADS)
    return false;
  uint64_t soft = config->soft_limit_bytes, hard = config->hard_limit_bytes;
  return soft <= INT64_MAX && hard <= INT64_MAX && (!hard || soft <= hard);
}

static tm_heap *take_struct(void)
{
  tm__lock_acquire(&table.lock);
  tm_heap *heap = table.unused;
  if (heap)
    table.unused = heap->next_unused;
  tm__lock_release(&table.lock);
  return heap ? heap : tm__meta_alloc(sizeof(tm_heap));
}

/* Puts the heap into the table; false iff it is full. */
static bool enter(tm_heap *heap)
{
  bool entered = false;
  tm__lock_acquire(&table.lock);
  for (unsigned slot = 1; slot < TM_HEAPS_MAX && !entered; slot++) {
    if (atomic_load(&heaps[slot]))
      continue;
    heap->slot = slot;
    atomic_store(&heaps[slot], heap);
    if (slot >= atomic_load(&table.count))
      atomic_store(&table.count, slot + 1);
    entered = true;
  }
  tm__lock_release(&table.lock);
  return entered;
}

static void recycle_struct(tm_heap *heap)
{
  tm__lock_acquire(&table.lock);
  if (heap->slot && atomic_load(&heaps[heap->slot]) == heap)
    atomic_store(&heaps[heap->slot], NULL);
  heap->next_unused = table.unused;
  table.unused = heap;
  tm__lock_release(&table.lock);
}

static void heap_init(tm_heap *heap, const tm_heap_config *config)
{
  memset(heap, 0, sizeof *heap);
  tm__name_copy(heap->name, sizeof heap->name, config->name ? config->name : "heap");
  heap->delivery = config->delivery;
  heap->threads = config->threads;
  tm__lock_init(&heap->lock);
  tm__lock_init(&heap->tags_lock);
  tm__lock_init(&heap->handles_lock);
  tm__shared_add(&heap->meta_bytes, sizeof *heap);
  tm__pools_init(heap);
}

int tm_heap_new(tm_heap **out, const tm_heap_config *config)
{
  tm_heap_config defaults;
  tm_heap_config_init(&defaults);
  config = config ? config : &defaults;
  if (!out || !valid(config))
    return TM_EINVAL;
  tm_heap *heap = tm__heap_startup() ? take_struct() : NULL;
  if (!heap)
    return TM_ENOMEM;
  heap_init(heap, config);
  int error = tm__safepoint_init(heap, config);
  if (!error && heap->threads == TM_ONE_THREAD && !(heap->one = tm__shard_new(heap)))
    error = TM_ENOMEM;
  if (!error && !enter(heap))
    error = TM_ENOMEM;
  if (error) {
    (void)tm__engine_close(&heap->engine);
    tm__shards_recycle(heap);
    recycle_struct(heap);
    return error;
  }
  *out = heap;
  return 0;
}

/* Every run of this heap goes back to the arena. */
static void release_runs(tm_heap *heap)
{
  tm__shard_set ours;
  uint32_t top = tm__arena_top();
  tm__shard_set_fill(heap, &ours);
  for (uint32_t slice = 0; slice < top; slice++) {
    tm__tag tag = tm__tag_read(slice);
    if (tm__tag_kind(tag) == TM_KIND_FREE || tm__tag_offset(tag) || !tm__shard_set_has(&ours, tag))
      continue;
    tm_page *page = &tm__arena.pages[slice];
    page->freed = NULL;
    (void)tm__arena_release(slice, page->slices, false); /* the heap's own books end here */
  }
}

int tm_heap_close(tm_heap *heap)
{
  if (!heap || heap->is_default)
    return TM_EINVAL;
  int error = tm__engine_close(&heap->engine);
  if (error)
    return error;
  (void)tm__membership_leave(&heap->membership);
  if (tm__counter_read(&heap->engine.soft_bytes))
    tm__arena_keep_set(UINT64_MAX); /* what its limit left for dirt; others set theirs again */
  tm__shards_end(heap);
  tm__sampled_close(heap);
  release_runs(heap);
  tm__handles_close(heap);
  tm__shards_recycle(heap);
  recycle_struct(heap);
  return 0;
}

/* ---- Small services ------------------------------------------------------------------------- */

void *tm__heap_fail(tm_heap *heap, tm_fail reason)
{
  tm__shared_add(&heap->failures[reason], 1);
  errno = ENOMEM;
  return NULL;
}

uint64_t tm__heap_tick(tm_heap *heap)
{
  uint64_t released = tm__arena_tick(tm__os_now_ns());
  if (released)
    tm__shared_add(&heap->released_bytes, released);
  return tm__arena_dirty_bytes();
}
