/*
 * safepoint.c - where heap and gc meet: numbers go one way, decisions come back. The functions of
 * gc.h that name a heap are here.
 */
#include "heap/safepoint.h"

#include "heap/arena.h"
#include "heap/books.h"
#include "heap/compact.h"
#include "heap/credit.h"
#include "heap/group.h"
#include "heap/heap.h"
#include "heap/trim.h"

/* ---- The port: what the engine may ask ------------------------------------------------------ */

static void port_read(void *ctx, tm__readings *out)
{
  tm_heap *heap = ctx;
  tm__sums sums = {0};
  tm__books_heap(heap, &sums);
  int64_t informed = atomic_load_explicit(&heap->informed_bytes, memory_order_relaxed);
  out->footprint_bytes = tm__credit_level(heap);
  out->allocated_bytes_total = sums.alloc_bytes + tm__counter_read(&heap->informed_added_bytes);
  out->informed_bytes = informed > 0 ? (uint64_t)informed : 0;
  out->movable_bytes = tm__counter_read(&heap->handle_bytes);
  out->dirty_bytes = tm__arena_dirty_bytes();
  out->committed_bytes = tm__counter_read(&heap->span_bytes) + tm__counter_read(&heap->meta_bytes) -
                         tm__counter_read(&heap->hole_bytes);
  if (heap->is_default) /* the arena's dirty slices are no reason to act for another heap */
    out->committed_bytes += out->dirty_bytes;
  out->shared_headroom_bytes = tm__group_headroom(heap, out->footprint_bytes);
  out->fixable_bytes = tm__compact_fixable(heap, sums.freed_bytes);
}

static uint64_t port_trim(void *ctx, bool touches)
{
  return touches ? tm__trim_run(ctx) : tm__trim_untouched(ctx);
}

static uint64_t port_compact(void *ctx)
{
  return tm_handles_compact(ctx);
}

static void port_rearm(void *ctx)
{
  tm__credit_rearm(ctx);
}

static uint64_t port_now(void *ctx)
{
  (void)ctx;
  return tm__os_now_ns();
}

int tm__safepoint_init(tm_heap *heap, const tm_heap_config *config)
{
  tm__engine_port port = {.ctx = heap,
                          .heap = heap,
                          .name = heap->name,
                          .read = port_read,
                          .trim = port_trim,
                          .compact = port_compact,
                          .rearm = port_rearm,
                          .now_ns = port_now};
  tm__engine_init(&heap->engine, &port);
  if (!config)
    return 0;
  int error = 0;
  if (config->hard_limit_bytes)
    error = tm__engine_limit_set(&heap->engine, TM_HARD, (int64_t)config->hard_limit_bytes);
  if (!error && config->soft_limit_bytes)
    error = tm__engine_limit_set(&heap->engine, TM_SOFT, (int64_t)config->soft_limit_bytes);
  return error;
}

/* ---- Requests that must ask ----------------------------------------------------------------- */

/* Once per quantum: the arena's decay; dirty pages have the room that the soft limit leaves. */
static void tick(tm_heap *heap)
{
  uint64_t soft = tm__counter_read(&heap->engine.soft_bytes);
  uint64_t span = tm__counter_read(&heap->span_bytes);
  if (soft)
    tm__arena_keep_set(soft > span ? soft - span : 0);
  (void)tm__heap_tick(heap);
  tm__group_tick(heap);
  if (tm__engine_is_low(&heap->engine, tm__credit_bound(heap)))
    tm__engine_fell(&heap->engine); /* far below what the trips were set from */
}

/* Synchronous heaps run their hooks here: the request is on the wire, its block is not carved, no
 * lock is held. What crosses is the footprint with the block, which the books do not have yet. */
static void deliver(tm_heap *heap, uint64_t bytes, bool may_run)
{
  tm__engine_cross(&heap->engine, tm__books_footprint(heap) + bytes);
  if (may_run && heap->delivery == TM_SYNCHRONOUS)
    (void)tm__engine_poll_for(&heap->engine, bytes);
}

bool tm__safepoint_charge(tm__shard *shard, uint64_t bytes, bool may_run)
{
  tm_heap *heap = shard->heap;
  bool after_round = false;
  tm__draw drawn = tm__credit_draw(shard, bytes);
  if (drawn == TM_DRAW_REFUSED && may_run && heap->delivery == TM_SYNCHRONOUS) {
    after_round = tm__engine_emergency(&heap->engine, bytes);
    if (after_round)
      drawn = tm__credit_draw(shard, bytes);
  }
  if (drawn == TM_DRAW_REFUSED) {
    tm__engine_failed(&heap->engine, bytes, after_round);
    return false;
  }
  tick(heap); /* not before: a request that fails changes nothing */
  if (tm_unlikely(tm__watch_on(&heap->engine.watch)))
    tm__watch_sample(&heap->engine, bytes, tm__credit_bound(heap));
  if (drawn == TM_DRAW_CROSSED)
    deliver(heap, bytes, may_run);
  return true;
}

