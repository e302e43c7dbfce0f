/* policy.c - defaults, and where each policy puts the trip. See policy.h and docs/policy.md. */
#include "gc/policy.h"

#include <string.h>

/* ---- The policy struct ----------------------------------------------------------------------- */

void tm_policy_init(tm_policy *policy)
{
  *policy = (tm_policy){
      .size = sizeof *policy,
      .kinds = TM_POLICY_GROWTH | TM_POLICY_PRESSURE | TM_POLICY_YIELD,
      .fixed_bytes = 64 * TM__MIB,
      .growth_percent = 100,
      .growth_floor_bytes = 4 * TM__MIB,
      .debt_bytes = 16 * TM__MIB,
      .collector_share_percent = 2,
      .young_bytes = 8 * TM__MIB,
      .min_interval_ms = 0,
      .cpu_cap_percent = 50,
      .end = TM_END_FAIL,
      .reserve_bytes = (uint64_t)64 << 10,
  };
}

/* ---- Proposers: one small pure function per policy, and one row ------------------------------ */

typedef uint64_t (*trip_fn)(const tm_policy_state *state, const tm_inputs *inputs);

typedef struct proposer {
  unsigned kind;   /* TM_POLICY_* bit that switches it on */
  unsigned reason; /* TM_REASON_* bit that the log shows */
  trip_fn trip;
} proposer;

static uint64_t trip_fixed(const tm_policy_state *state, const tm_inputs *inputs)
{
  (void)inputs;
  return state->policy.fixed_bytes;
}

static uint64_t trip_growth(const tm_policy_state *state, const tm_inputs *inputs)
{
  (void)inputs;
  uint64_t live = state->live_bytes, percent = state->policy.growth_percent, growth;
  if (__builtin_mul_overflow(live, percent, &growth))
    growth = UINT64_MAX;
  return tm__add(live, tm__max(state->policy.growth_floor_bytes, growth / 100));
}

static const proposer proposers[] = {
    {TM_POLICY_FIXED, TM_REASON_FIXED, trip_fixed},
    {TM_POLICY_GROWTH, TM_REASON_GROWTH, trip_growth},
};

/* Not proposers: they change the headroom that the proposers leave. */
enum { MODIFIERS = TM_POLICY_PRESSURE | TM_POLICY_YIELD };
enum {
  KNOWN = TM_POLICY_FIXED | TM_POLICY_GROWTH | TM_POLICY_DEBT | TM_POLICY_SQRT | TM_POLICY_SHARED |
          MODIFIERS
};

static unsigned supported_kinds(void)
{
  unsigned kinds = MODIFIERS;
  for (size_t i = 0; i < TM_ARRAY_LEN(proposers); i++)
    kinds |= proposers[i].kind;
  return kinds;
}

int tm__policy_check(const tm_policy *policy, tm_policy *out)
{
  if (!policy || policy->size < offsetof(tm_policy, fixed_bytes) || policy->size > sizeof *policy)
    return TM_EINVAL;
  tm_policy p;
  tm_policy_init(&p);
  memcpy(&p, policy, policy->size);
  p.size = sizeof p;
  if (p.kinds & ~(unsigned)KNOWN || (unsigned)p.end > TM_END_ASK || p.cpu_cap_percent > 100 ||
      p.collector_share_percent > 100 || ((p.kinds & TM_POLICY_GROWTH) && !p.growth_percent) ||
      ((p.kinds & TM_POLICY_FIXED) && !p.fixed_bytes))
    return TM_EINVAL;
  if (p.kinds & ~supported_kinds())
    return TM_ENOTSUP;
  *out = p;
  return 0;
}

/* ---- State ----------------------------------------------------------------------------------- */

void tm_policy_state_init(tm_policy_state *state, const tm_policy *policy, uint64_t now_ns)
{
  memset(state, 0, sizeof *state);
  state->size = sizeof *state;
  if (!policy || tm__policy_check(policy, &state->policy))
    tm_policy_init(&state->policy);
  state->started_ns = state->last_now_ns = now_ns;
  state->rate_mark_ns = state->bucket_mark_ns = state->peak_mark_ns = now_ns;
  state->collect_end_ns = now_ns;
  state->young_bytes = state->policy.young_bytes;
  state->old_headroom = state->young_headroom = 1.0;
  state->compact_effort = 0.25;
  state->armed = 1;
  state->trip_bytes = TM__NO_TRIP;
}

