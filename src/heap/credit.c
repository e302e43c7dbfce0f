/* credit.c - see credit.h. */
#include "heap/credit.h"

#include "base/assert.h"
#include "heap/books.h"
#include "heap/safepoint.h"
#include "heap/sample.h"

#ifndef TM_STRESS_TRIP
#define TM_STRESS_TRIP 0 /* 1: every request asks, every asking crosses */
#endif

/* ---- Settling: the heap learns what a shard did ---------------------------------------------- */

static void settle_freed(tm__shard *shard)
{
  uint64_t freed = tm__books_freed(shard);
  shard->heap->limit_sum -= (int64_t)(freed - shard->settled_freed);
  shard->settled_freed = freed;
}

static void settle_limit(tm__shard *shard, uint64_t limit)
{
  shard->heap->limit_sum += (int64_t)(limit - shard->limit);
  shard->limit = limit;
}

/* slack_bytes is the sum of what each shard may allocate before it asks again. */
static void settle_quantum(tm__shard *shard, uint64_t quantum)
{
  tm__counter *slack = &shard->heap->slack_bytes;
  tm__counter_set(slack, tm__counter_read(slack) + quantum - shard->quantum);
  shard->quantum = quantum;
}

void tm__credit_return_locked(tm__shard *shard)
{
  settle_quantum(shard, 0);
  tm__counter_set(&shard->wire.wire, 0);
  settle_limit(shard, tm__counter_own(&shard->wire.gross));
  settle_freed(shard);
}

static void settle_all_freed(tm_heap *heap)
{
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next)
    settle_freed(s);
}

/* Credit that is out and not used, as far as gross tells; may be less the next moment. */
static uint64_t credit_out(tm_heap *heap)
{
  uint64_t out = 0;
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next)
    out += s->limit - tm__counter_read(&s->wire.gross);
  return out;
}

/* After it limit_sum is live plus what is being carved at this moment. */
static void revoke_locked(tm_heap *heap)
{
  bool any = false;
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next) {
    any |= tm__counter_read(&s->wire.wire) != 0;
    tm__counter_set(&s->wire.wire, 0);
  }
  /* Without a barrier a thread may still be on its way past its wire: leave its limit alone. */
  if (!any || tm__os_barrier_all())
    for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next) {
      settle_limit(s, tm__counter_read(&s->wire.gross));
      settle_quantum(s, 0);
    }
  settle_all_freed(heap);
}

void tm__credit_revoke(tm_heap *heap)
{
  tm__lock_acquire(&heap->lock);
  revoke_locked(heap);
  tm__lock_release(&heap->lock);
}

void tm__credit_rearm(tm_heap *heap)
{
  tm__lock_acquire(&heap->lock);
  for (tm__shard *s = atomic_load(&heap->shards); s; s = s->next)
    tm__counter_set(&s->wire.wire, 0);
  tm__lock_release(&heap->lock);
}

/* ---- Drawing -------------------------------------------------------------------------------- */

static int64_t granted(const tm_heap *heap)
{
  return atomic_load_explicit(&heap->limit_sum, memory_order_relaxed) +
         atomic_load_explicit(&heap->informed_bytes, memory_order_relaxed);
}

uint64_t tm__credit_bound(const tm_heap *heap)
{
  int64_t bound = granted(heap);
  return bound > 0 ? (uint64_t)bound : 0;
}

static void raise_peak(tm_heap *heap, uint64_t footprint_bytes)
{
  uint64_t peak = tm__counter_read(&heap->peak_bytes);
  while (footprint_bytes > peak &&
         !atomic_compare_exchange_weak(&heap->peak_bytes, &peak, footprint_bytes)) {
  }
}

/* The footprint, exact but for what other threads allocate at this moment. */
static uint64_t exact(tm_heap *heap)
{
  settle_all_freed(heap);
  int64_t level = granted(heap) - (int64_t)credit_out(heap);
  return level > 0 ? (uint64_t)level : 0;
}

/* Two numbers that the footprint was below: the first counts what is being carved, the second what
 * was freed while it was added up. The smaller one is nearer; the second, which is dearer, is not
 * asked for when the first is not above what the caller cares for. */
static uint64_t level_locked(tm_heap *heap, uint64_t care_above)
{
  uint64_t asked = exact(heap);
  if (asked <= care_above)
    return asked;
  uint64_t booked = tm__books_footprint(heap);
  return asked < booked ? asked : booked;
}

