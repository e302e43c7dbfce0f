/*
 * gc.h - what should be done about the bytes: hooks, limits, policies, polling, the log.
 *
 * A host registers what it can do (hooks) and where it wants to stay (limits). The engine keeps a
 * *trip*: the footprint at which it looks up. Crossing it latches `pending` and calls `notify`
 * once; the host reaches a safe point and calls tm_poll; the engine decides, runs hooks with no
 * lock of ours held, reads the footprint again after each, sets a new trip, writes one log record.
 *
 * Rules that hosts may rely on:
 *   R1 realloc and free never run a hook.
 *   R2 deferred heaps (the default) run hooks in tm_poll only.
 *   R3 synchronous heaps also run them in malloc, before the block is carved, with no lock held.
 *   R4 at the hard limit a synchronous heap gets one emergency round and one retry, then NULL.
 *   R5 a hook may allocate and free; actions do not nest; other threads keep allocating.
 *   R6 a crossing during an action is never lost.
 *   R7 no hook is called after its tm_hook_remove returned; a hook may remove itself.
 *   R8 after fork the child has no action in flight and nothing pending.
 *   R9 the engine measures bytes and time itself, whatever a hook reports.
 *   R10 threads that cross one trip together fire it once.
 */
#ifndef TIDEMARK_GC_H
#define TIDEMARK_GC_H

#include <tidemark/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Kinds, reasons, verdicts --------------------------------------------------------------- */

/* What a host can do, in the ladder's order of effort. X(enumerator, name) */
#define TM_HOOK_KINDS(X)                                                                           \
  X(TM_DROP_CACHES, "drop_caches")                                                                 \
  X(TM_COLLECT_MINOR, "minor")                                                                     \
  X(TM_COLLECT, "full")                                                                            \
  X(TM_COMPACT, "compact")                                                                         \
  X(TM_TRIM, "trim")                                                                               \
  X(TM_NEAR_LIMIT, "near_limit")
#define TM__KIND_ENUM(name, text) name,
typedef enum { TM_HOOK_KINDS(TM__KIND_ENUM) TM_HOOK_KIND_COUNT } tm_hook_kind;
#undef TM__KIND_ENUM

/* What a hook returns. MORE: an incremental action has work left, call again. NOTHING: there was
 * nothing to free. BUSY: not now. ERROR: it failed. Any other number counts as ERROR. */
enum { TM_HOOK_DONE = 0, TM_HOOK_MORE, TM_HOOK_NOTHING, TM_HOOK_BUSY, TM_HOOK_ERROR };

typedef enum {
  TM_PRESSURE_NONE = 0,
  TM_PRESSURE_LOW,
  TM_PRESSURE_MEDIUM,
  TM_PRESSURE_CRITICAL
} tm_pressure;

/* Why the engine looked up: bits of `reasons`. X(enumerator, bit, name) */
#define TM_REASONS(X)                                                                              \
  X(TM_REASON_FIXED, 0, "fixed")                                                                   \
  X(TM_REASON_GROWTH, 1, "growth")                                                                 \
  X(TM_REASON_DEBT, 2, "debt")                                                                     \
  X(TM_REASON_SQRT, 3, "sqrt")                                                                     \
  X(TM_REASON_SHARED, 4, "shared")                                                                 \
  X(TM_REASON_SOFT, 5, "soft")                                                                     \
  X(TM_REASON_HALFWAY, 6, "halfway")                                                               \
  X(TM_REASON_PRESSURE, 7, "pressure")                                                             \
  X(TM_REASON_YOUNG, 8, "young")                                                                   \
  X(TM_REASON_HARD, 9, "hard")                                                                     \
  X(TM_REASON_MORE, 10, "more")                                                                    \
  X(TM_REASON_FRAGMENTED, 11, "fragmented")
#define TM__REASON_ENUM(name, bit, text) name = 1 << (bit),
enum { TM_REASONS(TM__REASON_ENUM) TM_REASON_NONE = 0 };
#undef TM__REASON_ENUM

/* What became of an action: the verdict of a log record. X(enumerator, name) */
#define TM_VERDICTS(X)                                                                             \
  X(TM_FIRED, "fired")                                                                             \
  X(TM_SUPPRESSED_COOLDOWN, "cooldown")                                                            \
  X(TM_SUPPRESSED_CAP, "cap")                                                                      \
  X(TM_SUPPRESSED_FLOOR, "floor")                                                                  \
  X(TM_SUPPRESSED_REENTRANT, "reentrant")                                                          \
  X(TM_SUPPRESSED_INEFFECTIVE, "ineffective")                                                      \
  X(TM_SUPPRESSED_NO_HOOK, "no_hook")                                                              \
  X(TM_SUPPRESSED_YIELD, "yield")                                                                  \
  X(TM_DEFERRED_TO_POLL, "deferred")                                                               \
  X(TM_FAILED_REQUEST, "failed_request")                                                           \
  X(TM_LIMITS_CHANGED, "limits_changed")
