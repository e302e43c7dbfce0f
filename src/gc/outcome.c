/* outcome.c - tm_decide_outcome: what the engine learns from an action. Pure: see gc.h. */
#include "gc/policy.h"

/* What a whole action did: several steps that returned MORE count as one. */
typedef struct result {
  uint64_t before_bytes, after_bytes, freed_bytes;
  uint64_t duration_ns, end_ns;
  uint64_t allocated_bytes; /* since the last run of this rung */
  bool full;                /* counts as the full collection of this host */
} result;

static double blend(double mean, double sample, bool first)
{
  return first ? sample : 0.5 * mean + 0.5 * sample;
}

/* ---- Each rung ------------------------------------------------------------------------------- */

/* Cooldown: the minimum interval, and four times the run: 20 % duty. Runs below a millisecond are
 * not worth waiting for: floor and CPU cap bound them, and memory would run away meanwhile. */
static uint64_t cooldown_ns(const tm_policy_state *state, tm_hook_kind kind, uint64_t duration_ns)
{
  uint64_t rest = duration_ns >= TM__SHORT_RUN_NS ? tm__scale(duration_ns, 4) : 0;
  uint64_t wait = tm__max(tm__interval_ns(state), rest);
  if (kind == TM_TRIM)
    wait = tm__max(wait, TM__TRIM_INTERVAL_NS);
  return wait;
}

/* Not now: ask again after 10 ms, 20 ms, ... 1.28 s. */
static void learn_refusal(tm_policy_state *state, const tm_outcome *o)
{
  tm_rung_state *rung = &state->rung[o->kind];
  uint64_t step = tm__min(rung->refusals, 7);
  uint64_t wait = tm__max((10 * TM__MILLISECOND) << step,
                          cooldown_ns(state, o->kind, tm__less(o->end_ns, o->start_ns)));
  rung->refusals++;
  rung->last_end_ns = o->end_ns;
  rung->not_before_ns = tm__add(o->end_ns, wait);
}

static void learn_rung(tm_policy_state *state, const tm_outcome *o, const result *r)
{
  tm_rung_state *rung = &state->rung[o->kind];
  bool first = rung->runs == 0;
  rung->runs++;
  rung->refusals = 0;
  rung->believed = 1;
  rung->last_end_ns = r->end_ns;
  rung->last_duration_ns = r->duration_ns;
  rung->not_before_ns = tm__add(r->end_ns, cooldown_ns(state, o->kind, r->duration_ns));
  rung->freed_bytes = blend(rung->freed_bytes, (double)r->freed_bytes, first);
  rung->duration_ns = blend(rung->duration_ns, (double)r->duration_ns, first);
  rung->allocated_bytes = o->allocated_bytes_total;
}

/* ---- Collections ----------------------------------------------------------------------------- */

static void remember_yield(tm_policy_state *state, const result *r, uint64_t from, uint64_t runs)
{
  state->added_bytes[r->full][runs % 4] = tm__less(r->before_bytes, from);
  state->removed_bytes[r->full][runs % 4] = r->freed_bytes;
}

/* Strikes: runs that freed next to nothing; those near the hard limit lead to the end policy. */
static void learn_strike(tm_policy_state *state, tm_rung_state *rung, const result *r)
{
  uint64_t hard = state->hard_limit_bytes;
  if (r->freed_bytes >= tm__max(TM__MIB, r->before_bytes / 20)) {
    rung->strikes = 0;
    state->strikes = 0;
    return;
  }
  rung->strikes++;
  if (!hard || r->after_bytes <= hard / 10 * 8) {
    state->strikes = 0;
    return;
  }
  if (state->strikes++ == 0) {
    state->strike_mark_ns = r->end_ns - r->duration_ns;
    state->strike_busy_ns = 0;
  }
  state->strike_busy_ns += r->duration_ns;
}

/*
 * What a minor run costs however little is young: where the line through (young bytes, duration) of
 * the last runs, older ones weighing less, meets zero bytes. While the runs are alike there is no
 * line; then the last answer fades.
 */
static void fit_young(tm_policy_state *state, double bytes, double duration)
{
  double *fit = state->young_fit;
  const double sample[] = {1, bytes, duration, bytes * bytes, bytes * duration};
  double keep = 0.875;
  if (duration * 4 * fit[0] < fit[2]) /* so much shorter: the host does something else now */
    keep = 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(sample); i++)
    fit[i] = keep * fit[i] + sample[i];
  double mean = fit[1] / fit[0], mean_ns = fit[2] / fit[0];
  double variance = fit[3] / fit[0] - mean * mean;
  if (variance < 0.04 * mean * mean) {
    state->young_fixed_ns *= 0.9;
    return;
  }
  double slope = (fit[4] / fit[0] - mean * mean_ns) / variance;
  double fixed = mean_ns - (slope > 0 ? slope : 0) * mean;
  state->young_fixed_ns = fixed > mean_ns / 2 ? fixed : 0; /* less is noise, and not worth much */
}

