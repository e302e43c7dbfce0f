/*
 * ladder.c - running actions: one thread at a time, no lock held, everything read again after each.
 *
 *   pending   0 --cross--> reasons --poll--> BUSY | new reasons --poll's end--> 0
 *                              ^                                  held back --> reasons
 */
#include "gc/ladder.h"

#include <string.h>

#include "base/assert.h"
#include "gc/policy.h"

enum {
  MAX_ACTIONS = 16,   /* of one poll; then the host gets its safe point back */
  MAX_LOOKS = 4,      /* of one poll, when crossings keep coming while nothing is due */
  MAX_STEPS = 1000,   /* of an incremental action in an emergency round */
  BUDGET_NS = 2000000 /* what an incremental step should stay within */
};

/* ---- One action ------------------------------------------------------------------------------ */

/* An action's result from its hooks' results: the first of MORE, DONE, NOTHING, BUSY, ERROR. */
static int merge_results(const uint64_t *results)
{
  static const int order[] = {TM_HOOK_MORE, TM_HOOK_DONE, TM_HOOK_NOTHING, TM_HOOK_BUSY};
  for (size_t i = 0; i < TM_ARRAY_LEN(order); i++)
    if (results[order[i]])
      return order[i];
  return TM_HOOK_ERROR;
}

static void count_result(tm__action *action, int result)
{
  action->results[result < 0 || result > TM_HOOK_ERROR ? TM_HOOK_ERROR : result]++;
}

static bool forked(const tm__engine *engine, uint32_t epoch)
{
  return atomic_load_explicit(&engine->epoch, memory_order_relaxed) != epoch;
}

/* All hooks of the kind, in order of registration, until the need is met. */
static void run_hooks(tm__engine *engine, tm__action *action, uint32_t epoch)
{
  const tm_decision *decision = &action->decision;
  uint64_t before = action->before.footprint_bytes;
  tm_event event = {.kind = (tm_hook_kind)decision->kind,
                    .reasons = decision->reasons,
                    .pressure = action->record.pressure,
                    .need_bytes = decision->need_bytes,
                    .footprint_bytes = before,
                    .time_budget_ns = action->before.emergency ? 0 : BUDGET_NS,
                    .heap = engine->port.heap};
  tm__hook_call call = {0};
  while (tm__hooks_begin(&engine->hooks, event.kind, call.order, &call)) {
    event.soft_limit_bytes = tm__counter_read(&engine->soft_bytes);
    event.hard_limit_bytes = tm__counter_read(&engine->hard_set_bytes);
    int result = call.fn(call.ctx, &event);
    tm__hooks_end(&call);
    action->last_result = result < 0 || result > TM_HOOK_ERROR ? TM_HOOK_ERROR : result;
    count_result(action, result);
    tm__engine_look(engine, &action->after);
    event.footprint_bytes = action->after.footprint_bytes;
    if (decision->need_bytes) {
      event.need_bytes = tm__less(decision->need_bytes, tm__less(before, event.footprint_bytes));
      if (!event.need_bytes)
        return;
    }
    if (forked(engine, epoch))
      return;
  }
}

/* What the heap itself can do at this rung, after the host's hooks. */
static void run_built_in(tm__engine *engine, tm__action *action)
{
  const tm__engine_port *port = &engine->port;
  if (action->decision.kind == TM_TRIM) {
    /* Short of memory, the system may have paged out what is free: it must not have to bring that
     * back in for being told so. */
    bool touches = !(action->decision.reasons & TM_REASON_PRESSURE);
    action->outcome.returned_bytes = port->trim(port->ctx, touches);
    count_result(action, TM_HOOK_DONE);
  } else if (action->decision.kind == TM_COMPACT && port->compact) {
    if (port->compact(port->ctx))
      count_result(action, TM_HOOK_DONE);
  }
}

/* Runs the decided rung and measures it. No lock held. false iff this is a child now, in which the
 * action is forgotten. */
