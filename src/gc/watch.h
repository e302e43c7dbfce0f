/*
 * watch.h - one optional watcher of an engine: what it is told, and when. recorder.c is the one
 * that there is.
 *
 *   SAMPLE   a slow path, when one of the three bounds below is passed
 *   ACTION   an action has ended
 *   CHANGE   limits, policy, hooks may be others now; or a pressure was posted
 *   END      the watching ends: by tm__watch_stop, or because the engine is closed
 *   FORKED   this is a child now, in which nothing is watched any more
 *
 * Threads: `fn` is called with the engine's lock held, so never twice at a time and never after
 * tm__watch_stop returned. It must not call the engine, and allocates nothing from its heap.
 */
#ifndef TM_GC_WATCH_H
#define TM_GC_WATCH_H

#include <tidemark/gc.h>

#include "base/atomics.h"

typedef enum {
  TM__WATCH_SAMPLE,
  TM__WATCH_ACTION,
  TM__WATCH_CHANGE,
  TM__WATCH_END,
  TM__WATCH_FORKED
} tm__watch_kind;

struct tm__engine;
struct tm__action;

typedef struct tm__watch_event {
  tm__watch_kind kind;
  const tm_inputs *in;             /* SAMPLE, CHANGE, END: the levels; else NULL */
  uint64_t request_bytes;          /* SAMPLE: the part of the levels that came just now */
  uint64_t bound_bytes;            /* SAMPLE: what was compared with low_bytes and high_bytes */
  const struct tm__action *action; /* ACTION */
  const tm_policy *policy;         /* CHANGE: in force from now on */
  int pressure;                    /* CHANGE: the level that was posted, -1 = none was */
} tm__watch_event;

/* What it returns for END is the result of tm__watch_stop: 0 or a TM_E*; else 0. */
typedef int (*tm__watch_fn)(void *ctx, const tm__watch_event *event);

typedef struct tm__watch {
  _Atomic(tm__watch_fn) fn; /* NULL: nobody watches */
  void *ctx;
  /* A sample is due at this time, or when the footprint leaves these bounds. Set by fn. */
  tm__counter next_ns, low_bytes, high_bytes;
} tm__watch;

TM_INLINE bool tm__watch_on(const tm__watch *watch)
{
  return atomic_load_explicit(&watch->fn, memory_order_acquire) != NULL;
}

/* Begins, and tells the CHANGE that everything is at the start. TM_EBUSY iff somebody watches. */
TM_HIDDEN int tm__watch_start(struct tm__engine *engine, tm__watch_fn fn, void *ctx);
/* Tells END and ends. What fn returned, or TM_EINVAL iff nobody watches. */
TM_HIDDEN int tm__watch_stop(struct tm__engine *engine);

/* A slow path that granted `bytes` which no book has yet; `bound_bytes` is never below the
 * footprint. Two loads and a clock when nothing is due. No lock held. */
TM_HIDDEN void tm__watch_sample(struct tm__engine *engine, uint64_t bytes, uint64_t bound_bytes);

/* In a forked child, after its engine has a new lock. */
TM_HIDDEN void tm__watch_forked(struct tm__engine *engine);

/* ---- Called by the engine's files. Lock held. ---- */

TM_HIDDEN void tm__watch_action(struct tm__engine *engine, const struct tm__action *action);
TM_HIDDEN void tm__watch_change(struct tm__engine *engine, const tm_inputs *in, int pressure);

#endif
