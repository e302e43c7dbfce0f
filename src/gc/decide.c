/*
 * decide.c - tm_decide: from numbers to the next rung, or why not. Pure: see gc.h.
 *
 * One call answers in this order; the first that fires is the answer:
 *   MORE       an incremental action goes on
 *   pressure   an event that no rung has answered yet: trim, drop caches
 *   collect    a trip at or below U: the ladder chooses among the rungs that can help
 *   near limit the heap stays full whatever is collected
 *   tidy       compact what is fragmented, trim what is committed above the soft limit
 * If none fires, the first that was held back is the answer; if none was, nothing is due.
 */
#include <string.h>

#include "gc/policy.h"

typedef struct view {
  const tm_inputs *in;
  tm_policy_state *state;
  tm__trips trips;
  uint64_t now_ns;
  uint64_t reach_bytes;   /* U plus the request that waits: what the trips are compared with */
  unsigned reasons;       /* of the trips that were reached */
  bool hard;              /* the request that waits does not fit */
  bool limit_only;        /* only a limit asks: a full run needs net growth, not just gross */
  uint64_t runaway_bytes; /* from here on no cooldown is kept: memory would run away */
  bool young;             /* the young budget is used up: a minor run is due whatever it yields */
} view;

/* ---- Answers --------------------------------------------------------------------------------- */

/* `verdict` for `kind`; keeps the first thing held back. */
static void hold(tm_decision *out, tm_hook_kind kind, tm_verdict verdict, uint64_t due_ns,
                 uint64_t wake_bytes)
{
  if (out->kind >= 0)
    return;
  out->kind = (int)kind;
  out->verdict = verdict;
  out->next_due_ns = due_ns;
  out->wake_bytes = wake_bytes;
}

static bool capped(const tm_policy_state *state)
{
  return state->policy.cpu_cap_percent < 100 && state->bucket_ns >= tm__bucket_capacity(state);
}

/* Runs `kind`, unless the cap or a heap that was given up forbids it. true iff it fires. */
static bool fire(const view *v, tm_hook_kind kind, uint64_t need_bytes, tm_decision *out)
{
  const tm_policy_state *s = v->state;
  bool collects = kind == TM_COLLECT || kind == TM_COLLECT_MINOR;
  if (capped(s)) {
    double over = s->bucket_ns - tm__bucket_capacity(s), cap = s->policy.cpu_cap_percent;
    double wait = cap > 0 ? (over + 1e6) * (100.0 - cap) / cap : 1e9;
    hold(out, kind, TM_SUPPRESSED_CAP, tm__add(v->now_ns, tm__whole(wait)), TM__NO_TRIP);
    return false;
  }
  if (s->failed_ns && collects) {
    hold(out, kind, TM_SUPPRESSED_INEFFECTIVE, s->failed_ns + TM__FAILED_NS, TM__NO_TRIP);
    return false;
  }
  out->kind = (int)kind;
  out->verdict = TM_FIRED;
  out->need_bytes = need_bytes;
  out->next_due_ns = 0;
  out->wake_bytes = TM__NO_TRIP;
  return true;
}

/* ---- One rung -------------------------------------------------------------------------------- */

typedef enum { ABSENT, USELESS, COOLING, FLOORED, WEAK, READY } standing;

static bool registered(const view *v, tm_hook_kind kind)
{
  return v->in->hooks >> kind & 1u;
}

static bool believed(const view *v, const tm_rung_state *rung)
{
  return rung->believed && v->now_ns - rung->last_end_ns < TM__BELIEF_NS;
}

static uint64_t bytes_to_floor(const view *v, tm_hook_kind kind)
{
  uint64_t since = tm__less(v->in->allocated_bytes_total, v->state->rung[kind].allocated_bytes);
  if (v->limit_only && kind == tm__full_kind(v->state))
    since = tm__min(since, tm__less(v->reach_bytes, v->state->live_bytes));
  return tm__less(tm__floor_bytes(v->state, kind), since);
}

/* A cooldown protects time, but not at any price in bytes. What the host asked for is kept: its
 * minimum interval, and the pause after BUSY. */
static bool cools(const view *v, const tm_rung_state *rung)
{
  uint64_t interval_end = tm__add(rung->last_end_ns, tm__interval_ns(v->state));
  bool asked_for = rung->refusals || v->now_ns < interval_end;
  return v->now_ns < rung->not_before_ns && (asked_for || v->reach_bytes < v->runaway_bytes);
}