void tm__safepoint_look(tm_heap *heap)
{
  uint64_t footprint = tm__credit_level(heap);
  if (footprint >= tm__counter_read(&heap->engine.look_bytes))
    tm__engine_cross(&heap->engine, footprint);
}

/* ---- gc.h ----------------------------------------------------------------------------------- */

int tm_hook_add(tm_heap *heap, tm_hook_kind kind, tm_hook_fn fn, void *ctx, tm_hook **out)
{
  return heap ? tm__engine_hook_add(&heap->engine, kind, fn, ctx, out) : TM_EINVAL;
}

int tm_notify_set(tm_heap *heap, tm_notify_fn fn, void *ctx)
{
  return heap ? tm__engine_notify_set(&heap->engine, fn, ctx) : TM_EINVAL;
}

int tm_limit_set(tm_heap *heap, tm_limit_kind kind, int64_t n)
{
  if (!heap)
    return TM_EINVAL;
  int error = tm__engine_limit_set(&heap->engine, kind, n);
  if (error)
    return error;
  if (kind == TM_HARD)
    tm__credit_revoke(heap); /* from now on no thread allocates on an older limit */
  if (kind == TM_SOFT && !tm__engine_limit_get(&heap->engine, TM_SOFT))
    tm__arena_keep_set(UINT64_MAX);
  tm__safepoint_look(heap);
  return 0;
}

bool tm__safepoint_environment(tm_heap *heap, uint64_t soft_bytes, uint64_t hard_bytes)
{
  if (!tm__engine_environment_set(&heap->engine, soft_bytes, hard_bytes))
    return false;
  tm__credit_revoke(heap); /* from now on no thread allocates on an older limit */
  if (!soft_bytes && !tm__engine_limit_get(&heap->engine, TM_SOFT))
    tm__arena_keep_set(UINT64_MAX);
  tm__safepoint_look(heap);
  return true;
}

int64_t tm_limit_get(const tm_heap *heap, tm_limit_kind kind)
{
  return heap ? tm__engine_limit_get(&heap->engine, kind) : 0;
}

int tm_policy_set(tm_heap *heap, const tm_policy *policy)
{
  int error = heap ? tm__engine_policy_set(&heap->engine, policy) : TM_EINVAL;
  if (!error)
    tm__safepoint_look(heap);
  return error;
}

int tm_policy_get(const tm_heap *heap, tm_policy *out)
{
  return heap ? tm__engine_policy_get((tm__engine *)(uintptr_t)&heap->engine, out) : TM_EINVAL;
}

int tm_pending(const tm_heap *heap)
{
  return heap && atomic_load_explicit(&heap->engine.pending, memory_order_acquire) != 0;
}

const volatile uint32_t *tm_pending_word(const tm_heap *heap)
{
  _Static_assert(sizeof heap->engine.pending == sizeof(uint32_t), "readable without C11's atomics");
  return heap ? (const volatile uint32_t *)&heap->engine.pending : NULL;
}

TM_HOT int tm_poll(tm_heap *heap)
{
  if (tm_unlikely(!heap))
    return TM_EINVAL;
  return tm_likely(!tm__engine_due(&heap->engine)) ? 0 : tm__engine_poll(&heap->engine);
}

uint64_t tm_next_due_ns(const tm_heap *heap)
{
  return heap ? atomic_load(&heap->engine.next_due_ns) : 0;
}

int tm_pressure_post(tm_heap *heap, tm_pressure level)
{
  return heap ? tm__engine_pressure_post(&heap->engine, level) : TM_EINVAL;
}

int tm_log_read(tm_heap *heap, uint64_t *cursor, tm_record *out)
{
  return heap && cursor && out ? tm__log_read(&heap->engine.log, cursor, out) : TM_EINVAL;
}

int tm_action_stats_read(const tm_heap *heap, tm_hook_kind kind, tm_action_row *row)
{
  if (!heap || !row)
    return TM_EINVAL;
  return tm__engine_action_row((tm__engine *)(uintptr_t)&heap->engine, kind, row);
}
