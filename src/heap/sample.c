/* sample.c - see sample.h. The functions of profile.h that start and stop are here too. */
#include "heap/sample.h"

#include <errno.h>
#include <tidemark/profile.h>

#include "base/assert.h"
#include "heap/credit.h"
#include "heap/heap.h"
#include "heap/page.h"
#include "heap/pool.h"
#include "heap/shard.h"
#include "profile/sampler.h"
#include "profile/tables.h"

_Atomic(uint32_t) tm__profiling;

enum { HEADS = 64 };
static tm_page *heads[HEADS]; /* pages with room, by owner and class. Guarded by the tables' lock */
static _Atomic(uint64_t) mean, seed;
static _Atomic(bool) seed_is_set;
static tm__lock control = TM__LOCK_INIT; /* one start, stop or close at a time */
static uint32_t starts;
static TM_TLS bool busy; /* this thread takes a stack: what that allocates is not sampled */

/* ---- Sample points -------------------------------------------------------------------------- */

uint64_t tm__sampled_room(tm__shard *shard, uint64_t bytes, uint64_t quantum)
{
  uint32_t now = atomic_load_explicit(&tm__profiling, memory_order_acquire);
  uint64_t gross = tm__counter_own(&shard->wire.gross);
  uint64_t mean_bytes = atomic_load_explicit(&mean, memory_order_relaxed);
  if (shard->sample_start != now) {
    shard->sample_start = now;
    shard->sample_seed = atomic_load(&seed) + shard->id * 0xd1342543de82ef95u;
    shard->sample_at = gross - bytes + tm__sampler_gap(&shard->sample_seed, mean_bytes);
  }
  shard->sample_hit = gross > shard->sample_at && !busy;
  if (gross > shard->sample_at)
    shard->sample_at = gross + tm__sampler_gap(&shard->sample_seed, mean_bytes);
  uint64_t room = shard->sample_at - gross;
  return quantum < room ? quantum : room;
}

/* ---- Pages of sampled blocks ---------------------------------------------------------------- */

static tm_page **head_for(const tm_heap *heap, unsigned pool, unsigned cls)
{
  return &heads[(heap->slot * 31 + pool * 7 + cls) % HEADS];
}

static tm_page **head_of(const tm_page *page)
{
  tm__tag tag = tm__tag_read(tm__page_slice(page));
  return head_for(page->shard->heap, tm__tag_pool(tag), tm__tag_class(tag));
}

static void link_page(tm_page *page)
{
  tm_page **head = head_of(page);
  page->prev = NULL;
  page->next = *head;
  if (*head)
    (*head)->prev = page;
  *head = page;
}

static void unlink_page(tm_page *page)
{
  if (page->prev)
    page->prev->next = page->next;
  else
    *head_of(page) = page->next;
  if (page->next)
    page->next->prev = page->prev;
  page->next = page->prev = NULL;
}

static bool is_full(const tm_page *page)
{
  return !page->free && page->carved == page->reserved;
}

/* A page with room for blocks of that kind; made if there is none. */
static tm_page *page_for(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes)
{
  for (tm_page *page = *head_for(shard->heap, pool, cls); page; page = page->next) {
    tm__tag tag = tm__tag_read(tm__page_slice(page));
    if (page->shard->heap == shard->heap && tm__tag_pool(tag) == pool && tm__tag_class(tag) == cls)
      return page;
  }
  tm_page *made = tm__page_new(shard, pool, cls, bytes, TM_KIND_SAMPLED);
  if (made)
    link_page(made);
  return made;
}

static tm__block *pop(tm_page *page)
{
  tm__block *block = page->free;
  if (block)
    page->free = block->next;
  else
    block =
        (tm__block *)(void *)(tm__page_address(page) + (size_t)page->carved++ * page->block_bytes);
  page->wait++;
  if (is_full(page))
    unlink_page(page);
  return block;
}

static void push(tm_page *page, tm__block *block)
{
  if (is_full(page))
    link_page(page);
  block->next = page->free;
  page->free = block;
  /* While samples are taken an empty page stays: the next block would make it again. */
  if (--page->wait || tm__sampling())
    return;
  unlink_page(page);
  tm__page_release(page);
}

void tm__sampled_trim(const tm_heap *heap)
{
  tm__lock_acquire(&tm__tables.lock);
  for (unsigned i = 0; i < HEADS; i++)
    for (tm_page *page = heads[i], *next; page; page = next) {
      next = page->next;
      if (page->wait || (heap && page->shard->heap != heap))
        continue;
      unlink_page(page);
      tm__page_release(page);
    }
  tm__lock_release(&tm__tables.lock);
}

tm__block *tm__sampled_take(tm__shard *shard, unsigned pool, unsigned cls, uint32_t bytes)
{
  tm__lock_acquire(&tm__tables.lock);
  tm_page *page = page_for(shard, pool, cls, bytes);
  tm__block *block = page ? pop(page) : NULL;
  if (block && !tm__tables_enter(block)) {
    push(page, block);
    block = NULL;
  }
  tm__lock_release(&tm__tables.lock);
  if (block)
    tm__row_mark(shard->rows[pool], cls);
  return block;
}