static standing stand(const view *v, tm_hook_kind kind, uint64_t need)
{
  const tm_rung_state *rung = &v->state->rung[kind];
  bool due = kind == tm__full_kind(v->state) || (kind == TM_COLLECT_MINOR && v->young);
  if (!registered(v, kind))
    return ABSENT;
  bool known = !due && believed(v, rung);
  if (known && rung->freed_bytes * 8 < (double)need && !v->in->emergency && !v->hard)
    return USELESS; /* before a wait that would end in this answer */
  if (!v->in->emergency) {
    if (cools(v, rung))
      return COOLING;
    if (!v->hard && bytes_to_floor(v, kind) > 0)
      return FLOORED;
  }
  return known && rung->freed_bytes < (double)need ? WEAK : READY;
}

/* Bytes per ns; a run too short for the clock counts as one ns. */
static double rate_of(const tm_rung_state *rung)
{
  return rung->freed_bytes / (rung->duration_ns > 1 ? rung->duration_ns : 1);
}

/* A rung that cools down for a moment and is known to do the job is worth waiting for. */
static bool worth_waiting(const view *v, tm_hook_kind kind, uint64_t need)
{
  const tm_rung_state *rung = &v->state->rung[kind];
  return !v->hard && believed(v, rung) && rung->freed_bytes >= (double)tm__max(need, 1) &&
         rung->not_before_ns - v->now_ns <= TM__PATIENCE_NS;
}

/* Why `kind` cannot run now; the highest rung's reason is the one that is told. */
static void hold_rung(const view *v, tm_hook_kind kind, standing how, tm_decision *out)
{
  uint64_t due = out->next_due_ns, wake = out->wake_bytes;
  tm_verdict verdict = TM_SUPPRESSED_YIELD;
  if (how == COOLING) {
    verdict = TM_SUPPRESSED_COOLDOWN;
    uint64_t end = v->state->rung[kind].not_before_ns;
    due = due ? tm__min(due, end) : end;
    if (!v->state->rung[kind].refusals)
      wake = tm__min(wake, v->runaway_bytes);
  } else if (how == FLOORED) {
    verdict = TM_SUPPRESSED_FLOOR;
    uint64_t missing = bytes_to_floor(v, kind);
    double wait = v->state->alloc_rate > 0 ? (double)missing * 1e9 / v->state->alloc_rate : 1e8;
    wait = wait < 1e6 ? 1e6 : wait > 1e9 ? 1e9 : wait;
    uint64_t end = v->now_ns + (uint64_t)wait;
    due = due ? tm__min(due, end) : end;
    wake = tm__min(wake, tm__add(v->in->footprint_bytes, missing));
  }
  out->kind = (int)kind;
  out->verdict = verdict;
  out->next_due_ns = due;
  out->wake_bytes = wake;
}

/*
 * The ladder: among the kinds of `mask`, in order of effort, the one to run, or -1. An untried rung
 * goes before a more costly one; among tried ones that can meet the need the best bytes per ms
 * wins; those that fall short of it come when nothing better is left.
 */
static int choose(const view *v, unsigned mask, uint64_t need, tm_decision *held)
{
  static const tm_hook_kind ladder[] = {TM_TRIM, TM_DROP_CACHES, TM_COLLECT_MINOR, TM_COLLECT,
                                        TM_COMPACT};
  int best = -1, weak = -1;
  for (size_t i = 0; i < TM_ARRAY_LEN(ladder); i++) {
    tm_hook_kind kind = ladder[i];
    standing how = mask >> kind & 1u ? stand(v, kind, need) : ABSENT;
    if (how == ABSENT)
      continue;
    if (how == COOLING && best < 0 && worth_waiting(v, kind, need)) {
      hold_rung(v, kind, how, held);
      return -1;
    }
    const tm_rung_state *rung = &v->state->rung[kind];
    bool better = best < 0 || (believed(v, &v->state->rung[best]) && believed(v, rung) &&
                               rate_of(rung) > rate_of(&v->state->rung[best]));
    if (how == READY && better)
      best = (int)kind;
    else if (how == WEAK && weak < 0)
      weak = (int)kind;
    else if (how != READY && how != WEAK)
      hold_rung(v, kind, how, held);
  }
  return best >= 0 ? best : weak;
}

/* ---- The answers in their order -------------------------------------------------------------- */

