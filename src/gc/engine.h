/*
 * engine.h - one heap's engine: hooks, trip, pending, poll, ladder, log. The heap embeds it and
 * gives it a port of numbers and function pointers; the engine never sees a heap from inside.
 *
 * Threads: `trip` and `pending` are atomics that any thread reads. Everything else is guarded by
 * the engine's lock, which is never held while a hook, notify or port function runs.
 */
#ifndef TM_GC_ENGINE_H
#define TM_GC_ENGINE_H

#include <tidemark/gc.h>

#include "base/atomics.h"
#include "base/os.h"
#include "gc/hooks.h"
#include "gc/log.h"
#include "gc/watch.h"

/* What the heap reports when asked; exact at the time of the call. */
typedef struct tm__readings {
  uint64_t footprint_bytes;
  uint64_t allocated_bytes_total; /* gross, with positive informs */
  uint64_t committed_bytes, dirty_bytes, fixable_bytes;
  uint64_t informed_bytes;        /* the part of the footprint that is not in committed_bytes */
  uint64_t shared_headroom_bytes; /* part of a group's budget; 0 = in no group */
  uint64_t movable_bytes; /* blocks that the built-in compaction may move; 0 = not worth a rung */
} tm__readings;

typedef struct tm__engine_port {
  void *ctx;
  tm_heap *heap;                              /* an opaque name, passed on to notify and events */
  const char *name;                           /* for the log */
  void (*read)(void *ctx, tm__readings *out); /* out is zero: what is not known stays so */
  /* The built-in trim: bytes the OS got back. touches = false: without a look at any block. */
  uint64_t (*trim)(void *ctx, bool touches);
  uint64_t (*compact)(void *ctx); /* the built-in compaction (handles): bytes moved; may be NULL */
  void (*rearm)(void *ctx);       /* trip, limit or pending changed: shards must look again */
  uint64_t (*now_ns)(void *ctx);
} tm__engine_port;

typedef struct tm__engine {
  /* Large, and untouched in a program that needs no action. It stands before what start-up writes,
   * so that the latter lies on one page with what a heap has behind. Guarded by the lock. */
  tm__log log;
  tm_action_row rows[TM_HOOK_KIND_COUNT]; /* but for their kind: it is filled in by who reads */
  tm__hooks hooks;

  /* read by every slow path */
  tm__counter look_bytes;             /* where to tell the engine: at T, or on the way to it */
  tm__counter trip_bytes;             /* T; UINT64_MAX = none */
  _Atomic(uint32_t) pending;          /* latched TM_REASON_* bits, 0 = nothing */
  _Atomic(uint64_t) next_due_ns;      /* see tm_next_due_ns */
  _Atomic(uint64_t) wake_bytes;       /* pending: a footprint that is worth another notify */
  tm__counter low_bytes;              /* a footprint below it is worth tm__engine_fell */
  _Atomic(unsigned) trip_reason;      /* TM_REASON_* of the policy that set the trip */
  tm__counter soft_bytes, hard_bytes; /* 0 = none; hard with an opened reserve */
  tm__counter hard_set_bytes;         /* without the reserve */
  tm__counter environment_bytes[2];   /* by tm_limit_kind: what the environment allows, 0 = none */
  tm__counter pending_since_ns;       /* when pending went from 0 to 1; 0 = it is 0 */
  tm__counter crossings;              /* how often it did, */
  tm__counter crossings_lost; /* and how often it was 0 with U at the trip: never, if all is well */
  _Atomic(int) posted_pressure;
  _Atomic(uintptr_t) owner; /* thread that runs actions: its token, 0 = none */
  _Atomic(uint32_t) epoch;  /* counts forks: an action begun before one is not ended after */

  tm__lock lock; /* guards what follows */
  tm__engine_port port;
  tm_policy_state state;
  tm_notify_fn notify;
  void *notify_ctx;
  uint64_t asked_bytes[2];             /* by tm_limit_kind, as set by tm_limit_set */
  uint64_t emergency_failed_ns;        /* after a failed emergency round: when, */
  uint64_t emergency_failed_footprint; /* and the footprint then; 0 = none failed */
  uint64_t failed_need_bytes;          /* deferred heaps: the request that failed, until polled */
  uint64_t failed_log_ns, held_log_ns; /* when a failed request, a refused round was logged last */
  uint32_t stress;                     /* TM_STRESS_TRIP: polls that had nothing to do */
  int running;                         /* the rung in flight, -1 = none */
  bool nested_logged;                  /* REENTRANT was logged for it */
  tm__watch watch;                     /* who is told of all this, if anybody */
} tm__engine;

/* Set in `pending` while actions run, beside the reasons that are latched meanwhile. */
#define TM__PENDING_BUSY (1u << 31)

