/* simulate.c - see simulate.h. */
#include "cli/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "gc/engine.h"
#include "gc/policy.h"

/* The program is followed in steps of so many allocated bytes. */
enum { STEP_BYTES = 16384, MOST_STEPS = 65536 };

/* Where the recorded program is. */
typedef struct place {
  uint64_t host_ns;
  uint64_t wide_bytes; /* W */
  uint64_t allocated_bytes;
  uint64_t overhead_bytes, dirty_bytes, fixable_bytes, informed_bytes;
} place;

typedef struct sim sim;
typedef struct rung {
  sim *sim;
  tm_hook_kind kind;
  tm_hook *hook; /* NULL: not registered */
} rung;

struct sim {
  tm__engine *engine;
  const tm__world *world;
  const tm__scenario *scenario;
  tm__tally *tally;
  rung rungs[TM_HOOK_KIND_COUNT];
  place at;
  bool placed, has_policy, notified, beyond;
  uint64_t recorded_busy_ns, recorded_freed_bytes, recorded_peak_bytes; /* up to here */
  uint64_t busy_ns, freed_bytes;                                        /* the same, simulated */
  uint64_t taken_bytes[TM__GARBAGE_KINDS]; /* of what was made: found already */
  uint64_t left_bytes;                     /* of YOUNG, by the last minor run */
  uint64_t base_bytes;                     /* after the last collection, or lower */
  uint64_t trimmed_bytes, compacted_bytes; /* of recorded dirty and fixable: not there any more */
  int error;
};

/* ---- The heap of numbers --------------------------------------------------------------------- */

static uint64_t footprint(const sim *s)
{
  return tm__less(s->at.wide_bytes, s->freed_bytes);
}

/* Free blocks and tails of pages are what higher footprints left behind: in proportion to the
 * peaks so far, simulated and recorded. */
static uint64_t overhead(const sim *s)
{
  if (!s->recorded_peak_bytes)
    return s->at.overhead_bytes;
  double ratio = (double)s->tally->peak_bytes / (double)s->recorded_peak_bytes;
  return tm__scale(s->at.overhead_bytes, ratio < 10 ? ratio : 10);
}

static void port_read(void *ctx, tm__readings *out)
{
  const sim *s = ctx;
  out->footprint_bytes = footprint(s);
  out->allocated_bytes_total = s->at.allocated_bytes;
  out->informed_bytes = tm__min(s->at.informed_bytes, out->footprint_bytes);
  out->dirty_bytes = tm__less(s->at.dirty_bytes, s->trimmed_bytes);
  out->fixable_bytes = tm__less(s->at.fixable_bytes, s->compacted_bytes);
  out->committed_bytes =
      out->footprint_bytes - out->informed_bytes + overhead(s) + out->dirty_bytes;
}

static uint64_t port_now(void *ctx)
{
  const sim *s = ctx;
  return TM__SECOND + s->at.host_ns + s->busy_ns; /* 0 means "never" to the engine */
}

static void port_rearm(void *ctx)
{
  (void)ctx; /* every step looks */
}

static uint64_t port_trim(void *ctx, bool touches)
{
  sim *s = ctx;
  (void)touches; /* only what is dirty was recorded */
  uint64_t dirty = tm__less(s->at.dirty_bytes, s->trimmed_bytes);
  s->trimmed_bytes = s->at.dirty_bytes;
  return dirty;
}

static void port_notify(void *ctx, tm_heap *heap)
{
  sim *s = ctx;
  (void)heap;
  s->notified = true;
}

/* ---- Actions --------------------------------------------------------------------------------- */

/* Time of an action passes. */
static void spend(sim *s, uint64_t ns)
{
  uint64_t soft = tm__counter_read(&s->engine->soft_bytes);
  if (soft && footprint(s) > soft)
    s->tally->above_soft_ns += ns;
  s->busy_ns += ns;
}

/* Garbage of a kind that is there, all but so much. */
static uint64_t take(sim *s, tm__garbage_kind kind, uint64_t left)
{
  uint64_t made = tm__garbage_made(&s->world->garbage, kind, s->at.allocated_bytes);
  uint64_t there = tm__less(tm__less(made, s->taken_bytes[kind]), left);
  s->taken_bytes[kind] += there;
  there = tm__min(there, footprint(s));
  s->freed_bytes += there;
  return there;
}

static uint64_t collect_minor(sim *s)
{
  const tm__garbage *garbage = &s->world->garbage;
  uint64_t at = s->at.allocated_bytes;
  uint64_t there = tm__less(tm__garbage_made(garbage, TM__YOUNG, at), s->taken_bytes[TM__YOUNG]);
  s->left_bytes = tm__garbage_left(garbage, at, there, s->left_bytes);
  return take(s, TM__YOUNG, s->left_bytes);
}

static uint64_t collect_full(sim *s)
{
  s->left_bytes = 0;
  return take(s, TM__YOUNG, 0) + take(s, TM__OLD, 0);
}