static bool decide_more(view *v, tm_decision *out)
{
  if (!v->state->more_kind)
    return false;
  tm_hook_kind kind = (tm_hook_kind)(v->state->more_kind - 1);
  if (!registered(v, kind)) { /* removed in the middle of its work */
    v->state->more_kind = 0;
    return false;
  }
  v->reasons |= TM_REASON_MORE;
  if (v->now_ns < v->state->rung[kind].not_before_ns) { /* it said BUSY in between */
    hold(out, kind, TM_SUPPRESSED_COOLDOWN, v->state->rung[kind].not_before_ns, TM__NO_TRIP);
    return false;
  }
  return fire(v, kind, 0, out);
}

/* Is there memory that a trim would return? LOW keeps what the last minute's demand would need
 * again at once. */
static bool trim_helps(const view *v, tm_pressure pressure)
{
  const tm_policy_state *s = v->state;
  uint64_t demand = tm__max(s->peak_bytes[0], s->peak_bytes[1]);
  uint64_t kept = pressure == TM_PRESSURE_LOW ? tm__less(demand, v->in->footprint_bytes) : 0;
  return registered(v, TM_TRIM) || tm__less(v->in->dirty_bytes, kept) >= TM__MIB;
}

static bool decide_pressure(view *v, tm_decision *out)
{
  const tm_policy_state *s = v->state;
  if (s->pressure == TM_PRESSURE_NONE)
    return false;
  static const tm_hook_kind answers[] = {TM_TRIM, TM_DROP_CACHES};
  for (size_t i = 0; i < TM_ARRAY_LEN(answers); i++) {
    tm_hook_kind kind = answers[i];
    const tm_rung_state *rung = &s->rung[kind];
    bool helps = kind == TM_TRIM ? trim_helps(v, s->pressure) : registered(v, kind);
    bool answered = (rung->runs || rung->refusals) && rung->last_end_ns >= s->pressure_event_ns;
    if (!helps || answered)
      continue;
    v->reasons |= TM_REASON_PRESSURE;
    if (v->now_ns < rung->not_before_ns)
      hold(out, kind, TM_SUPPRESSED_COOLDOWN, rung->not_before_ns, TM__NO_TRIP);
    else if (fire(v, kind, 0, out))
      return true;
  }
  return false;
}

/* Should a full run that is due wait, because such runs free little and cost too much? Where minor
 * runs find garbage, some of it grows old: then no run of either kind is thought useless. */
static bool postponed(view *v)
{
  tm_policy_state *s = v->state;
  double ratio = tm__yield_ratio(s, true), young = tm__yield_ratio(s, false);
  uint64_t u = v->reach_bytes, live = s->live_bytes, headroom = v->trips.headroom_bytes;
  bool above_soft = v->in->soft_limit_bytes && u >= v->in->soft_limit_bytes;
  bool far = u >= tm__add(live, tm__scale(headroom, TM__HEADROOM_MAX));
  if (tm__generational(s) && s->rung[TM_COLLECT_MINOR].runs && young < ratio)
    ratio = young;
  if (ratio <= 1.0 || above_soft || s->collect_speed <= 0 || s->pressure > TM_PRESSURE_LOW)
    return false;
  double cost_ns = (double)u * 1e9 / s->collect_speed;
  double share = far ? TM__IMPATIENT_SHARE : TM__USELESS_SHARE;
  double wait_ns = cost_ns / share * (ratio - 1.0) / (TM__HEADROOM_MAX - 1.0);
  return (double)(v->now_ns - s->rung[tm__full_kind(s)].last_end_ns) < wait_ns;
}

typedef enum { NOT_DUE, DUE, POSTPONED } due;

/* The policies' own trip: is a full run due? Raises the postponement's look-out where reached. */
static due policy_due(view *v)
{
  tm_policy_state *s = v->state;
  if (v->reach_bytes < v->trips.plain_bytes)
    return NOT_DUE;
  bool cools = !tm__generational(s) && v->now_ns < s->rung[tm__full_kind(s)].not_before_ns;
  if (cools || !postponed(v)) /* the cooldown is the shorter wait, and says when it ends */
    return DUE;
  if (v->reach_bytes < v->trips.postponed_bytes)
    return NOT_DUE;
  while (v->reach_bytes >= v->trips.postponed_bytes && s->old_headroom < 1e14) {
    bool far = s->old_headroom >= TM__HEADROOM_MAX;
    double next = far ? s->old_headroom * 1.25 : s->old_headroom * 2;
    s->old_headroom = !far && next > TM__HEADROOM_MAX ? TM__HEADROOM_MAX : next;
    tm__trips_compute(s, v->in, &v->trips);
  }
  return POSTPONED;
}