uint64_t tm__credit_level(tm_heap *heap)
{
  tm__lock_acquire(&heap->lock);
  uint64_t level = level_locked(heap, 0);
  tm__lock_release(&heap->lock);
  raise_peak(heap, level);
  return level;
}

void tm__credit_asked(tm_heap *heap, uint64_t bytes)
{
  if (bytes > TM_QUANTUM_MIN)
    (void)tm__credit_level(heap);
}

void tm__credit_informed(tm_heap *heap)
{
  tm__lock_acquire(&heap->lock);
  uint64_t hard = tm__counter_read(&heap->engine.hard_bytes);
  if (hard && granted(heap) > (int64_t)hard)
    revoke_locked(heap);
  tm__lock_release(&heap->lock);
}

static uint64_t quantum_cap(uint64_t footprint)
{
  uint64_t cap = footprint / 16;
  cap = cap < TM_QUANTUM_CALM ? TM_QUANTUM_CALM : cap;
  return cap > TM_QUANTUM_MAX ? TM_QUANTUM_MAX : cap;
}

/* How much more the shard gets, when the footprint will be `after`. */
static uint64_t quantum_for(const tm_heap *heap, uint64_t after, uint64_t trip, uint64_t hard)
{
  if (TM_STRESS_TRIP)
    return 0;
  uint64_t threads = atomic_load_explicit(&heap->busy_shards, memory_order_relaxed);
  uint64_t target = after < trip ? trip : UINT64_MAX, room_hard = UINT64_MAX;
  threads = threads ? threads : 1;
  if (hard) {
    room_hard = hard > after ? hard - after : 0;
    target = hard < target ? hard : target;
  }
  uint64_t q = target > after ? (target - after) / (8 * threads) : 0;
  uint64_t cap = quantum_cap(after);
  q = q < TM_QUANTUM_MIN ? TM_QUANTUM_MIN : q > cap ? cap : q;
  if (threads == 1 && trip > after && trip - after < q)
    q = trip - after; /* alone, the wire can stop at the trip itself */
  return q < room_hard ? q : room_hard;
}

/* true iff `bytes` more fit under the hard limit; calls credit back before it says no. */
static bool fits(tm_heap *heap, uint64_t bytes, uint64_t hard)
{
  if (!hard || granted(heap) + (int64_t)bytes <= (int64_t)hard)
    return true;
  revoke_locked(heap);
  return granted(heap) + (int64_t)bytes <= (int64_t)hard;
}

tm__draw tm__credit_draw(tm__shard *shard, uint64_t bytes)
{
  tm_heap *heap = shard->heap;
  tm__lock_acquire(&heap->lock);
  /* Read under the lock: who lowers the limit takes it next, and no older limit is used after. */
  uint64_t trip = tm__counter_read(&heap->engine.look_bytes);
  uint64_t hard = tm__counter_read(&heap->engine.hard_bytes);
  tm__credit_return_locked(shard);
  if (!fits(heap, bytes, hard)) {
    tm__lock_release(&heap->lock);
    return TM_DRAW_REFUSED;
  }
  uint64_t after = (uint64_t)granted(heap) + bytes;
  bool crossed = TM_STRESS_TRIP;
  uint64_t peak = tm__counter_read(&heap->peak_bytes), below_trip = trip > bytes ? trip - bytes : 0;
  if (after >= trip || after - bytes > peak) {
    uint64_t level = level_locked(heap, peak < below_trip ? peak : below_trip);
    crossed |= level + bytes >= trip;
    raise_peak(heap, level); /* without the request: it can still fail */
    after = (uint64_t)granted(heap) + bytes;
  }
  tm__ledger_take(&shard->wire, bytes);
  /* The peak is not looked at after a small request: it is part of the slack. */
  uint64_t unseen = bytes <= TM_QUANTUM_MIN ? bytes : 0;
  uint64_t q = quantum_for(heap, after, trip, hard);
  if (tm__sampling())
    q = tm__sampled_room(shard, bytes, q);
  settle_quantum(shard, q > unseen ? q : unseen);
  uint64_t wire = tm__counter_own(&shard->wire.gross) + (q > unseen ? q - unseen : 0);
  settle_limit(shard, wire);
  tm__counter_set(&shard->wire.wire, wire);
  tm__lock_release(&heap->lock);
  return crossed ? TM_DRAW_CROSSED : TM_DRAW_GRANTED;
}

uint64_t tm__credit_slack(const tm_heap *heap)
{
  return tm__counter_read(&heap->slack_bytes);
}