#define TM__VERDICT_ENUM(name, text) name,
typedef enum { TM_VERDICTS(TM__VERDICT_ENUM) TM_VERDICT_COUNT } tm_verdict;
#undef TM__VERDICT_ENUM

/* ---- Hooks ---------------------------------------------------------------------------------- */

/* What a hook is told. Valid during the call. */
typedef struct tm_event {
  tm_hook_kind kind;
  unsigned reasons; /* TM_REASON_* bits */
  tm_pressure pressure;
  uint64_t need_bytes;       /* how much the footprint should fall; 0 = as much as is cheap */
  uint64_t footprint_bytes;  /* now */
  uint64_t soft_limit_bytes; /* 0 = none */
  uint64_t hard_limit_bytes; /* 0 = none */
  uint64_t time_budget_ns;   /* what an incremental action should stay within; 0 = no wish */
  tm_heap *heap;
} tm_event;

typedef int (*tm_hook_fn)(void *ctx, const tm_event *event); /* returns TM_HOOK_* */
typedef struct tm_hook tm_hook;

/*
 * Registers fn for one kind; several of a kind run in order of registration until the need is met.
 * *out (may be NULL) names it for tm_hook_remove. 0, TM_EINVAL iff heap or fn is NULL or kind is
 * out of range, TM_ENOMEM iff the heap has 64 hooks. Any thread.
 */
TM_API int tm_hook_add(tm_heap *heap, tm_hook_kind kind, tm_hook_fn fn, void *ctx, tm_hook **out);

/*
 * Removes a hook; waits for calls of it in other threads, returns at once from inside its own.
 * 0, TM_EINVAL iff hook is NULL or was removed, TM_EBUSY iff called inside another hook while this
 * one runs in another thread (waiting could deadlock; try again later).
 */
TM_API int tm_hook_remove(tm_hook *hook);

/* Called once when pending goes from 0 to 1, by the thread that crossed. It must be
 * async-signal-safe in spirit: allocate nothing, take no lock that the host may hold. */
typedef void (*tm_notify_fn)(void *ctx, tm_heap *heap);
/* NULL removes. 0, or TM_EINVAL iff heap is NULL. */
TM_API int tm_notify_set(tm_heap *heap, tm_notify_fn fn, void *ctx);

/* ---- Limits --------------------------------------------------------------------------------- */

typedef enum { TM_SOFT, TM_HARD } tm_limit_kind;

/*
 * n > 0 sets, 0 removes. SOFT: the footprint to stay below by acting. HARD: no request is granted
 * that would exceed it, not by one byte; it may be set below the footprint: nothing is taken away,
 * requests fail until it fits. A HARD below SOFT lowers SOFT with it. Where limits are also taken
 * from the environment (pressure.h), the tighter one is in force, and tm_limit_get reads that.
 * 0, TM_EINVAL iff heap is NULL, n < 0, kind is unknown, or SOFT would be above HARD.
 */
TM_API int tm_limit_set(tm_heap *heap, tm_limit_kind kind, int64_t n);
TM_API int64_t tm_limit_get(const tm_heap *heap, tm_limit_kind kind); /* 0 = none */

/* ---- Policies ------------------------------------------------------------------------------- */

/* Bits of tm_policy.kinds. Each proposes a trip, the smallest wins. */
enum {
  TM_POLICY_FIXED = 1 << 0,    /* fixed_bytes */
  TM_POLICY_GROWTH = 1 << 1,   /* L + max(growth_floor_bytes, L * growth_percent / 100) */
  TM_POLICY_DEBT = 1 << 2,     /* gross allocation since the last collection, looked at when the
                                * footprint has grown by what is left of it */
  TM_POLICY_SQRT = 1 << 3,     /* headroom by the square-root rule, GROWTH's until two runs */
  TM_POLICY_SHARED = 1 << 4,   /* share of a common budget; without a group GROWTH's headroom */
  TM_POLICY_PRESSURE = 1 << 5, /* headroom shrinks under OS pressure */
  TM_POLICY_YIELD = 1 << 6     /* headroom grows while collections free little */
};

/* How a heap that is full for good ends. */
typedef enum { TM_END_FAIL, TM_END_GROW, TM_END_ASK } tm_end;