typedef struct demand {
  unsigned mask;  /* kinds that can help */
  uint64_t need;  /* bytes that should go, */
  uint64_t least; /* and what a rung has to be good for: no more than can be garbage */
  bool young, policy, halfway, soft, postponed;
} demand;

static demand demands(view *v)
{
  const tm__trips *t = &v->trips;
  uint64_t reach = v->reach_bytes, slack = tm__floor_bytes(v->state, TM_COLLECT_MINOR);
  due policy = policy_due(v);
  demand d = {.policy = policy == DUE, .postponed = policy == POSTPONED};
  d.young = v->young = reach >= t->young_bytes;
  d.halfway = reach >= t->halfway_bytes;
  d.soft = reach >= t->soft_bytes;
  if (d.young)
    d.mask = 1u << TM_COLLECT_MINOR;
  if (d.policy || d.halfway) {
    d.mask = 1u << TM_COLLECT_MINOR | 1u << TM_COLLECT;
    d.need = tm__add(tm__less(reach, d.policy ? t->plain_bytes : t->halfway_bytes), slack);
  }
  if (d.soft || v->hard) {
    d.mask = 1u << TM_DROP_CACHES | 1u << TM_COLLECT_MINOR | 1u << TM_COLLECT | 1u << TM_TRIM;
    d.need = v->hard ? reach - v->in->hard_limit_bytes
                     : tm__add(tm__less(reach, t->soft_goal_bytes), TM__MIB);
  }
  uint64_t trip =
      tm__min(d.soft ? t->soft_bytes : TM__NO_TRIP, d.halfway ? t->halfway_bytes : TM__NO_TRIP);
  trip = tm__min(trip, d.policy ? t->plain_bytes : d.young ? t->young_bytes : TM__NO_TRIP);
  v->runaway_bytes = tm__add(trip, tm__max(trip, TM__RUNAWAY_BYTES));
  v->limit_only = d.soft && !d.policy && !d.halfway && !v->hard;
  uint64_t grown = tm__less(reach, v->state->live_bytes);
  d.least = v->hard ? d.need : tm__min(d.need, grown / 4 * 3);
  v->reasons |= (d.young ? TM_REASON_YOUNG : 0u) | (policy != NOT_DUE ? t->policy : 0u) |
                (d.halfway ? TM_REASON_HALFWAY : 0u) | (d.soft ? TM_REASON_SOFT : 0u) |
                (v->hard ? TM_REASON_HARD : 0u);
  return d;
}

/* No rung helps: what is due is not due again before U grew by another twentieth. */
static void raise_edges(view *v, const demand *d)
{
  uint64_t u = v->reach_bytes, edge = tm__add(u, tm__max(u / 20, TM__MIB));
  if (d->policy)
    v->state->edge_bytes[TM__EDGE_POLICY] = edge;
  if (d->soft)
    v->state->edge_bytes[TM__EDGE_SOFT] = edge;
  if (d->halfway)
    v->state->edge_bytes[TM__EDGE_HALFWAY] = edge;
}

static bool decide_collect(view *v, tm_decision *out)
{
  demand d = demands(v);
  tm_decision held = {.kind = -1, .wake_bytes = TM__NO_TRIP};
  int kind = choose(v, d.mask, d.least, &held);
  if (kind >= 0)
    return fire(v, (tm_hook_kind)kind, d.soft || v->hard ? d.need : 0, out);
  if (d.mask && !held.next_due_ns) /* nothing registered, or only rungs known to be useless */
    raise_edges(v, &d);
  if (held.kind >= 0)
    hold(out, (tm_hook_kind)held.kind, held.verdict, held.next_due_ns, held.wake_bytes);
  else if (d.mask)
    hold(out, TM_COLLECT, TM_SUPPRESSED_NO_HOOK, 0, TM__NO_TRIP);
  else if (d.postponed)
    hold(out, tm__full_kind(v->state), TM_SUPPRESSED_YIELD, 0, TM__NO_TRIP);
  return false;
}