static bool run_action(tm__engine *engine, tm__action *action, uint32_t epoch)
{
  tm_outcome *o = &action->outcome;
  action->last_result = -1;
  action->after = action->before;
  *o = (tm_outcome){.kind = (tm_hook_kind)action->decision.kind,
                    .footprint_before_bytes = action->before.footprint_bytes,
                    .committed_before_bytes = action->before.committed_bytes};
  o->start_ns = engine->port.now_ns(engine->port.ctx);
  run_hooks(engine, action, epoch);
  if (!forked(engine, epoch))
    run_built_in(engine, action);
  tm__engine_look(engine, &action->after);
  bool any = false;
  for (size_t i = 0; i <= TM_HOOK_ERROR; i++)
    any |= action->results[i] != 0;
  o->result = any ? merge_results(action->results) : TM_HOOK_NOTHING;
  o->end_ns = tm__max(action->after.now_ns, o->start_ns);
  o->footprint_after_bytes = action->after.footprint_bytes;
  o->committed_after_bytes = action->after.committed_bytes;
  o->allocated_bytes_total = action->after.allocated_bytes_total;
  return !forked(engine, epoch);
}

/* Lock held, before the action. */
static void begin_action(tm__engine *engine, tm__action *action)
{
  tm__record_fill(engine, &action->before, &action->record);
  memset(action->results, 0, sizeof action->results);
  engine->running = action->decision.kind;
  engine->nested_logged = false;
}

/* Lock held, after the action. */
static void end_action(tm__engine *engine, tm__action *action)
{
  engine->running = -1;
  tm_decide_outcome(&engine->state, &action->outcome);
  tm__trip_refresh(&engine->state, &action->after);
  tm__record_action(engine, action);
}

/* ---- Owning ---------------------------------------------------------------------------------- */

static void refuse_nested(tm__engine *engine)
{
  tm_inputs in;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  if (engine->nested_logged) { /* a hook that polls in a loop would push all else out of the log */
    if (engine->running >= 0)
      engine->rows[engine->running].suppressed_total[TM_SUPPRESSED_REENTRANT]++;
  } else {
    tm__record_idle(engine, &in, TM_SUPPRESSED_REENTRANT, engine->running,
                    atomic_load(&engine->pending) & ~TM__PENDING_BUSY);
    engine->nested_logged = true;
  }
  tm__lock_release(&engine->lock);
}

/* true iff this thread may run actions now. */
static bool own(tm__engine *engine)
{
  uintptr_t me = tm__thread_token(), owner = 0;
  if (atomic_compare_exchange_strong(&engine->owner, &owner, me))
    return true;
  if (owner == me)
    refuse_nested(engine);
  return false;
}

static void disown(tm__engine *engine, uint32_t epoch)
{
  if (!forked(engine, epoch))
    atomic_store(&engine->owner, 0);
}

/* ---- A poll ---------------------------------------------------------------------------------- */

typedef struct round {
  tm__engine *engine;
  uint32_t epoch;
  int actions, looks;
  uint64_t request_bytes; /* on whose behalf, until the first action ran */
  uint64_t failed_bytes;  /* a request that failed before: what would have to fit */
  unsigned done;          /* kinds that ran for it */
  bool tell;              /* what was latched meanwhile is left for another poll */
  tm__action action;
} round;

static bool fits(const tm_inputs *in, uint64_t need)
{
  uint64_t hard = in->hard_limit_bytes;
  return !hard || tm__add(in->footprint_bytes, need) <= hard;
}

/* The reserve above the hard limit, for hosts that chose to grow: opened when all else failed,
 * closed when the footprint is below the limit again. Lock held. */
static void move_reserve(tm__engine *engine, const tm_inputs *in, uint64_t need)
{
  uint64_t set = tm__counter_read(&engine->hard_set_bytes), hard = set;
  uint64_t reserve = engine->state.policy.reserve_bytes;
  if (!set)
    return;
  if (need && engine->state.policy.end == TM_END_GROW)
    hard = tm__add(set, reserve);
  else if (in->footprint_bytes > set)
    hard = tm__counter_read(&engine->hard_bytes);
  tm__counter_set(&engine->hard_bytes, hard);
}

/* A failed request's round is over. Lock held. */
static void end_failed_request(round *r, const tm_inputs *in)
{
  tm__engine *engine = r->engine;
  uint64_t need = fits(in, r->failed_bytes) ? 0 : r->failed_bytes;
  if (need) {
    engine->emergency_failed_ns = in->now_ns ? in->now_ns : 1;
    engine->emergency_failed_footprint = in->footprint_bytes;
  }
  move_reserve(engine, in, need);
  engine->failed_need_bytes = r->failed_bytes = 0;
}

/* Nothing is due (any more): clears pending unless something was latched meanwhile. Lock held. */
static bool settle(tm__engine *engine)
{
  uint32_t busy = TM__PENDING_BUSY;
  return atomic_compare_exchange_strong(&engine->pending, &busy, 0);
}