static uint64_t work_of(const sim *s, tm_hook_kind kind)
{
  uint64_t u = footprint(s);
  if (kind == TM_COLLECT)
    return u;
  return kind == TM_COLLECT_MINOR ? tm__less(u, s->base_bytes) : 0;
}

static int run_action(void *ctx, const tm_event *event)
{
  const rung *r = ctx;
  sim *s = r->sim;
  const tm__cost *cost = &s->world->cost[r->kind];
  uint64_t allocated = s->at.allocated_bytes, freed = 0;
  (void)event;
  if (tm__cost_refused(cost, allocated))
    return TM_HOOK_BUSY;
  spend(s, tm__cost_ns(cost, allocated, work_of(s, r->kind)));
  if (r->kind == TM_COLLECT_MINOR)
    freed = collect_minor(s);
  if (r->kind == TM_COLLECT)
    freed = collect_full(s);
  if (r->kind == TM_DROP_CACHES)
    freed = take(s, TM__CACHE, 0);
  if (r->kind == TM_COMPACT)
    s->compacted_bytes = s->at.fixable_bytes;
  if (r->kind == TM_COLLECT || r->kind == TM_COLLECT_MINOR)
    s->base_bytes = footprint(s);
  s->tally->freed_bytes[r->kind] += freed;
  return r->kind == TM_NEAR_LIMIT ? TM_HOOK_NOTHING : TM_HOOK_DONE;
}

/* The host's safe point. */
static void serve(sim *s)
{
  while (s->notified) {
    s->notified = false;
    (void)tm__engine_poll(s->engine);
  }
}

/* A request that does not fit: the engine hears of it, as a deferred heap tells it. */
static void pass_hard_limit(sim *s, uint64_t hard)
{
  uint64_t over = footprint(s) - hard;
  s->at.wide_bytes -= over;
  tm__engine_failed(s->engine, over, false);
  serve(s);
  s->at.wide_bytes += over;
  bool beyond = footprint(s) > hard;
  if (beyond && !s->beyond && !s->tally->refused++)
    s->tally->refused_first_ns = s->at.host_ns + s->busy_ns;
  s->beyond = beyond;
}

/* What a slow path of the heap does, here after every step. */
static void look(sim *s)
{
  tm__engine *engine = s->engine;
  uint64_t u = footprint(s), hard = tm__counter_read(&engine->hard_set_bytes);
  s->base_bytes = tm__min(s->base_bytes, u);
  s->trimmed_bytes = tm__min(s->trimmed_bytes, s->at.dirty_bytes);
  s->compacted_bytes = tm__min(s->compacted_bytes, s->at.fixable_bytes);
  if (hard && u > hard)
    pass_hard_limit(s, hard);
  u = footprint(s);
  s->beyond = s->beyond && u > hard;
  s->tally->peak_bytes = tm__max(s->tally->peak_bytes, u);
  if (tm__engine_is_low(engine, u))
    tm__engine_fell(engine);
  if (u >= tm__counter_read(&engine->look_bytes))
    tm__engine_cross(engine, u);
  serve(s);
}

/* ---- Following the program ------------------------------------------------------------------- */

static uint64_t between(uint64_t from, uint64_t to, uint64_t part, uint64_t whole)
{
  double share = (double)part / (double)whole;
  if (to >= from)
    return from + (uint64_t)((double)(to - from) * share);
  return from - (uint64_t)((double)(from - to) * share);
}

static void step_to(sim *s, const place *next)
{
  uint64_t soft = tm__counter_read(&s->engine->soft_bytes);
  if (soft && footprint(s) > soft)
    s->tally->above_soft_ns += next->host_ns - s->at.host_ns;
  s->at = *next;
  look(s);
}

/* In small steps up to the next place; its last `request` bytes come at once. */
static void walk_to(sim *s, const place *to, uint64_t request)
{
  place from = s->at;
  if (!s->placed) {
    s->placed = true;
    s->base_bytes = to->wide_bytes;
    s->at = *to;
    look(s);
    return;
  }
  uint64_t allocated = to->allocated_bytes - from.allocated_bytes;
  request = tm__min(request, tm__min(allocated, to->wide_bytes));
  uint64_t smooth = allocated - request;
  uint64_t steps = tm__min(smooth / STEP_BYTES + 1, MOST_STEPS);
  for (uint64_t i = 1; i < steps; i++) {
    place p = *to;
    p.host_ns = between(from.host_ns, to->host_ns, i, steps);
    p.allocated_bytes = between(from.allocated_bytes, to->allocated_bytes - request, i, steps);
    p.wide_bytes = between(from.wide_bytes, to->wide_bytes - request, i, steps);
    step_to(s, &p);
  }
  step_to(s, to);
}

