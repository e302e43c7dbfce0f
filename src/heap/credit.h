/*
 * credit.h - how a limit that is never exceeded is shared by threads that do not ask.
 *
 * A shard may allocate until its gross reaches its wire: its credit. The heap keeps, under its
 * lock, what it has granted:
 *
 *   limit_sum = SUM over shards (limit - settled_freed)      live <= limit_sum, always
 *
 * and grants only while limit_sum + informed stays at or below the hard limit. Frees are settled
 * lazily, which errs on the safe side. Before a request is refused, all credit is called back:
 * wires go to zero, a barrier runs in every thread, and what is left is exact to the byte.
 */
#ifndef TM_HEAP_CREDIT_H
#define TM_HEAP_CREDIT_H

#include "heap/types.h"

enum {
  TM_QUANTUM_MIN = 4096,
  TM_QUANTUM_CALM = 262144, /* a small heap draws this: its peak is known more exactly */
  TM_PEAK_LOOK = 65536,     /* so large a block is no matter of slack: the peak is looked at */
  TM_QUANTUM_MAX = 1048576,
};

typedef enum { TM_DRAW_GRANTED, TM_DRAW_CROSSED, TM_DRAW_REFUSED } tm__draw;

/* Asks for `bytes` more. GRANTED and CROSSED: gross has moved by bytes, the wire is drawn anew;
 * CROSSED: and the footprint is at or above the trip. REFUSED: the hard limit; nothing changed. */
TM_HIDDEN tm__draw tm__credit_draw(tm__shard *shard, uint64_t bytes);

/* true iff `bytes` were charged to the wire without asking; else the caller must draw. */
TM_INLINE bool tm__credit_pass(tm__shard *shard, uint64_t bytes)
{
  if (tm_likely(tm__ledger_pass(&shard->wire, bytes)))
    return true;
  tm__ledger_undo(&shard->wire, bytes);
  return false;
}

/* Calls all credit back: the next request of every thread asks. Exact: waits for a barrier. */
TM_HIDDEN void tm__credit_revoke(tm_heap *heap);
/* Informed bytes have grown: credit that they no longer leave room for is called back. */
TM_HIDDEN void tm__credit_informed(tm_heap *heap);
/* The same without the barrier: for trips, which may be overshot by the published slack. */
TM_HIDDEN void tm__credit_rearm(tm_heap *heap);
/* A shard whose thread ends (or starts): its unused credit goes back. Heap's lock held. */
TM_HIDDEN void tm__credit_return_locked(tm__shard *shard);
/* Never below the footprint: what is granted, plus what is informed. Two loads. */
TM_HIDDEN uint64_t tm__credit_bound(const tm_heap *heap);
/* slack_bytes: the quanta that are out, of all threads. */
TM_HIDDEN uint64_t tm__credit_slack(const tm_heap *heap);
/* live + informed, off by no more than what other threads allocate at this moment: the slack. The
 * peak is raised to it. Takes the heap's lock. */
TM_HIDDEN uint64_t tm__credit_level(tm_heap *heap);
/* A request that had to ask is in the books now: raises the peak to it, unless it is so small that
 * the slack covers it. */
TM_HIDDEN void tm__credit_asked(tm_heap *heap, uint64_t bytes);

#endif