/* Held back: pending stays set, and says when polling will help. Lock held. */
static void hold(tm__engine *engine, unsigned reasons, uint64_t due_ns, uint64_t wake_bytes)
{
  atomic_store(&engine->next_due_ns, due_ns);
  atomic_store(&engine->wake_bytes, wake_bytes);
  atomic_fetch_or(&engine->pending, reasons ? reasons : TM_REASON_MORE);
  atomic_fetch_and(&engine->pending, ~TM__PENDING_BUSY);
}

/* Stress builds: every eighth poll that has nothing to do runs the hook that ran least. */
static void decide_stress(tm__engine *engine, const tm_inputs *in, tm_decision *decision)
{
  unsigned kinds = in->hooks & ~(1u << TM_NEAR_LIMIT);
  if (!kinds || ++engine->stress % 8)
    return;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++)
    if ((kinds >> kind & 1u) && (decision->kind < 0 || engine->rows[kind].runs_total <
                                                           engine->rows[decision->kind].runs_total))
      decision->kind = kind;
  decision->verdict = TM_FIRED;
  decision->reasons |= TM_REASON_MORE;
}

/* Takes what was latched and decides. Lock held. */
static void decide(round *r)
{
  tm__engine *engine = r->engine;
  tm_inputs *in = &r->action.before;
  in->reasons = atomic_exchange(&engine->pending, TM__PENDING_BUSY) & ~TM__PENDING_BUSY;
  atomic_store(&engine->next_due_ns, 0);
  atomic_store(&engine->wake_bytes, TM__NO_TRIP);
  in->pressure = (tm_pressure)atomic_exchange(&engine->posted_pressure, TM_PRESSURE_NONE);
  if (in->reasons & TM_REASON_HARD)
    r->failed_bytes = tm__max(r->failed_bytes, engine->failed_need_bytes);
  in->need_bytes = r->failed_bytes ? r->failed_bytes : r->request_bytes;
  if (r->failed_bytes)
    in->hooks &= ~r->done; /* one round for one failed request */
  tm_decide(in, &engine->state, &r->action.decision);
  if (TM_STRESS_TRIP && r->action.decision.kind < 0 && !r->actions)
    decide_stress(engine, in, &r->action.decision);
}

/* Did nothing run? Then the round is over, unless something was latched meanwhile. Lock held. */
static bool idle(round *r)
{
  tm__engine *engine = r->engine;
  const tm_inputs *in = &r->action.before;
  const tm_decision *d = &r->action.decision;
  bool held = d->kind >= 0 && d->next_due_ns;
  if (!r->failed_bytes)
    move_reserve(engine, in, 0);
  else if (!held) /* else its round comes later */
    end_failed_request(r, in);
  if (d->kind >= 0)
    tm__record_idle(engine, in, d->verdict, d->kind, d->reasons);
  tm__engine_publish(engine, d);
  if (held) {
    hold(engine, d->reasons, d->next_due_ns, d->wake_bytes);
    tm__engine_pends(engine, in->now_ns);
    return false;
  }
  if (settle(engine)) {
    tm__engine_settled(engine, in->footprint_bytes);
    return false;
  }
  if (++r->looks < MAX_LOOKS)
    return true;
  atomic_fetch_and(&engine->pending, ~TM__PENDING_BUSY);
  tm__engine_pends(engine, in->now_ns);
  r->tell = true;
  return false;
}

/* One look at the heap and at most one action. true iff there may be more to do. */
static bool step(round *r)
{
  tm__engine *engine = r->engine;
  tm__action *action = &r->action;
  tm__engine_look(engine, &action->before);
  tm__lock_acquire(&engine->lock);
  decide(r);
  if (action->decision.kind < 0 || action->decision.verdict != TM_FIRED) {
    bool again = idle(r);
    tm__lock_release(&engine->lock);
    return again;
  }
  begin_action(engine, action);
  tm__lock_release(&engine->lock);
  if (!run_action(engine, action, r->epoch))
    return false;
  r->actions++;
  r->done |= 1u << action->decision.kind;
  r->request_bytes = 0;
  tm__lock_acquire(&engine->lock);
  end_action(engine, action);
  bool more = action->outcome.result == TM_HOOK_MORE;
  bool enough = r->actions >= MAX_ACTIONS;
  if (more || enough) { /* goes on at the next safe point, or when enough was allocated */
    hold(engine, more ? TM_REASON_MORE : action->decision.reasons, 0,
         tm__add(action->after.footprint_bytes, TM__MORE_WAKE_BYTES));
    tm__engine_pends(engine, action->after.now_ns);
  }
  tm__lock_release(&engine->lock);
  return !more && !enough;
}

