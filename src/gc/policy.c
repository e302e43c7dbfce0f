/* policy.c - defaults, and where each policy puts the trip. See policy.h and docs/policy.md. */
#include "gc/policy.h"

#include <math.h>
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
      .target_share_percent = 0,
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

/* Gross: U need not have grown. When U reaches this trip at least the rest of D was allocated. */
static uint64_t trip_debt(const tm_policy_state *state, const tm_inputs *inputs)
{
  uint64_t mark = state->rung[tm__full_kind(state)].allocated_bytes;
  uint64_t owed = tm__less(inputs->allocated_bytes_total, mark);
  return tm__add(inputs->footprint_bytes, tm__less(state->debt_bytes, owed));
}

/*
 * MemBalancer's rule (Kirisame, Shenoy, Panchekha, "Optimal heap limits for reducing browser memory
 * use", OOPSLA 2022): collector time per byte of headroom is the same in all heaps with the same c.
 */
static uint64_t trip_sqrt(const tm_policy_state *state, const tm_inputs *inputs)
{
  const tm_policy *p = &state->policy;
  uint64_t live = state->live_bytes, previous = state->previous_trip_bytes;
  double rate = tm__growth_rate(state), speed = state->collect_speed;
  if (state->speed_samples < 2 || !(rate > 0) || !(speed > 0))
    return trip_growth(state, inputs);
  double ratio = rate / speed, headroom;
  if (p->target_share_percent)
    headroom = (double)live * ratio * 100.0 / p->target_share_percent;
  else /* c = q * q / unit */
    headroom = sqrt((double)tm__add(live, TM__SQRT_SMALL_BYTES) * ratio * TM__SQRT_UNIT_BYTES) *
               100.0 / p->collector_share_percent;
  uint64_t least = tm__max(TM__SQRT_LEAST_BYTES, live / 20);
  uint64_t most = tm__max(tm__scale(live, TM__SQRT_LIVES), least);
  uint64_t bytes = headroom < (double)most ? tm__max((uint64_t)headroom, least) : most;
  if (previous) /* one strange measurement must not double the heap twice */
    bytes = tm__min(bytes, tm__max(tm__less(tm__add(previous, previous), live), least));
  return tm__add(live, bytes);
}

static uint64_t trip_shared(const tm_policy_state *state, const tm_inputs *inputs)
{
  uint64_t share = inputs->shared_headroom_bytes;
  return share ? tm__add(state->live_bytes, share) : trip_growth(state, inputs);
}

static const proposer proposers[] = {
    {TM_POLICY_FIXED, TM_REASON_FIXED, trip_fixed},
    {TM_POLICY_GROWTH, TM_REASON_GROWTH, trip_growth},
    {TM_POLICY_DEBT, TM_REASON_DEBT, trip_debt},
    {TM_POLICY_SQRT, TM_REASON_SQRT, trip_sqrt},
    {TM_POLICY_SHARED, TM_REASON_SHARED, trip_shared},
};

/* Not proposers: they change the headroom that the proposers leave. */
enum { MODIFIERS = TM_POLICY_PRESSURE | TM_POLICY_YIELD };
enum {
  KNOWN = TM_POLICY_FIXED | TM_POLICY_GROWTH | TM_POLICY_DEBT | TM_POLICY_SQRT | TM_POLICY_SHARED |
          MODIFIERS
};

/* A number that a policy of `kinds` divides by or starts from. */
static bool missing(const tm_policy *p, unsigned kinds, uint64_t value)
{
  return p->kinds & kinds && !value;
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
      p.collector_share_percent > 100 || p.target_share_percent > 100)
    return TM_EINVAL;
  if (missing(&p, TM_POLICY_GROWTH | TM_POLICY_SQRT | TM_POLICY_SHARED, p.growth_percent) ||
      missing(&p, TM_POLICY_FIXED, p.fixed_bytes) || missing(&p, TM_POLICY_DEBT, p.debt_bytes) ||
      missing(&p, TM_POLICY_SQRT, p.collector_share_percent))
    return TM_EINVAL;
  *out = p;
  return 0;
}

/* ---- State ----------------------------------------------------------------------------------- */

void tm_policy_state_init(tm_policy_state *state, const tm_policy *policy, uint64_t now_ns)
{
  memset(state, 0, sizeof *state);
  state->size = sizeof *state;
  tm_policy checked;
  if (!policy || tm__policy_check(policy, &checked))
    tm_policy_init(&checked);
  tm__policy_adopt(state, &checked);
  state->started_ns = state->last_now_ns = now_ns;
  state->rate_mark_ns = state->bucket_mark_ns = state->peak_mark_ns = now_ns;
  state->collect_end_ns = now_ns;
  state->net_share = 1.0;
  state->compact_effort = 0.25;
  state->armed = 1;
  state->trip_bytes = state->look_bytes = TM__NO_TRIP;
}

void tm__policy_adopt(tm_policy_state *state, const tm_policy *policy)
{
  state->policy = *policy;
  state->young_bytes = policy->young_bytes;
  state->debt_bytes = policy->debt_bytes;
  state->old_headroom = state->young_headroom = 1.0;
}

uint64_t tm__interval_ns(const tm_policy_state *state)
{
  uint64_t ns;
  bool wraps = __builtin_mul_overflow(state->policy.min_interval_ms, TM__MILLISECOND, &ns);
  return wraps ? UINT64_MAX : ns;
}

double tm__growth_rate(const tm_policy_state *state)
{
  return state->alloc_rate * state->net_share;
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
  uint64_t percent3 = soft / 100 * 3 + soft % 100 * 3 / 100; /* never falls as S rises */
  uint64_t goal = tm__less(tm__less(soft, overhead), tm__max(percent3, TM__MIB));
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
  t->proposed_bytes = t->plain_bytes;
  if (t->plain_bytes != TM__NO_TRIP) {
    uint64_t floor = tm__floor_bytes(state, tm__full_kind(state));
    t->headroom_bytes = tm__max(squeeze(live, t->plain_bytes, factor) - live, floor);
    uint64_t later = tm__scale(t->headroom_bytes, state->old_headroom);
    later = tm__max(later, t->headroom_bytes); /* beyond 2^53 a double is coarse */
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
  tm__trip_adopt(state, &trips, in->footprint_bytes);
}

/* Rates are only known at looks, and one that was measured in a storm would stay until the heap has
 * filled the headroom that it earned: SQRT also looks at an eighth, a quarter and half of it. */
static uint64_t look_out(const tm_policy_state *state, uint64_t trip, uint64_t reach_bytes)
{
  uint64_t live = state->live_bytes, headroom = tm__less(trip, live);
  if (state->trip_policy != TM_REASON_SQRT || headroom < TM__SQRT_LOOK_BYTES || trip == TM__NO_TRIP)
    return trip;
  for (unsigned shift = 3; shift; shift--)
    if (tm__add(live, headroom >> shift) > reach_bytes)
      return tm__add(live, headroom >> shift);
  return trip;
}

void tm__trip_adopt(tm_policy_state *state, const tm__trips *trips, uint64_t reach_bytes)
{
  state->trip_bytes = tm__trips_lowest(trips, &state->trip_policy);
  state->look_bytes = look_out(state, state->trip_bytes, reach_bytes);
  state->proposed_bytes = trips->proposed_bytes;
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