/*
 * The young budget. YIELD widens it while minor runs free little, and the fixed cost of a run has
 * to stay below 1 % of the time between two. But a budget beyond a quarter of the heap would show
 * in the peak, and beyond ten times the first one nothing is won. While minor runs on a large heap
 * take more than 1 % of the time, every other budget is half as large again: a line for the fit.
 */
static void adapt_young(tm_policy_state *state, const result *r, uint64_t from, uint64_t since_ns)
{
  double least = (double)state->policy.young_bytes, duration = (double)r->duration_ns;
  double elapsed = (double)tm__less(r->end_ns - r->duration_ns, since_ns);
  double grown = (double)tm__less(r->before_bytes, from);
  fit_young(state, grown, duration);
  if (elapsed > 0)
    state->young_rate = blend(state->young_rate, grown * 1e9 / elapsed, state->young_rate <= 0);
  state->young_headroom = tm__yield_ratio(state, false);
  double wanted = least * state->young_headroom;
  double fixed = state->young_fixed_ns / TM__YOUNG_FIXED_SHARE * state->young_rate / 1e9;
  double most = (double)r->after_bytes / 4;
  most = most < least ? least : most;
  most = most > least * TM__HEADROOM_MAX ? least * TM__HEADROOM_MAX : most;
  wanted = wanted < fixed ? fixed : wanted;
  wanted = wanted < most ? wanted : most;
  bool costly = duration > TM__YOUNG_FIXED_SHARE * elapsed && wanted * 1.5 <= most;
  bool odd = state->rung[TM_COLLECT_MINOR].runs % 2;
  state->young_bytes = tm__whole(wanted * (costly && odd ? 1.5 : 1.0));
}

/* D: a run that came late is answered by a larger one; else it shrinks slowly back. The numbers are
 * those of Ruby's malloc limit. */
static void learn_debt(tm_policy_state *state, const result *r)
{
  uint64_t debt = state->debt_bytes, most = tm__scale(r->after_bytes, TM__DEBT_LIVES);
  if (r->allocated_bytes > debt)
    debt = tm__min(tm__scale(r->allocated_bytes, TM__DEBT_GROWTH), most);
  else
    debt = tm__scale(debt, TM__DEBT_DECAY);
  state->debt_bytes = tm__max(debt, state->policy.debt_bytes);
}

/* How much of what is allocated stays until it is collected: the rest is freed by the host. */
static void learn_net_share(tm_policy_state *state, const result *r, bool first)
{
  if (!r->allocated_bytes)
    return;
  double grown = (double)tm__less(r->before_bytes, state->live_bytes);
  double share = grown / (double)r->allocated_bytes;
  state->net_share = blend(state->net_share, share < 1.0 ? share : 1.0, first);
}

static void learn_full(tm_policy_state *state, const tm_outcome *o, const result *r)
{
  tm_rung_state *rung = &state->rung[o->kind];
  remember_yield(state, r, state->live_bytes, rung->runs);
  learn_strike(state, rung, r);
  learn_debt(state, r);
  learn_net_share(state, r, rung->runs == 1);
  if (r->duration_ns) {
    double speed = (double)r->after_bytes * 1e9 / (double)r->duration_ns;
    state->collect_speed = blend(state->collect_speed, speed, state->collect_speed <= 0);
    state->speed_samples++;
  }
  state->previous_trip_bytes = state->proposed_bytes != TM__NO_TRIP ? state->proposed_bytes : 0;
  state->live_bytes = r->after_bytes;
  state->old_headroom = 1.0;
  if (rung->strikes == 0) /* there was garbage: what minor runs freed before tells nothing now */
    state->rung[TM_COLLECT_MINOR].believed = 0;
}

static void learn_minor(tm_policy_state *state, const tm_outcome *o, const result *r)
{
  remember_yield(state, r, state->base_bytes, state->rung[o->kind].runs);
  adapt_young(state, r, state->base_bytes, state->collect_end_ns);
  /* What was live died by itself: L follows slowly, so that a dip does not cause a full run. */
  if (r->after_bytes < state->live_bytes)
    state->live_bytes -= (state->live_bytes - r->after_bytes) / 8;
}