/* Four strikes near the hard limit while most of the time went into collecting. */
static bool decide_near_limit(view *v, tm_decision *out)
{
  tm_policy_state *s = v->state;
  double elapsed = (double)(v->now_ns - s->strike_mark_ns);
  if (s->strikes < 4 || s->failed_ns || (double)s->strike_busy_ns <= 0.6 * elapsed)
    return false;
  v->reasons |= TM_REASON_HARD;
  if (registered(v, TM_NEAR_LIMIT) && v->now_ns >= s->rung[TM_NEAR_LIMIT].not_before_ns)
    return fire(v, TM_NEAR_LIMIT, 0, out);
  s->failed_ns = v->now_ns;
  s->failed_bytes = v->in->footprint_bytes;
  return false;
}

/* Compaction pays at 10 % that moving can fix; trimming when the OS backs more than the limit. */
static bool decide_tidy(view *v, tm_decision *out)
{
  const tm_policy_state *s = v->state;
  const tm_inputs *in = v->in;
  uint64_t held = in->committed_bytes, least = tm__max(4 * TM__MIB, held / 20);
  if (capped(s))
    return false; /* nothing that has to be done: not worth a held-back entry */
  if (registered(v, TM_COMPACT) && in->fixable_bytes >= tm__max(least, held / 10) &&
      v->now_ns >= s->rung[TM_COMPACT].not_before_ns) {
    v->reasons = TM_REASON_FRAGMENTED;
    return fire(v, TM_COMPACT, 0, out);
  }
  bool above = in->soft_limit_bytes && tm__add(held, in->informed_bytes) > in->soft_limit_bytes;
  if (!above || in->dirty_bytes < tm__max(TM__MIB, held / 20) ||
      v->now_ns < s->rung[TM_TRIM].not_before_ns)
    return false;
  v->reasons = TM_REASON_SOFT;
  return fire(v, TM_TRIM, 0, out);
}

/* The one round before a request fails: what is registered, in the ladder's order of promise.
 * Rounds that find just enough each time are strikes as well, and come to an end. */
static void decide_emergency(view *v, tm_decision *out)
{
  uint64_t hard = v->in->hard_limit_bytes, need = v->in->need_bytes;
  unsigned mask = 1u << TM_DROP_CACHES | 1u << TM_COLLECT_MINOR | 1u << TM_COLLECT | 1u << TM_TRIM;
  v->reasons |= TM_REASON_HARD;
  if (v->hard && decide_near_limit(v, out))
    return;
  if (v->hard)
    need = v->reach_bytes - hard;
  else
    mask |= 1u << TM_COMPACT; /* the system refused, not the limit: memory given back helps */
  int kind = choose(v, mask, need, out);
  if (kind < 0 && v->state->policy.end == TM_END_ASK && registered(v, TM_NEAR_LIMIT))
    kind = TM_NEAR_LIMIT;
  if (kind >= 0) {
    out->kind = -1;
    (void)fire(v, (tm_hook_kind)kind, need, out);
  }
}

void tm_decide(const tm_inputs *inputs, tm_policy_state *state, tm_decision *out)
{
  tm_inputs in = {0}; /* a caller built against an older header has fewer fields */
  memcpy(&in, inputs, inputs->size && inputs->size < sizeof in ? inputs->size : sizeof in);
  view v = {.in = &in, .state = state};
  v.now_ns = tm__state_advance(state, &in);
  v.reach_bytes = tm__add(in.footprint_bytes, in.need_bytes);
  v.hard = in.need_bytes && in.hard_limit_bytes && v.reach_bytes > in.hard_limit_bytes;
  tm__trips_compute(state, &in, &v.trips);
  *out = (tm_decision){.verdict = TM_VERDICT_COUNT, .kind = -1, .wake_bytes = TM__NO_TRIP};
  if (in.emergency)
    decide_emergency(&v, out);
  else if (!decide_more(&v, out) && !decide_pressure(&v, out) && !decide_near_limit(&v, out) &&
           !decide_collect(&v, out))
    (void)decide_tidy(&v, out);
  tm__trips_compute(state, &in, &v.trips); /* edges and postponement may have moved them */
  tm__trip_adopt(state, &v.trips, v.reach_bytes);
  if (out->next_due_ns) /* held back: another reason is worth another look */
    out->wake_bytes = tm__min(out->wake_bytes, tm__trips_above(&v.trips, v.reach_bytes));
  state->armed = v.reach_bytes < state->trip_bytes;
  out->trip_bytes = state->trip_bytes;
  out->look_bytes = state->look_bytes;
  out->policy = state->trip_policy;
  out->reasons = out->kind >= 0 ? v.reasons | in.reasons : 0;
}