bool tm__generational(const tm_policy_state *state)
{
  unsigned both = 1u << TM_COLLECT_MINOR | 1u << TM_COLLECT;
  return (state->hooks & both) == both && state->policy.young_bytes > 0;
}

tm_hook_kind tm__full_kind(const tm_policy_state *state)
{
  unsigned both = 1u << TM_COLLECT_MINOR | 1u << TM_COLLECT;
  return (state->hooks & both) == 1u << TM_COLLECT_MINOR ? TM_COLLECT_MINOR : TM_COLLECT;
}

uint64_t tm__floor_bytes(const tm_policy_state *state, tm_hook_kind kind)
{
  uint64_t twentieth = state->live_bytes / 20;
  if (kind == tm__full_kind(state)) { /* backs off while it frees little */
    uint64_t strikes = tm__min(state->rung[kind].strikes, 3);
    return tm__max(TM__FLOOR_BYTES, twentieth) * (1 + strikes);
  }
  if (kind == TM_COLLECT_MINOR) /* costs in proportion to what is young, not to L */
    return tm__max(TM__FLOOR_BYTES, tm__min(twentieth, TM__YOUNG_FLOOR_MAX));
  return TM__FLOOR_BYTES;
}

/* clamp(added / removed, 1, 10) */
static double ratio_of(uint64_t added, uint64_t removed)
{
  if (added <= removed)
    return 1.0;
  double ratio = removed ? (double)added / (double)removed : TM__HEADROOM_MAX;
  return ratio < TM__HEADROOM_MAX ? ratio : TM__HEADROOM_MAX;
}

double tm__yield_ratio(const tm_policy_state *state, bool full)
{
  const uint64_t *add = state->added_bytes[full], *remove = state->removed_bytes[full];
  uint64_t added = 0, removed = 0;
  if (!(state->policy.kinds & TM_POLICY_YIELD))
    return 1.0;
  for (size_t i = 0; i < 4; i++) {
    added = tm__add(added, add[i]);
    removed = tm__add(removed, remove[i]);
  }
  size_t last = state->rung[full ? tm__full_kind(state) : TM_COLLECT_MINOR].runs % 4;
  double window = ratio_of(added, removed), latest = ratio_of(add[last], remove[last]);
  return window < latest ? window : latest;
}

/* ---- Trips ----------------------------------------------------------------------------------- */

static double pressure_factor(const tm_policy_state *state)
{
  static const double factors[] = {1.0, 0.5, 0.25, 0.0};
  return state->policy.kinds & TM_POLICY_PRESSURE ? factors[state->pressure] : 1.0;
}

/* The trip with its headroom above `from` scaled by pressure. */
static uint64_t squeeze(uint64_t from, uint64_t trip, double factor)
{
  return trip > from ? tm__add(from, tm__scale(trip - from, factor)) : from;
}

/* What the soft limit leaves for the footprint: the heap's own overhead and a margin off. */
static uint64_t soft_goal(const tm_inputs *in)
{
  uint64_t soft = in->soft_limit_bytes;
  uint64_t live = tm__less(in->footprint_bytes, in->informed_bytes);
  uint64_t overhead = tm__less(tm__less(in->committed_bytes, in->dirty_bytes), live);
  uint64_t goal = tm__less(tm__less(soft, overhead), tm__max(soft / 100 * 3, TM__MIB));
  /* Small heaps on large pages have more overhead than data: half of S is left for data. */
  return tm__max(goal, soft / 2);
}

static void propose(const tm_policy_state *state, const tm_inputs *in, tm__trips *t)
{
  for (size_t i = 0; i < TM_ARRAY_LEN(proposers); i++) {
    if (!(state->policy.kinds & proposers[i].kind))
      continue;
    uint64_t trip = proposers[i].trip(state, in);
    if (trip < t->plain_bytes) {
      t->plain_bytes = trip;
      t->policy = proposers[i].reason;
    }
  }
}

