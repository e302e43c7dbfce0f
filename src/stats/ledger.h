/*
 * ledger.h - the one place that writes a counter of the books.
 *
 * A block is charged when it is handed out and refunded when it comes back, both by its size
 * class (or, for large blocks, by its bytes): bytes are never added up on the hot path, readers
 * multiply. Per shard and pool:
 *
 *   live_blocks = SUM allocs - SUM frees + large_allocs - large_frees
 *   live_bytes  = SUM (allocs - frees) * class_bytes + large_alloc_bytes - large_free_bytes
 *                 + grow_bytes - shrink_bytes
 *
 * A resize is neither an alloc nor a free: its difference goes to grow or shrink. A free is booked
 * by the shard of the thread that frees, so one shard's rows can be negative; the heap's sum is
 * not, because readers add up all frees before they look at the first alloc.
 *
 * Every counter has one writer, the thread that owns the shard.
 */
#ifndef TM_STATS_LEDGER_H
#define TM_STATS_LEDGER_H

#include "base/atomics.h"

#ifndef TM_ACCOUNTING
#define TM_ACCOUNTING 1 /* 0 only in the benchmark's off-arm: what do the books cost? */
#endif

/* The books of one size class of one pool in one shard. */
typedef struct tm__ledger_bin {
  tm__counter allocs, frees;
} tm__ledger_bin;

/* The rest of a pool's books in one shard. */
typedef struct tm__ledger_row {
  tm__counter large_allocs, large_alloc_bytes;
  tm__counter large_frees, large_free_bytes;
  tm__counter grow_bytes, shrink_bytes;
  tm__counter reallocs;
} tm__ledger_row;

/*
 * The wire: `gross` is all that the shard's thread ever allocated, in bytes; it may go up to
 * `wire` without asking. Zero sends every request to the slow path: start-up, shutdown, a limit
 * that was lowered. Another thread may lower the wire, only the owner moves gross.
 */
typedef struct tm__ledger_wire {
  tm__counter gross;
  tm__counter wire;
} tm__ledger_wire;

/* Also without accounting: what a bin's list holds is known by these two. */
TM_INLINE void tm__ledger_charge(tm__ledger_bin *bin)
{
  tm__counter_add(&bin->allocs, 1);
}

/* Returns the frees so far. */
TM_INLINE uint64_t tm__ledger_refund(tm__ledger_bin *bin)
{
  uint64_t frees = tm__counter_own(&bin->frees) + 1;
  tm__counter_set(&bin->frees, frees);
  return frees;
}

/*
 * true iff `bytes` more may be allocated without asking; gross has then moved. The store comes
 * before the compare: a thread that sets the wire to zero, and then makes a barrier in every
 * thread, knows that it has either been seen here or sees our gross. When false: tm__ledger_undo.
 */
TM_INLINE bool tm__ledger_pass(tm__ledger_wire *w, uint64_t bytes)
{
  if (!TM_ACCOUNTING)
    return true;
  uint64_t gross = tm__counter_own(&w->gross) + bytes;
  atomic_store_explicit(&w->gross, gross, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
  return tm_likely(gross <= tm__counter_own(&w->wire)); /* read after the fence, whoever wrote it */
}

TM_INLINE void tm__ledger_undo(tm__ledger_wire *w, uint64_t bytes)
{
  if (TM_ACCOUNTING)
    tm__counter_set(&w->gross, tm__counter_own(&w->gross) - bytes);
}

/* Gross without a compare, for a request that was granted by the slow path. */
TM_INLINE void tm__ledger_take(tm__ledger_wire *w, uint64_t bytes)
{
  if (TM_ACCOUNTING)
    tm__counter_set(&w->gross, tm__counter_own(&w->gross) + bytes);
}

TM_INLINE void tm__ledger_charge_large(tm__ledger_row *row, uint64_t bytes)
{
  tm__counter_add(&row->large_alloc_bytes, bytes);
  tm__counter_add(&row->large_allocs, 1);
}

TM_INLINE void tm__ledger_refund_large(tm__ledger_row *row, uint64_t bytes)
{
  tm__counter_add(&row->large_free_bytes, bytes);
  tm__counter_add(&row->large_frees, 1);
}

/* A block that went from old_bytes to new_bytes, in place or by moving. */
TM_INLINE void tm__ledger_resize(tm__ledger_row *row, uint64_t old_bytes, uint64_t new_bytes)
{
  if (new_bytes > old_bytes)
    tm__counter_add(&row->grow_bytes, new_bytes - old_bytes);
  else
    tm__counter_add(&row->shrink_bytes, old_bytes - new_bytes);
  tm__counter_add(&row->reallocs, 1);
}

#endif