/* L is the footprint after the last full collection. tm_policy_init fills the defaults given. */
typedef struct tm_policy {
  size_t size;                      /* stamped by tm_policy_init */
  unsigned kinds;                   /* GROWTH | PRESSURE | YIELD */
  uint64_t fixed_bytes;             /* FIXED: trip, e.g. 256 << 20. Default 64 MiB */
  unsigned growth_percent;          /* GROWTH: 100 = collect when the footprint doubled. 100 */
  uint64_t growth_floor_bytes;      /* GROWTH: least headroom. 4 MiB */
  uint64_t debt_bytes;              /* DEBT: first and least debt. 16 MiB */
  unsigned collector_share_percent; /* SQRT: what a heap of 100 MiB pays that grows by a hundredth
                                     * of what its collector looks at per second; sets c. 2 */
  uint64_t young_bytes;             /* two generations: least young budget, 0 = none. 8 MiB */
  uint64_t min_interval_ms;         /* least time between two runs of a rung. 0 */
  unsigned cpu_cap_percent;         /* share of time for all actions. 50 */
  tm_end end;                       /* TM_END_FAIL */
  uint64_t reserve_bytes;           /* END_GROW: kept above the hard limit. 64 KiB */
  unsigned target_share_percent;    /* SQRT: 0 = the square root; else E is chosen so that full
                                     * collections take this share of the time. 0 */
} tm_policy;

TM_API void tm_policy_init(tm_policy *policy);

/* Takes a copy. 0, TM_EINVAL iff an argument is NULL, not stamped, or a field is out of range
 * (unknown kinds, growth_percent 0 with GROWTH, SQRT or SHARED, fixed_bytes 0 with FIXED,
 * debt_bytes 0 with DEBT, collector_share_percent 0 with SQRT, a share of time above 100 percent,
 * an unknown end). The old policy stays on error. */
TM_API int tm_policy_set(tm_heap *heap, const tm_policy *policy);
TM_API int tm_policy_get(const tm_heap *heap, tm_policy *out); /* out->size stamped by the caller */

/* ---- Acting --------------------------------------------------------------------------------- */

/* 1 iff an action is due or held back. One load; any thread, async-signal-safe. */
TM_API int tm_pending(const tm_heap *heap);

/* The word behind tm_pending: not 0 iff it is 1. For interpreter loops and generated code, which
 * test it in place and call tm_poll only when it is set:
 *
 *   const volatile uint32_t *pending = tm_pending_word(heap);      once
 *   if (*pending != 0) tm_poll(heap);                              at each back edge
 *
 * Any thread may read it, a plain load is enough: what is late by a turn is seen in the next one.
 * It is the heap's and stays where it is until tm_heap_close, also across fork. NULL for NULL. */
TM_API const volatile uint32_t *tm_pending_word(const tm_heap *heap);

/* Runs what is due, here and now: call it at a safe point, where your hooks may run. Any thread,
 * one at a time: a concurrent or nested call returns 0 at once. Returns the number of actions run,
 * the built-in trim included, or TM_EINVAL for NULL. When nothing is due, a call and two loads. */
TM_API int tm_poll(tm_heap *heap);

/* When polling will help, for an action that is held back (cooldown, floor, CPU cap): the engine's
 * clock in ns (CLOCK_MONOTONIC), 0 = it can run now or nothing is pending. */
TM_API uint64_t tm_next_due_ns(const tm_heap *heap);

/* Tells of the operating system's memory pressure; it decays by one level per 2 s. 0, TM_EINVAL. */
TM_API int tm_pressure_post(tm_heap *heap, tm_pressure level);

/* ---- The log -------------------------------------------------------------------------------- */

/* One decision: what was done, or why not. */
typedef struct tm_record {
  uint64_t sequence; /* from 1 */
  uint64_t lost;     /* records that this reader missed before this one */
  uint64_t time_ns;  /* CLOCK_MONOTONIC */
  char heap[32];
  tm_verdict verdict;
  unsigned reasons; /* TM_REASON_* bits */
  unsigned policy;  /* the TM_REASON_* bit of the policy that set the trip */
  int kind;         /* tm_hook_kind of the rung, -1 = none */
  int result;       /* TM_HOOK_* of the last hook called, -1 = none was */
  tm_pressure pressure;
  unsigned environment; /* 1 << TM_SOFT, 1 << TM_HARD: limits that the environment set */
  unsigned reserved;
  uint64_t footprint_before_bytes, footprint_after_bytes;
  uint64_t committed_before_bytes, committed_after_bytes;
  uint64_t live_bytes;      /* L: footprint after the last full collection */
  uint64_t allocated_bytes; /* A: allocated since the last collection */
  uint64_t trip_before_bytes, trip_after_bytes;
  uint64_t soft_limit_bytes, hard_limit_bytes;
  uint64_t duration_ns;
  uint64_t bucket_fill_percent; /* of the CPU cap's bucket, 100 = full */
  uint64_t yield_bytes_per_ms;  /* of the rung, running mean */
  uint64_t returned_bytes;      /* trim: bytes that the operating system got back */
} tm_record;