bool tm__sampled_take_large(void *p)
{
  tm_page *page = &tm__arena.pages[tm__slice_of(p)];
  tm__lock_acquire(&tm__tables.lock);
  page->reserved = tm__tables_enter(p);
  tm__lock_release(&tm__tables.lock);
  return page->reserved;
}

void tm__sampled_note(tm__shard *shard, unsigned pool, const void *p, uint64_t bytes,
                      uint64_t charged)
{
  int saved = errno;
  tm__stack stack;
  tm__owner owner;
  tm__sample sample = {.address = p, .bytes = bytes, .charged = charged};
  shard->sample_hit = false;
  busy = true;
  tm__stack_take(&stack);
  busy = false;
  tm__name_copy(owner.heap, sizeof owner.heap, shard->heap->name);
  tm__name_copy(owner.pool, sizeof owner.pool, shard->heap->pools[pool].name);
  tm__lock_acquire(&tm__tables.lock);
  tm__tables_describe(&sample, &owner, &stack);
  tm__lock_release(&tm__tables.lock);
  errno = saved;
}

void tm__sampled_put(tm_page *page, tm__block *block)
{
  uint32_t bytes = page->block_bytes;
  tm__lock_acquire(&tm__tables.lock);
  bool known = tm__tables_remove(block);
  if (known)
    push(page, block);
  tm__lock_release(&tm__tables.lock);
  if (!known)
    tm__fatal("double free: %p, %u bytes", (void *)block, bytes);
}

void tm__sampled_forget_large(const tm_page *page)
{
  tm__lock_acquire(&tm__tables.lock);
  (void)tm__tables_remove(tm__page_address(page));
  tm__lock_release(&tm__tables.lock);
}

uint64_t tm__sampled_charged(const void *p)
{
  tm__lock_acquire(&tm__tables.lock);
  const tm__sample *sample = tm__tables_find(p);
  uint64_t charged = sample ? sample->charged : 0;
  tm__lock_release(&tm__tables.lock);
  return charged;
}

/* ---- Closing, fork -------------------------------------------------------------------------- */

static bool is_of(void *ours, const void *address)
{
  return tm__shard_set_has(ours, tm__tag_read(tm__slice_of(address)));
}

void tm__sampled_close(tm_heap *heap)
{
  tm__shard_set ours;
  tm__shard_set_fill(heap, &ours);
  tm__lock_acquire(&tm__tables.lock);
  tm__tables_remove_if(is_of, &ours);
  for (unsigned i = 0; i < HEADS; i++)
    for (tm_page *page = heads[i], *next; page; page = next) {
      next = page->next;
      if (page->shard->heap == heap)
        unlink_page(page);
    }
  tm__lock_release(&tm__tables.lock);
}

void tm__sampled_fork_prepare(void)
{
  tm__lock_acquire(&control);
  tm__lock_acquire(&tm__tables.reading);
  tm__lock_acquire(&tm__tables.lock);
}

void tm__sampled_fork_parent(void)
{
  tm__lock_release(&tm__tables.lock);
  tm__lock_release(&tm__tables.reading);
  tm__lock_release(&control);
}

/* Locks of the loader may be held by threads that are gone: no stack is taken here. */
void tm__sampled_fork_child(void)
{
  atomic_store(&tm__profiling, 0);
  tm__tables.running = false;
  tm__lock_release(&tm__tables.lock);
  tm__lock_release(&tm__tables.reading);
  tm__lock_release(&control);
}

/* ---- profile.h ------------------------------------------------------------------------------ */

void tm__sampled_seed_set(uint64_t value)
{
  atomic_store(&seed, value);
  atomic_store(&seed_is_set, true);
}

static int start_locked(uint64_t mean_bytes)
{
  if (atomic_load(&tm__profiling))
    return TM_EBUSY;
  if (!atomic_load(&seed_is_set))
    atomic_store(&seed, tm__os_now_ns());
  tm__lock_acquire(&tm__tables.reading);
  tm__lock_acquire(&tm__tables.lock);
  int error = tm__tables_start(mean_bytes);
  tm__lock_release(&tm__tables.lock);
  tm__lock_release(&tm__tables.reading);
  atomic_store(&mean, mean_bytes);
  if (!error)
    atomic_store_explicit(&tm__profiling, ++starts, memory_order_release);
  return error;
}

int tm_profile_start(uint64_t mean_bytes)
{
  if (!TM_ACCOUNTING)
    return TM_ENOTSUP;
  if (mean_bytes > TM_PROFILE_MEAN_MOST)
    return TM_EINVAL;
  if (!tm__heap_startup())
    return TM_ENOMEM;
  tm__stack_prepare();
  tm__lock_acquire(&control);
  int error = start_locked(mean_bytes ? mean_bytes : TM_PROFILE_MEAN_BYTES);
  tm__lock_release(&control);
  if (!error)
    tm__heap_rearm_all(); /* what was granted before goes past the first sample points */
  return error;
}

int tm_profile_stop(void)
{
  tm__lock_acquire(&control);
  bool on = atomic_exchange(&tm__profiling, 0) != 0;
  tm__lock_acquire(&tm__tables.lock);
  tm__tables.running = false;
  tm__lock_release(&tm__tables.lock);
  tm__lock_release(&control);
  tm__sampled_trim(NULL);
  return on ? 0 : TM_EINVAL;
}