/* The engine's memory must be zero, or was closed: what is large is not touched before its use. */
TM_HIDDEN void tm__engine_init(tm__engine *engine, const tm__engine_port *port);
/* Removes all hooks, waiting for calls in flight. TM_EBUSY inside one of its hooks. */
TM_HIDDEN int tm__engine_close(tm__engine *engine);

/* A slow path saw `footprint` (exact) at or above look_bytes, or a time after which a suppressed
 * action can run. At the trip: latches, logs DEFERRED, notifies on the 0 -> 1 edge or when next_due
 * has passed. On the way to it: sets the trips by the rates of now, which is no crossing unless T
 * has come down to the footprint. Runs no hook. Any thread, no lock of the heap held. */
TM_HIDDEN void tm__engine_cross(tm__engine *engine, uint64_t footprint_bytes);

/* Is a footprint of at most this far below what the trips were set from? One load; then call
 * tm__engine_fell, which sets them again, lower. An upper bound of the footprint is enough. */
TM_INLINE bool tm__engine_is_low(tm__engine *engine, uint64_t footprint_bytes)
{
  return footprint_bytes < tm__counter_read(&engine->low_bytes);
}
TM_HIDDEN void tm__engine_fell(tm__engine *engine); /* also when a group's part has moved */

/* Pending has become not 0 at now_ns, or 0. Lock held. */
TM_HIDDEN void tm__engine_pends(tm__engine *engine, uint64_t now_ns);
TM_HIDDEN void tm__engine_settled(tm__engine *engine, uint64_t footprint_bytes);

/* Could a poll have something to do? One load. */
TM_INLINE bool tm__engine_due(const tm__engine *engine)
{
  return atomic_load_explicit(&engine->pending, memory_order_acquire) != 0;
}
/* As tm_poll. */
TM_HIDDEN int tm__engine_poll(tm__engine *engine);
/* As tm_poll, on behalf of a request that is not in the footprint yet: it is decided as if it
 * were, so that a synchronous heap acts before the block is carved. */
TM_HIDDEN int tm__engine_poll_for(tm__engine *engine, uint64_t request_bytes);

/* The emergency round before a request of need_bytes fails (synchronous heaps): true iff it ran
 * and the request should be tried once more. Obeys decision 6: not nested, obeys the CPU cap, not
 * within 1 s of a failed round unless the footprint fell by 5 %. */
TM_HIDDEN bool tm__engine_emergency(tm__engine *engine, uint64_t need_bytes);
/* The request failed for good: logs FAILED_REQUEST (rate-limited to one record per 100 ms). */
TM_HIDDEN void tm__engine_failed(tm__engine *engine, uint64_t need_bytes, bool after_round);

/* true iff the calling thread is inside an action of this engine. */
TM_HIDDEN bool tm__engine_inside(const tm__engine *engine);

/* The functions of gc.h behind their tm_ names; see there. */
TM_HIDDEN int tm__engine_limit_set(tm__engine *engine, tm_limit_kind kind, int64_t n);
/* What the environment allows, 0 = none: in force beside the limits that were asked for, the
 * tighter of both each. true iff it is not what it was; the log has it then. */
TM_HIDDEN bool tm__engine_environment_set(tm__engine *engine, uint64_t soft_bytes,
                                          uint64_t hard_bytes);
/* 1 << TM_SOFT, 1 << TM_HARD: the limits in force that the environment set. */
TM_HIDDEN unsigned tm__engine_environment(const tm__engine *engine);
TM_HIDDEN int64_t tm__engine_limit_get(const tm__engine *engine, tm_limit_kind kind);
TM_HIDDEN int tm__engine_policy_set(tm__engine *engine, const tm_policy *policy);
TM_HIDDEN int tm__engine_policy_get(tm__engine *engine, tm_policy *out);
TM_HIDDEN int tm__engine_hook_add(tm__engine *engine, tm_hook_kind kind, tm_hook_fn fn, void *ctx,
                                  tm_hook **out);
TM_HIDDEN int tm__engine_notify_set(tm__engine *engine, tm_notify_fn fn, void *ctx);
TM_HIDDEN int tm__engine_pressure_post(tm__engine *engine, tm_pressure level);
/* A copy of what the pure engine remembers. */
TM_HIDDEN void tm__engine_state(tm__engine *engine, tm_policy_state *out);
TM_HIDDEN int tm__engine_action_row(tm__engine *engine, tm_hook_kind kind, tm_action_row *row);

/* In a forked child, before anything else: new lock, no owner, nothing pending or in flight. */
TM_HIDDEN void tm__engine_fork_child(tm__engine *engine);

#endif