/* The next record of the ring of 256. *cursor starts at 0 and is the reader's own. 1 = *out
 * written, 0 = no more now, TM_EINVAL. Any thread; lock-free; allocates nothing. */
TM_API int tm_log_read(tm_heap *heap, uint64_t *cursor, tm_record *out);

/* A record as one line of JSON without the line feed; the buffer rule of tm_stats_json. */
TM_API size_t tm_record_json(const tm_record *record, char *buffer, size_t capacity);

/* Totals of one rung. */
typedef struct tm_action_row {
  tm_hook_kind kind;
  uint64_t runs_total;                       /* actions run */
  uint64_t results_total[TM_HOOK_ERROR + 1]; /* by TM_HOOK_*; the built-in trim is DONE */
  uint64_t reclaimed_bytes_total;            /* fall of the footprint; trim: bytes returned */
  uint64_t duration_ns_total, duration_max_ns;
  uint64_t suppressed_total[TM_VERDICT_COUNT]; /* by verdict */
  uint64_t duration_histogram[8]; /* runs up to 10 us, 100 us, 1 ms, ... 10 s, and longer ones */
} tm_action_row;

/* 1 = *row written, 0 = kind out of range, TM_EINVAL. */
TM_API int tm_action_stats_read(const tm_heap *heap, tm_hook_kind kind, tm_action_row *row);

/* ---- The pure engine ------------------------------------------------------------------------ */

/* What the engine looks at. No field is read from anywhere else: no clock, no heap. */
typedef struct tm_inputs {
  size_t size;
  uint64_t now_ns;                /* monotonic */
  uint64_t footprint_bytes;       /* U, exact */
  uint64_t allocated_bytes_total; /* gross allocation plus positive informs, ever */
  uint64_t committed_bytes, dirty_bytes, fixable_bytes;
  uint64_t soft_limit_bytes, hard_limit_bytes; /* 0 = none */
  uint64_t shared_headroom_bytes; /* SHARED: E_i of this heap, from the group; 0 = no group: as
                                   * GROWTH. A group that has no headroom gives 1 */
  uint64_t need_bytes;            /* a request that waits, not yet in the footprint; 0 = none */
  tm_pressure pressure;           /* an event at now_ns; NONE = no event since the last call */
  unsigned hooks;                 /* 1 << tm_hook_kind for each registered kind */
  unsigned reasons;               /* latched reasons to start with */
  int emergency;                  /* 1: the one round before a request fails */
  uint64_t informed_bytes;        /* part of the footprint that is not in committed_bytes */
} tm_inputs;

typedef struct tm_policy_state tm_policy_state; /* below; plain data, copied by assignment */

/* What to do. */
typedef struct tm_decision {
  tm_verdict verdict;   /* TM_FIRED: run `kind` now. SUPPRESSED_*: why not. COUNT: no kind */
  int kind;             /* the rung; -1: nothing is due at all */
  unsigned reasons;     /* why something is due */
  unsigned policy;      /* which policy set the trip */
  uint64_t trip_bytes;  /* T in force; UINT64_MAX = none */
  uint64_t need_bytes;  /* for the hook */
  uint64_t next_due_ns; /* when a suppressed action can run; 0 = does not depend on time */
  uint64_t wake_bytes;  /* suppressed: a footprint that makes it worth asking earlier */
  uint64_t look_bytes; /* ask again at this footprint, at most T: nothing has to be due by then, but
                         * rates are only known when somebody looks */
} tm_decision;

/* What an action did, as measured by the caller. */
typedef struct tm_outcome {
  tm_hook_kind kind;
  int result; /* TM_HOOK_* */
  uint64_t start_ns, end_ns;
  uint64_t footprint_before_bytes, footprint_after_bytes;
  uint64_t committed_before_bytes, committed_after_bytes;
  uint64_t allocated_bytes_total; /* after the action */
  uint64_t returned_bytes;        /* trim: bytes that the operating system got back */
} tm_outcome;

