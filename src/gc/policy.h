/*
 * policy.h - inside the pure engine: advance.c lets time pass, policy.c proposes trips, decide.c
 * chooses a rung, outcome.c learns from what it did. Nothing here knows a clock, a lock or a heap.
 *
 *   U footprint   L after the last full collection   base after the last run of any, or lower
 *   T = min( policies: max(L + headroom * pressure * postponement, L + floor),
 *            SOFT, HALFWAY: max(.., L + floor or base + young floor),
 *            YOUNG: base + Y * pressure )
 *   nothing is due  =>  U < T
 */
#ifndef TM_GC_POLICY_H
#define TM_GC_POLICY_H

#include <tidemark/gc.h>

#include "base/hints.h"

#define TM__MIB ((uint64_t)1 << 20)
#define TM__MILLISECOND ((uint64_t)1000000)
#define TM__SECOND ((uint64_t)1000000000)
#define TM__NO_TRIP UINT64_MAX

/* Numbers that no field of tm_policy sets; docs/policy.md says why each is so. */
#define TM__FLOOR_BYTES TM__MIB
#define TM__YOUNG_FLOOR_MAX (4 * TM__MIB)
#define TM__HEADROOM_MAX 10.0
#define TM__USELESS_SHARE 0.04   /* of elapsed time, for full runs that free little, */
#define TM__IMPATIENT_SHARE 0.10 /* and beyond ten times the headroom */
#define TM__SHORT_RUN_NS TM__MILLISECOND
#define TM__RUNAWAY_BYTES (64 * TM__MIB)
#define TM__YOUNG_FIXED_SHARE 0.01
#define TM__BUCKET_NS TM__SECOND
#define TM__PRESSURE_STEP_NS (2 * TM__SECOND)
#define TM__DEMAND_NS (30 * TM__SECOND)
#define TM__TRIM_INTERVAL_NS TM__SECOND
#define TM__BELIEF_NS (10 * TM__SECOND) /* how long a measured yield counts */
#define TM__PATIENCE_NS (100 * TM__MILLISECOND)
#define TM__FAILED_NS TM__SECOND
#define TM__MORE_WAKE_BYTES ((uint64_t)64 << 10)
#define TM__COMPACT_DECAY 0.86   /* 22 useless passes from 25 % of the time to 1 % */
#define TM__RATE_WINDOW_NS 1.9e9 /* weight of a sample of t: t / (t + this); 0.05 for 0.1 s */
#define TM__DEBT_GROWTH 1.4
#define TM__DEBT_DECAY 0.98
#define TM__DEBT_LIVES 4                   /* D is at most that many times L */
#define TM__SQRT_SMALL_BYTES (4 * TM__MIB) /* added to L: what a run costs however little lives */
#define TM__SQRT_UNIT_BYTES ((double)TM__MIB) /* L * g / s of the heap that the share is for */
#define TM__SQRT_LEAST_BYTES (2 * TM__MIB)
#define TM__SQRT_LOOK_BYTES (16 * TM__MIB) /* a smaller E is not looked at on the way */
#define TM__SQRT_LIVES 3                   /* E is at most that many times L */

TM_INLINE uint64_t tm__add(uint64_t a, uint64_t b)
{
  return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

TM_INLINE uint64_t tm__less(uint64_t a, uint64_t b)
{
  return a > b ? a - b : 0;
}

TM_INLINE uint64_t tm__min(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

TM_INLINE uint64_t tm__max(uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

/* x >= 0 as a whole number, saturating. */
TM_INLINE uint64_t tm__whole(double x)
{
  return x < 18446744073709549568.0 ? (uint64_t)x : UINT64_MAX;
}

/* a * factor, factor >= 0, saturating. */
TM_INLINE uint64_t tm__scale(uint64_t a, double factor)
{
  return tm__whole((double)a * factor);
}

/* The index of tm_policy_state.edge_bytes. */
enum { TM__EDGE_POLICY, TM__EDGE_SOFT, TM__EDGE_HALFWAY, TM__EDGE_COUNT };

/* What is due at which footprint. TM__NO_TRIP: never. */
typedef struct tm__trips {
  uint64_t plain_bytes;     /* smallest policy's trip, not postponed: a full run is due */
  uint64_t postponed_bytes; /* the same after YIELD's postponement: when to look again */
  unsigned policy;          /* which policy that is, */
  uint64_t proposed_bytes;  /* and its trip before modifiers and floors */
  uint64_t headroom_bytes;  /* its trip above L, before postponement */
  uint64_t soft_bytes, halfway_bytes, young_bytes;
  uint64_t soft_goal_bytes; /* what SOFT wants, before floors: actions free down to it */
} tm__trips;

/* 0 or TM_EINVAL, as tm_policy_set; *out is the policy with defaults for the fields
 * that an older caller's struct does not have. */
TM_HIDDEN int tm__policy_check(const tm_policy *policy, tm_policy *out);

/* Both generations registered and a young budget asked for? */
TM_HIDDEN bool tm__generational(const tm_policy_state *state);
/* The rung that counts as full: COLLECT, or MINOR where it is all there is. */
TM_HIDDEN tm_hook_kind tm__full_kind(const tm_policy_state *state);
/* Least bytes allocated between two runs of a rung. */
TM_HIDDEN uint64_t tm__floor_bytes(const tm_policy_state *state, tm_hook_kind kind);
/* added / removed over the last four runs, or in the last one if that is less, 1 to 10: garbage
 * that comes back is believed at once. 1 without the policy YIELD. */
TM_HIDDEN double tm__yield_ratio(const tm_policy_state *state, bool full);

TM_HIDDEN void tm__trips_compute(const tm_policy_state *state, const tm_inputs *inputs,
                                 tm__trips *out);
/* The smallest of them, and the TM_REASON_* bit of the policy that set it. */
TM_HIDDEN uint64_t tm__trips_lowest(const tm__trips *trips, unsigned *policy);

/* The policy's least time between two runs of a rung. */
TM_HIDDEN uint64_t tm__interval_ns(const tm_policy_state *state);
/* Net growth per second of the host's own time: g without what dies by itself. 0 = not known. */
TM_HIDDEN double tm__growth_rate(const tm_policy_state *state);
/* Takes over a policy that tm__policy_check filled; budgets start again. */
TM_HIDDEN void tm__policy_adopt(tm_policy_state *state, const tm_policy *policy);

/* Puts the lowest trip into state, and the next look-out on the way to it. */
TM_HIDDEN void tm__trip_adopt(tm_policy_state *state, const tm__trips *trips, uint64_t reach_bytes);
/* Puts the trip that follows from state and inputs into state. */
TM_HIDDEN void tm__trip_refresh(tm_policy_state *state, const tm_inputs *inputs);
/* The smallest of them above a footprint: where the next reason comes. */
TM_HIDDEN uint64_t tm__trips_above(const tm__trips *trips, uint64_t footprint_bytes);

/* Lets time pass up to the inputs'; returns it (it never runs backwards). */
TM_HIDDEN uint64_t tm__state_advance(tm_policy_state *state, const tm_inputs *inputs);

/* The CPU cap's bucket at now_ns. */
TM_HIDDEN void tm__bucket_drain(tm_policy_state *state, uint64_t now_ns);
TM_HIDDEN double tm__bucket_capacity(const tm_policy_state *state);

#endif