static place place_of(sim *s, const tm__trace_levels *l, uint64_t time_ns)
{
  s->recorded_peak_bytes = tm__max(s->recorded_peak_bytes, l->footprint_bytes);
  uint64_t live = tm__less(l->footprint_bytes, l->informed_bytes);
  place p = {.host_ns = time_ns - s->recorded_busy_ns,
             .wide_bytes = l->footprint_bytes + s->recorded_freed_bytes,
             .allocated_bytes = l->allocated_bytes_total,
             .overhead_bytes = tm__less(tm__less(l->committed_bytes, l->dirty_bytes), live),
             .dirty_bytes = l->dirty_bytes,
             .fixable_bytes = l->fixable_bytes,
             .informed_bytes = l->informed_bytes};
  return p;
}

static void play_action(sim *s, const tm__trace_record *r)
{
  place before = place_of(s, &r->levels, r->time_ns);
  walk_to(s, &before, 0);
  s->recorded_busy_ns += r->action.duration_ns;
  s->recorded_freed_bytes += tm__less(r->levels.footprint_bytes, r->after.footprint_bytes);
  place after = place_of(s, &r->after, r->time_ns + r->action.duration_ns);
  walk_to(s, &after, 0);
}

static int play_limits(sim *s, const tm__trace_record *r)
{
  const tm__scenario *sc = s->scenario;
  int64_t soft = (int64_t)(sc->own_soft ? sc->soft_bytes : r->soft_bytes);
  int64_t hard = (int64_t)(sc->own_hard ? sc->hard_bytes : r->hard_bytes);
  int error = tm__engine_limit_set(s->engine, TM_HARD, hard);
  return error ? error : tm__engine_limit_set(s->engine, TM_SOFT, soft);
}

static int play_policy(sim *s, const tm__trace_record *r)
{
  const tm_policy *own = s->scenario->policy;
  bool first = !s->has_policy;
  s->has_policy = true;
  if (own)
    return first ? tm__engine_policy_set(s->engine, own) : TM_OK;
  int error = tm__engine_policy_set(s->engine, &r->policy);
  return error ? TM_ENOTSUP : TM_OK;
}

static int play_hooks(sim *s, unsigned kinds)
{
  int error = TM_OK;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT && !error; kind++) {
    rung *r = &s->rungs[kind];
    bool wanted = kinds >> kind & 1u;
    *r = (rung){s, (tm_hook_kind)kind, r->hook};
    if (wanted && !r->hook) {
      error = tm__engine_hook_add(s->engine, r->kind, run_action, r, &r->hook);
    } else if (!wanted && r->hook) {
      error = tm_hook_remove(r->hook);
      r->hook = NULL;
    }
  }
  return error;
}

static int play(sim *s, const tm__trace_record *r)
{
  int error = TM_OK;
  if (r->kind == TM__TRACE_SAMPLE) {
    place p = place_of(s, &r->levels, r->time_ns);
    walk_to(s, &p, r->request_bytes);
  } else if (r->kind == TM__TRACE_ACTION) {
    play_action(s, r);
  } else if (r->kind == TM__TRACE_LIMITS) {
    error = play_limits(s, r);
  } else if (r->kind == TM__TRACE_POLICY) {
    error = play_policy(s, r);
  } else if (r->kind == TM__TRACE_HOOKS) {
    error = play_hooks(s, r->hooks);
  } else if (r->kind == TM__TRACE_PRESSURE) {
    error = tm__engine_pressure_post(s->engine, r->pressure);
  }
  serve(s);
  return error;
}

static int start(sim *s)
{
  s->engine = aligned_alloc(_Alignof(tm__engine), sizeof *s->engine);
  if (!s->engine)
    return TM_ENOMEM;
  memset(s->engine, 0, sizeof *s->engine); /* as engine.h asks for */
  tm__engine_port port = {.ctx = s,
                          .name = "replay",
                          .read = port_read,
                          .trim = port_trim,
                          .rearm = port_rearm,
                          .now_ns = port_now};
  tm__engine_init(s->engine, &port);
  return tm__engine_notify_set(s->engine, port_notify, s);
}

static void end(sim *s)
{
  tm_action_row row;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
    (void)tm__engine_action_row(s->engine, (tm_hook_kind)kind, &row);
    uint64_t refused = row.results_total[TM_HOOK_BUSY] + row.results_total[TM_HOOK_ERROR];
    s->tally->runs[kind] = tm__less(row.runs_total, refused);
    s->tally->busy_ns[kind] = row.duration_ns_total;
  }
  s->tally->elapsed_ns = s->at.host_ns + s->busy_ns;
  (void)tm__engine_close(s->engine);
}

int tm__simulate(const tm__tape *tape, const tm__world *world, const tm__scenario *scenario,
                 tm__tally *tally)
{
  sim s = {.world = world, .scenario = scenario, .tally = tally};
  memset(tally, 0, sizeof *tally);
  int error = start(&s);
  tm__tape_cursor cursor = {0};
  tm__trace_record record;
  while (!error && tm__tape_next(tape, &cursor, &record))
    error = play(&s, &record);
  if (s.engine)
    end(&s);
  free(s.engine);
  return error;
}