/* One rung's memory. */
typedef struct tm_rung_state {
  uint64_t runs, last_end_ns, last_duration_ns, not_before_ns;
  double freed_bytes;       /* running mean per run */
  double duration_ns;       /* running mean per run */
  uint32_t strikes;         /* ineffective runs in a row */
  uint32_t refusals;        /* BUSY or ERROR in a row */
  int believed;             /* 1: the means tell what the next run would do */
  uint64_t allocated_bytes; /* allocated_bytes_total after the last run */
} tm_rung_state;

/* Everything the engine remembers; plain data. Made by tm_policy_state_init. Its fields are for
 * reading in tests and tools; only the functions below change them. */
struct tm_policy_state {
  size_t size;
  tm_policy policy;
  uint64_t started_ns, last_now_ns;
  uint64_t live_bytes;             /* L: footprint after the last full collection */
  uint64_t base_bytes;             /* footprint after the last run of any collection */
  uint64_t allocated_at_run_bytes; /* allocated_bytes_total then; A is the difference */
  uint64_t young_bytes;            /* Y, adapted */
  double old_headroom;             /* multiplier m of the YIELD rule, 1 to 10 */
  double young_headroom;
  double alloc_rate;    /* g, bytes per second, weighted 0.95 per 0.1 s */
  double collect_speed; /* s, live bytes per collector second, weighted 0.5 */
  uint64_t rate_mark_ns, rate_mark_bytes;
  uint64_t trip_bytes; /* T in force */
  unsigned trip_policy;
  int armed;        /* 0: T was crossed and not recomputed since */
  double bucket_ns; /* CPU cap: collector time not yet drained */
  uint64_t bucket_mark_ns;
  tm_pressure pressure;
  uint64_t pressure_mark_ns;
  uint32_t strikes; /* ineffective runs near the hard limit */
  tm_rung_state rung[TM_HOOK_KIND_COUNT];
  unsigned hooks;                              /* as last seen, */
  uint64_t soft_limit_bytes, hard_limit_bytes; /* and the limits */
  uint64_t added_bytes[2][4];   /* YIELD: growth before each of the last runs, [1] of full, */
  uint64_t removed_bytes[2][4]; /* and what they freed; [0] of minor runs */
  uint64_t collect_end_ns;      /* end of the last run of any collection */
  double young_rate;            /* net growth between minor runs, bytes per second */
  double young_fixed_ns;        /* what a minor run costs however little it has to do, */
  double young_fit[5];          /* by a line through the last runs: sums of 1, x, y, xx, xy */
  double compact_effort;        /* share of time that compaction may take, 0.01 to 0.25 */
  uint64_t edge_bytes[3];       /* no rung helps: not again below it; policy, soft, halfway */
  uint64_t peak_bytes[2];       /* demand: highest footprint of this and the last 30 s */
  uint64_t peak_mark_ns;
  uint64_t pressure_event_ns; /* the last event; rungs that ran since have answered it */
  uint64_t strike_mark_ns, strike_busy_ns; /* since the first strike: when, collector time */
  uint64_t failed_ns, failed_bytes; /* the heap was given up as full: when, footprint; 0 = not */
  int more_kind;                    /* 1 + rung that returned MORE, 0 = none */
  uint64_t more_footprint_bytes;    /* footprint before its first step, */
  uint64_t more_freed_bytes, more_duration_ns; /* and what its steps did so far */
  uint64_t debt_bytes;                         /* DEBT: D, adapted */
  uint64_t speed_samples;                      /* full collections that collect_speed comes from */
  double net_share;             /* growth between full collections per byte allocated, 0 to 1 */
  uint64_t proposed_bytes;      /* smallest of the policies' trips, before modifiers and floors; */
  uint64_t previous_trip_bytes; /* the same before the last full collection, 0 = there was none */
  uint64_t look_bytes;          /* as in tm_decision */
  uint64_t reserved[10];        /* room for later policies */
};

TM_API void tm_policy_state_init(tm_policy_state *state, const tm_policy *policy, uint64_t now_ns);

/* Decides. Pure: no clock, I/O, allocation or global state; equal arguments give equal results.
 * Updates *state only with what time and bytes alone imply (rates, bucket, decayed pressure, trip).
 * Call it again after each action until it decides for nothing. */
TM_API void tm_decide(const tm_inputs *inputs, tm_policy_state *state, tm_decision *out);

/* Feeds an action's outcome back: L, rates, yields, strikes, cooldowns, bucket, trip. Pure. */
TM_API void tm_decide_outcome(tm_policy_state *state, const tm_outcome *outcome);

#ifdef __cplusplus
}
#endif
#endif