static void learn_collection(tm_policy_state *state, const tm_outcome *o, const result *r)
{
  if (r->full)
    learn_full(state, o, r);
  else
    learn_minor(state, o, r);
  state->base_bytes = r->after_bytes;
  state->collect_end_ns = r->end_ns;
  state->allocated_at_run_bytes = o->allocated_bytes_total;
  for (size_t i = 0; i < TM__EDGE_COUNT; i++)
    state->edge_bytes[i] = 0;
}

/* ---- Compaction and the end ------------------------------------------------------------------ */

/* Effort: 25 % of time, a seventh less after each pass that improved less than 2 %, down to 1 %. */
static void learn_compaction(tm_policy_state *state, const tm_outcome *o, const result *r)
{
  tm_rung_state *rung = &state->rung[TM_COMPACT];
  uint64_t improved = tm__less(o->committed_before_bytes, o->committed_after_bytes);
  bool poor = improved < o->committed_before_bytes / 50;
  state->compact_effort *= poor ? TM__COMPACT_DECAY : 1.0;
  if (state->compact_effort < 0.01)
    state->compact_effort = 0.01;
  rung->strikes = poor ? rung->strikes + 1 : 0;
  if (!poor)
    state->compact_effort = 0.25;
  double wait = (double)r->duration_ns * (1.0 / state->compact_effort - 1.0);
  uint64_t pause = poor ? TM__SECOND << tm__min(rung->strikes - 1, 6) : 0;
  rung->not_before_ns =
      tm__max(rung->not_before_ns, tm__add(r->end_ns, tm__max(tm__whole(wait), pause)));
}

/* The host was asked. If it did not help, the heap is given up as full for a while. */
static void learn_near_limit(tm_policy_state *state, const result *r)
{
  state->strikes = 0;
  if (r->freed_bytes < r->before_bytes / 20) {
    state->failed_ns = r->end_ns;
    state->failed_bytes = r->after_bytes;
  }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void learn_time(tm_policy_state *state, const tm_outcome *o)
{
  uint64_t duration = tm__less(o->end_ns, o->start_ns);
  tm__bucket_drain(state, o->start_ns);
  state->bucket_ns += (double)duration;
  state->bucket_mark_ns = tm__max(state->bucket_mark_ns, o->end_ns);
  state->rate_mark_ns += duration; /* g is per second of the host's own time */
  state->last_now_ns = tm__max(state->last_now_ns, o->end_ns);
}

/* true iff the action goes on: its steps are added up until it is done. */
static bool learn_more(tm_policy_state *state, const tm_outcome *o)
{
  bool going_on = state->more_kind == 1 + (int)o->kind;
  uint64_t duration = tm__less(o->end_ns, o->start_ns);
  if (o->result == TM_HOOK_MORE) {
    if (!going_on) {
      state->more_footprint_bytes = o->footprint_before_bytes;
      state->more_freed_bytes = state->more_duration_ns = 0;
    }
    state->more_freed_bytes += tm__less(o->footprint_before_bytes, o->footprint_after_bytes);
    state->more_duration_ns += duration;
    state->more_kind = 1 + (int)o->kind;
    state->rung[o->kind].refusals = 0;
  }
  return o->result == TM_HOOK_MORE;
}

void tm_decide_outcome(tm_policy_state *state, const tm_outcome *o)
{
  if ((unsigned)o->kind >= TM_HOOK_KIND_COUNT)
    return;
  learn_time(state, o);
  if (o->result != TM_HOOK_DONE && o->result != TM_HOOK_MORE && o->result != TM_HOOK_NOTHING) {
    learn_refusal(state, o);
    return;
  }
  if (learn_more(state, o))
    return;
  result r = {.before_bytes = o->footprint_before_bytes,
              .after_bytes = o->footprint_after_bytes,
              .duration_ns = tm__less(o->end_ns, o->start_ns),
              .end_ns = o->end_ns};
  r.freed_bytes = tm__less(r.before_bytes, r.after_bytes);
  if (state->more_kind == 1 + (int)o->kind) {
    r.before_bytes = state->more_footprint_bytes;
    r.freed_bytes += state->more_freed_bytes;
    r.duration_ns += state->more_duration_ns;
    state->more_kind = 0;
  }
  r.allocated_bytes = tm__less(o->allocated_bytes_total, state->rung[o->kind].allocated_bytes);
  r.full = o->kind == tm__full_kind(state);
  bool collection = o->kind == TM_COLLECT || o->kind == TM_COLLECT_MINOR;
  learn_rung(state, o, &r);
  if (collection)
    learn_collection(state, o, &r);
  else
    state->live_bytes = tm__less(state->live_bytes, r.freed_bytes);
  if (o->kind == TM_COMPACT)
    learn_compaction(state, o, &r);
  if (o->kind == TM_NEAR_LIMIT)
    learn_near_limit(state, &r);
}