static void limit_trips(const tm_policy_state *state, const tm_inputs *in, double factor,
                        tm__trips *t)
{
  uint64_t live = state->live_bytes, hard = in->hard_limit_bytes;
  uint64_t lowest = tm__add(live, tm__floor_bytes(state, tm__full_kind(state)));
  if (tm__generational(state)) /* where either generation may run */
    lowest = tm__min(lowest, tm__add(state->base_bytes, tm__floor_bytes(state, TM_COLLECT_MINOR)));
  if (in->soft_limit_bytes) {
    t->soft_goal_bytes = soft_goal(in);
    uint64_t trip = squeeze(live, tm__max(t->soft_goal_bytes, live), factor);
    t->soft_bytes = tm__max(tm__max(trip, lowest), state->edge_bytes[TM__EDGE_SOFT]);
  }
  if (hard > live) {
    uint64_t trip = squeeze(live, live + (hard - live) / 2, factor);
    t->halfway_bytes = tm__max(tm__max(trip, lowest), state->edge_bytes[TM__EDGE_HALFWAY]);
  }
}

void tm__trips_compute(const tm_policy_state *state, const tm_inputs *in, tm__trips *t)
{
  uint64_t live = state->live_bytes;
  double factor = pressure_factor(state);
  *t = (tm__trips){.plain_bytes = TM__NO_TRIP,
                   .postponed_bytes = TM__NO_TRIP,
                   .soft_bytes = TM__NO_TRIP,
                   .halfway_bytes = TM__NO_TRIP,
                   .young_bytes = TM__NO_TRIP};
  propose(state, in, t);
  if (t->plain_bytes != TM__NO_TRIP) {
    uint64_t floor = tm__floor_bytes(state, tm__full_kind(state));
    t->headroom_bytes = tm__max(squeeze(live, t->plain_bytes, factor) - live, floor);
    uint64_t later = tm__scale(t->headroom_bytes, state->old_headroom);
    uint64_t edge = state->edge_bytes[TM__EDGE_POLICY];
    t->plain_bytes = tm__max(tm__add(live, t->headroom_bytes), edge);
    t->postponed_bytes = tm__max(tm__add(live, later), edge);
  }
  limit_trips(state, in, factor, t);
  if (tm__generational(state)) {
    uint64_t young = tm__scale(state->young_bytes, factor);
    young = tm__max(young, tm__floor_bytes(state, TM_COLLECT_MINOR));
    t->young_bytes = tm__add(state->base_bytes, young);
  }
}

uint64_t tm__trips_lowest(const tm__trips *t, unsigned *policy)
{
  uint64_t lowest = t->postponed_bytes;
  *policy = t->policy;
  if (t->young_bytes < lowest) {
    lowest = t->young_bytes;
    *policy = TM_REASON_YOUNG;
  }
  if (t->halfway_bytes < lowest) {
    lowest = t->halfway_bytes;
    *policy = TM_REASON_HALFWAY;
  }
  if (t->soft_bytes < lowest) {
    lowest = t->soft_bytes;
    *policy = TM_REASON_SOFT;
  }
  return lowest;
}

void tm__trip_refresh(tm_policy_state *state, const tm_inputs *in)
{
  tm__trips trips;
  tm__trips_compute(state, in, &trips);
  state->trip_bytes = tm__trips_lowest(&trips, &state->trip_policy);
}

uint64_t tm__trips_above(const tm__trips *t, uint64_t footprint_bytes)
{
  const uint64_t all[] = {t->plain_bytes, t->postponed_bytes, t->soft_bytes, t->halfway_bytes,
                          t->young_bytes};
  uint64_t above = TM__NO_TRIP;
  for (size_t i = 0; i < TM_ARRAY_LEN(all); i++)
    if (all[i] > footprint_bytes)
      above = tm__min(above, all[i]);
  return above;
}

/* ---- The CPU cap ----------------------------------------------------------------------------- */

double tm__bucket_capacity(const tm_policy_state *state)
{
  return state->policy.cpu_cap_percent ? (double)TM__BUCKET_NS : 0.0;
}

void tm__bucket_drain(tm_policy_state *state, uint64_t now_ns)
{
  if (now_ns <= state->bucket_mark_ns)
    return;
  unsigned cap = state->policy.cpu_cap_percent;
  double passed = (double)(now_ns - state->bucket_mark_ns);
  state->bucket_mark_ns = now_ns;
  state->bucket_ns -= cap < 100 ? passed * cap / (100 - cap) : state->bucket_ns;
  if (state->bucket_ns < 0)
    state->bucket_ns = 0;
}