int tm__ladder_poll(tm__engine *engine, uint64_t request_bytes)
{
  if (!own(engine))
    return 0;
  round r = {.engine = engine, .request_bytes = request_bytes};
  r.epoch = atomic_load(&engine->epoch);
  while (step(&r)) {
  }
  disown(engine, r.epoch);
  if (!forked(engine, r.epoch)) {
    engine->port.rearm(engine->port.ctx);
    if (r.tell) /* whoever latched it found pending set, and told nobody */
      tm__engine_notify(engine);
  }
  return r.actions;
}

/* ---- The emergency round --------------------------------------------------------------------- */

/* What a hook latches during the round has had no notify: it gets it at the end. */
static void end_busy(tm__engine *engine, bool was_pending)
{
  uint32_t before = atomic_fetch_and(&engine->pending, ~TM__PENDING_BUSY);
  if (was_pending || !(before & ~TM__PENDING_BUSY))
    return;
  uint64_t now_ns = engine->port.now_ns(engine->port.ctx);
  tm__lock_acquire(&engine->lock);
  tm__engine_pends(engine, now_ns);
  tm__lock_release(&engine->lock);
  tm__engine_notify(engine);
}

/* Decides the round's next rung. Lock not held. true iff it is to be run. */
static bool decide_emergency(round *r, uint64_t need, unsigned done)
{
  tm__engine *engine = r->engine;
  tm_inputs *in = &r->action.before;
  const tm_decision *d = &r->action.decision;
  tm__engine_look(engine, in);
  in->emergency = 1;
  in->need_bytes = need;
  if (fits(in, need)) /* not the limit, but the system: what trim returns helps */
    in->hooks |= 1u << TM_TRIM;
  in->hooks &= ~done;
  tm__lock_acquire(&engine->lock);
  tm_decide(in, &engine->state, &r->action.decision);
  bool run = d->kind >= 0 && d->verdict == TM_FIRED;
  if (run)
    begin_action(engine, &r->action);
  else if (d->kind >= 0 && tm__record_due(&engine->held_log_ns, in->now_ns))
    tm__record_idle(engine, in, d->verdict, d->kind, d->reasons);
  tm__lock_release(&engine->lock);
  return run;
}

static void run_emergency(round *r, uint64_t need)
{
  tm__engine *engine = r->engine;
  bool limited = false;
  for (int steps = 0; steps < MAX_STEPS; steps++) {
    if (!decide_emergency(r, need, r->done))
      break;
    limited |= !fits(&r->action.before, need);
    if (!run_action(engine, &r->action, r->epoch))
      return;
    r->actions++;
    if (r->action.outcome.result != TM_HOOK_MORE)
      r->done |= 1u << r->action.decision.kind;
    tm__lock_acquire(&engine->lock);
    end_action(engine, &r->action);
    tm__lock_release(&engine->lock);
    if (limited && fits(&r->action.after, need))
      break;
  }
  tm_inputs in;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  move_reserve(engine, &in, fits(&in, need) ? 0 : need);
  const tm_policy_state *s = &engine->state;
  tm_decision trip = {
      .trip_bytes = s->trip_bytes, .look_bytes = s->look_bytes, .policy = s->trip_policy};
  tm__engine_publish(engine, &trip);
  tm__lock_release(&engine->lock);
}

bool tm__ladder_emergency(tm__engine *engine, uint64_t need_bytes)
{
  tm_inputs in;
  if (!own(engine))
    return false;
  round r = {.engine = engine};
  r.epoch = atomic_load(&engine->epoch);
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  uint64_t most = in.hard_limit_bytes
                      ? tm__add(in.hard_limit_bytes, engine->state.policy.reserve_bytes)
                      : UINT64_MAX;
  bool hopeless = need_bytes > most || tm__engine_given_up(engine, &in);
  tm__lock_release(&engine->lock);
  if (!hopeless) {
    bool was_pending = atomic_fetch_or(&engine->pending, TM__PENDING_BUSY) != 0;
    run_emergency(&r, need_bytes);
    if (!forked(engine, r.epoch))
      end_busy(engine, was_pending);
  }
  disown(engine, r.epoch);
  if (hopeless || forked(engine, r.epoch))
    return false;
  engine->port.rearm(engine->port.ctx);
  return r.actions > 0 || tm__counter_read(&engine->hard_bytes) > in.hard_limit_bytes;
}
