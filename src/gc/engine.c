/* engine.c - latches, limits and settings of one heap's engine. See engine.h. */
#include "gc/engine.h"

#include <string.h>

#include "base/assert.h"
#include "gc/ladder.h"
#include "gc/policy.h"

/* ---- Life ------------------------------------------------------------------------------------ */

static void reset_latch(tm__engine *engine)
{
  atomic_store(&engine->pending, 0);
  atomic_store(&engine->next_due_ns, 0);
  atomic_store(&engine->wake_bytes, TM__NO_TRIP);
  atomic_store(&engine->posted_pressure, 0);
  atomic_store(&engine->owner, 0);
  tm__counter_set(&engine->pending_since_ns, 0);
  engine->running = -1;
  engine->failed_need_bytes = 0;
}

void tm__engine_init(tm__engine *engine, const tm__engine_port *port)
{
  tm_policy policy;
  tm_inputs nothing = {.size = sizeof nothing, .now_ns = port->now_ns(port->ctx)};
  tm_decision first;
  tm_policy_init(&policy);
  tm__lock_init(&engine->lock);
  engine->port = *port;
  engine->notify = NULL;
  engine->notify_ctx = NULL;
  tm__hooks_init(&engine->hooks);
  tm__counter_set(&engine->soft_bytes, 0);
  tm__counter_set(&engine->hard_bytes, 0);
  tm__counter_set(&engine->hard_set_bytes, 0);
  for (int kind = TM_SOFT; kind <= TM_HARD; kind++) {
    tm__counter_set(&engine->environment_bytes[kind], 0);
    engine->asked_bytes[kind] = 0;
  }
  engine->emergency_failed_ns = engine->emergency_failed_footprint = 0;
  engine->failed_log_ns = engine->held_log_ns = 0;
  engine->stress = 0;
  tm__counter_set(&engine->crossings, 0);
  tm__counter_set(&engine->crossings_lost, 0);
  atomic_store(&engine->watch.fn, NULL);
  atomic_store(&engine->epoch, 0);
  reset_latch(engine);
  tm_policy_state_init(&engine->state, &policy, nothing.now_ns);
  tm_decide(&nothing, &engine->state, &first);
  tm__engine_publish(engine, &first);
}

int tm__engine_close(tm__engine *engine)
{
  int result = tm__engine_inside(engine) ? TM_EBUSY : tm__hooks_close(&engine->hooks);
  if (!result) {
    (void)tm__watch_stop(engine);
    tm__log_clear(&engine->log);
    memset(engine->rows, 0, sizeof engine->rows);
  }
  return result;
}

void tm__engine_fork_child(tm__engine *engine)
{
  tm__lock_init(&engine->lock);
  tm__hooks_fork_child(&engine->hooks);
  atomic_fetch_add(&engine->epoch, 1);
  reset_latch(engine);
  tm__watch_forked(engine);
}

bool tm__engine_inside(const tm__engine *engine)
{
  return atomic_load_explicit(&engine->owner, memory_order_relaxed) == tm__thread_token();
}

/* ---- Looking --------------------------------------------------------------------------------- */

void tm__engine_look(tm__engine *engine, tm_inputs *in)
{
  tm__readings now = {0};
  engine->port.read(engine->port.ctx, &now);
  *in = (tm_inputs){.size = sizeof *in,
                    .now_ns = engine->port.now_ns(engine->port.ctx),
                    .footprint_bytes = now.footprint_bytes,
                    .allocated_bytes_total = now.allocated_bytes_total,
                    .committed_bytes = now.committed_bytes,
                    .dirty_bytes = now.dirty_bytes,
                    .fixable_bytes = now.fixable_bytes,
                    .informed_bytes = now.informed_bytes,
                    .shared_headroom_bytes = now.shared_headroom_bytes,
                    .soft_limit_bytes = tm__counter_read(&engine->soft_bytes),
                    .hard_limit_bytes = tm__counter_read(&engine->hard_bytes),
                    .hooks = tm__hooks_kinds(&engine->hooks)};
  if (now.movable_bytes && engine->port.compact)
    in->hooks |= 1u << TM_COMPACT;
}

void tm__engine_publish(tm__engine *engine, const tm_decision *decision)
{
  uint64_t base = engine->state.base_bytes;
  uint64_t far = tm__max(base / 4, engine->state.young_bytes);
  tm__counter_set(&engine->low_bytes, tm__less(base, far));
  atomic_store_explicit(&engine->trip_reason, decision->policy, memory_order_relaxed);
  tm__counter_set(&engine->trip_bytes, decision->trip_bytes);
  tm__counter_set(&engine->look_bytes, decision->look_bytes);
}

/* ---- Crossing -------------------------------------------------------------------------------- */

void tm__engine_notify(tm__engine *engine)
{
  tm__lock_acquire(&engine->lock);
  tm_notify_fn notify = engine->notify;
  void *ctx = engine->notify_ctx;
  tm__lock_release(&engine->lock);
  if (notify)
    notify(ctx, engine->port.heap);
}

/* ORs bits into pending iff it is set already: true. Else it is the edge's business. */
static bool join_latched(tm__engine *engine, unsigned bits)
{
  uint32_t pending = atomic_load_explicit(&engine->pending, memory_order_acquire);
  while (pending) {
    if ((pending & bits) == bits)
      return true;
    if (atomic_compare_exchange_weak(&engine->pending, &pending, pending | bits))
      return true;
  }
  return false;
}

static unsigned trip_reason(const tm__engine *engine)
{
  unsigned reason = atomic_load_explicit(&engine->trip_reason, memory_order_relaxed);
  return reason ? reason : TM_REASON_GROWTH;
}

void tm__engine_pends(tm__engine *engine, uint64_t now_ns)
{
  if (tm__counter_read(&engine->pending_since_ns))
    return;
  tm__counter_set(&engine->pending_since_ns, now_ns ? now_ns : 1);
  tm__counter_add(&engine->crossings, 1);
}

/* The trip is published before: what was at it has been served, held back or raised. */
void tm__engine_settled(tm__engine *engine, uint64_t footprint_bytes)
{
  tm__counter_set(&engine->pending_since_ns, 0);
  if (footprint_bytes >= tm__counter_read(&engine->trip_bytes))
    tm__counter_add(&engine->crossings_lost, 1);
}

void tm__engine_latch(tm__engine *engine, unsigned reasons, uint64_t footprint_bytes)
{
  tm_inputs in;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  bool reached =
      reasons || TM_STRESS_TRIP || footprint_bytes >= tm__counter_read(&engine->trip_bytes);
  unsigned bits = reasons ? reasons : trip_reason(engine);
  /* Under the lock: of threads that cross together one finds the edge, and one that comes late
   * finds the trip raised. */
  bool edge = reached && !join_latched(engine, bits);
  if (edge) {
    atomic_store(&engine->next_due_ns, 0);
    atomic_store(&engine->wake_bytes, TM__NO_TRIP);
    atomic_store(&engine->pending, bits);
    tm__engine_pends(engine, in.now_ns);
    tm__record_idle(engine, &in, TM_DEFERRED_TO_POLL, -1, bits);
  }
  tm__lock_release(&engine->lock);
  if (edge)
    tm__engine_notify(engine);
}

/* An action is held back: is it time, or has the footprint grown enough, to notify again? */
static bool held_is_due(tm__engine *engine, uint64_t footprint_bytes)
{
  uint64_t due = atomic_load_explicit(&engine->next_due_ns, memory_order_relaxed);
  if (footprint_bytes >= atomic_load_explicit(&engine->wake_bytes, memory_order_relaxed))
    return true;
  return due && engine->port.now_ns(engine->port.ctx) >= due;
}

/* What is held back is worth a poll, from this footprint on or because it fell: said once, from now
 * on it can run. */
static void ask_again(tm__engine *engine, uint64_t footprint_bytes, bool fell)
{
  tm__lock_acquire(&engine->lock);
  bool held = atomic_load(&engine->pending) &&
              (fell ? atomic_load(&engine->next_due_ns) > 0 : held_is_due(engine, footprint_bytes));
  if (held) {
    atomic_store(&engine->next_due_ns, 0);
    atomic_store(&engine->wake_bytes, TM__NO_TRIP);
  }
  tm__lock_release(&engine->lock);
  if (held)
    tm__engine_notify(engine);
}

void tm__engine_cross(tm__engine *engine, uint64_t footprint_bytes)
{
  uint64_t trip = tm__counter_read(&engine->trip_bytes);
  bool reached = footprint_bytes >= trip || TM_STRESS_TRIP;
  if (!atomic_load_explicit(&engine->pending, memory_order_acquire)) {
    if (reached)
      tm__engine_latch(engine, 0, footprint_bytes);
    else if (footprint_bytes >= tm__counter_read(&engine->look_bytes))
      tm__engine_fell(engine); /* a look-out: the trips as the rates of now have them */
    return;
  }
  if (reached && !join_latched(engine, trip_reason(engine))) {
    tm__engine_latch(engine, 0, footprint_bytes);
    return;
  }
  if (held_is_due(engine, footprint_bytes))
    ask_again(engine, footprint_bytes, false);
}

/* A request failed although a round ran: no other round for a while. Lock held. */
static void remember_failure(tm__engine *engine, const tm_inputs *in)
{
  engine->emergency_failed_ns = in->now_ns ? in->now_ns : 1;
  engine->emergency_failed_footprint = in->footprint_bytes;
}

void tm__engine_failed(tm__engine *engine, uint64_t need_bytes, bool after_round)
{
  tm_inputs in;
  bool latch = false;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  if (after_round)
    remember_failure(engine, &in);
  if (tm__record_due(&engine->failed_log_ns, in.now_ns))
    tm__record_idle(engine, &in, TM_FAILED_REQUEST, -1, TM_REASON_HARD);
  bool could_fit = in.hard_limit_bytes && need_bytes <= in.hard_limit_bytes &&
                   in.footprint_bytes + need_bytes > in.hard_limit_bytes;
  if (!after_round && could_fit && !tm__engine_given_up(engine, &in)) {
    engine->failed_need_bytes = tm__max(engine->failed_need_bytes, need_bytes);
    latch = true;
  }
  tm__lock_release(&engine->lock);
  if (latch)
    tm__engine_latch(engine, TM_REASON_HARD, in.footprint_bytes);
}

bool tm__engine_given_up(tm__engine *engine, const tm_inputs *in)
{
  uint64_t then = engine->emergency_failed_footprint;
  if (engine->emergency_failed_ns && (in->now_ns - engine->emergency_failed_ns >= TM__FAILED_NS ||
                                      in->footprint_bytes < then - then / 20))
    engine->emergency_failed_ns = engine->emergency_failed_footprint = 0;
  return engine->emergency_failed_ns != 0;
}

/* ---- Polling --------------------------------------------------------------------------------- */

int tm__engine_poll_for(tm__engine *engine, uint64_t request_bytes)
{
  if (tm_likely(!tm__engine_due(engine)))
    return 0;
  uint64_t due = atomic_load_explicit(&engine->next_due_ns, memory_order_relaxed);
  if (due && !tm__engine_inside(engine) && engine->port.now_ns(engine->port.ctx) < due)
    return 0; /* held back, and this poll cannot help */
  return tm__ladder_poll(engine, request_bytes);
}

int tm__engine_poll(tm__engine *engine)
{
  return tm__engine_poll_for(engine, 0);
}

bool tm__engine_emergency(tm__engine *engine, uint64_t need_bytes)
{
  return tm__ladder_emergency(engine, need_bytes);
}

/* ---- Settings -------------------------------------------------------------------------------- */

/*
 * Something that the trip depends on has changed: sets the new trip. What is due already is
 * latched like a crossing and decided in the poll, on a state that does not know of this look.
 */
static void settle_change(tm__engine *engine, unsigned reasons)
{
  tm_inputs in;
  tm_decision decision;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  in.pressure = (tm_pressure)atomic_load(&engine->posted_pressure);
  tm_policy_state after = engine->state;
  tm_decide(&in, &after, &decision);
  bool due = decision.kind >= 0 && decision.verdict != TM_SUPPRESSED_YIELD;
  if (!due) {
    engine->state = after;
    atomic_store(&engine->posted_pressure, TM_PRESSURE_NONE);
  }
  tm__engine_publish(engine, &decision);
  tm__watch_change(engine, &in, reasons == TM_REASON_PRESSURE ? (int)in.pressure : -1);
  tm__lock_release(&engine->lock);
  engine->port.rearm(engine->port.ctx);
  if (due)
    tm__engine_latch(engine, decision.reasons ? decision.reasons : reasons, in.footprint_bytes);
}

void tm__engine_fell(tm__engine *engine)
{
  /* While something is pending the next poll sets the trips. What is held back has none to come
   * before its time, or before the footprint is back where nothing is asked of it any more. */
  if (!atomic_load_explicit(&engine->pending, memory_order_acquire))
    settle_change(engine, 0);
  else if (atomic_load_explicit(&engine->next_due_ns, memory_order_relaxed))
    ask_again(engine, 0, true);
}

static uint64_t tighter(uint64_t a, uint64_t b)
{
  return a && b ? tm__min(a, b) : a | b;
}

/* Puts the tighter of what was asked for and what the environment allows in force. Lock held. */
static void put_limits(tm__engine *engine, bool hard_was_set)
{
  uint64_t soft =
      tighter(engine->asked_bytes[TM_SOFT], tm__counter_read(&engine->environment_bytes[TM_SOFT]));
  uint64_t hard =
      tighter(engine->asked_bytes[TM_HARD], tm__counter_read(&engine->environment_bytes[TM_HARD]));
  tm__counter_set(&engine->soft_bytes, hard ? tm__min(soft, hard) : soft);
  if (!hard_was_set && hard == tm__counter_read(&engine->hard_set_bytes))
    return;
  tm__counter_set(&engine->hard_set_bytes, hard);
  tm__counter_set(&engine->hard_bytes, hard); /* closes the reserve */
  engine->emergency_failed_ns = engine->emergency_failed_footprint = 0;
}

unsigned tm__engine_environment(const tm__engine *engine)
{
  unsigned bits = 0;
  for (int kind = TM_SOFT; kind <= TM_HARD; kind++) {
    uint64_t allowed = tm__counter_read(&engine->environment_bytes[kind]);
    uint64_t asked = engine->asked_bytes[kind];
    if (allowed && (!asked || allowed < asked))
      bits |= 1u << kind;
  }
  return bits;
}

bool tm__engine_environment_set(tm__engine *engine, uint64_t soft_bytes, uint64_t hard_bytes)
{
  tm_inputs in;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  bool changed = soft_bytes != tm__counter_read(&engine->environment_bytes[TM_SOFT]) ||
                 hard_bytes != tm__counter_read(&engine->environment_bytes[TM_HARD]);
  if (changed) {
    tm__counter_set(&engine->environment_bytes[TM_SOFT], soft_bytes);
    tm__counter_set(&engine->environment_bytes[TM_HARD], hard_bytes);
    put_limits(engine, false);
    in.soft_limit_bytes = tm__counter_read(&engine->soft_bytes);
    in.hard_limit_bytes = tm__counter_read(&engine->hard_bytes);
    tm__record_idle(engine, &in, TM_LIMITS_CHANGED, -1, TM_REASON_NONE);
  }
  tm__lock_release(&engine->lock);
  if (changed)
    settle_change(engine, TM_REASON_SOFT);
  return changed;
}

int tm__engine_limit_set(tm__engine *engine, tm_limit_kind kind, int64_t n)
{
  if (n < 0 || (kind != TM_SOFT && kind != TM_HARD))
    return TM_EINVAL;
  uint64_t bytes = (uint64_t)n, *asked = engine->asked_bytes;
  tm__lock_acquire(&engine->lock);
  bool above = kind == TM_SOFT && asked[TM_HARD] && bytes > asked[TM_HARD];
  if (!above) {
    asked[kind] = bytes;
    if (asked[TM_HARD] && asked[TM_SOFT] > asked[TM_HARD])
      asked[TM_SOFT] = asked[TM_HARD];
    put_limits(engine, kind == TM_HARD);
  }
  tm__lock_release(&engine->lock);
  if (above)
    return TM_EINVAL;
  settle_change(engine, kind == TM_SOFT ? TM_REASON_SOFT : TM_REASON_HALFWAY);
  return 0;
}

int64_t tm__engine_limit_get(const tm__engine *engine, tm_limit_kind kind)
{
  if (kind == TM_SOFT)
    return (int64_t)tm__counter_read(&engine->soft_bytes);
  return kind == TM_HARD ? (int64_t)tm__counter_read(&engine->hard_set_bytes) : 0;
}

int tm__engine_policy_set(tm__engine *engine, const tm_policy *policy)
{
  tm_policy checked;
  int error = tm__policy_check(policy, &checked);
  if (error)
    return error;
  tm__lock_acquire(&engine->lock);
  tm__policy_adopt(&engine->state, &checked);
  tm__lock_release(&engine->lock);
  settle_change(engine, 0);
  return 0;
}

int tm__engine_policy_get(tm__engine *engine, tm_policy *out)
{
  if (!out || out->size < offsetof(tm_policy, fixed_bytes) || out->size > sizeof *out)
    return TM_EINVAL;
  size_t size = out->size;
  tm__lock_acquire(&engine->lock);
  memcpy(out, &engine->state.policy, size);
  tm__lock_release(&engine->lock);
  out->size = size;
  return 0;
}

int tm__engine_hook_add(tm__engine *engine, tm_hook_kind kind, tm_hook_fn fn, void *ctx,
                        tm_hook **out)
{
  int error = tm__hooks_add(&engine->hooks, kind, fn, ctx, out);
  if (!error)
    settle_change(engine, 0);
  return error;
}

int tm_hook_remove(tm_hook *hook)
{
  tm__hooks *table;
  int error = tm__hooks_remove(hook, &table);
  if (!error)
    settle_change((tm__engine *)(void *)((char *)table - offsetof(tm__engine, hooks)), 0);
  return error;
}

int tm__engine_notify_set(tm__engine *engine, tm_notify_fn fn, void *ctx)
{
  tm__lock_acquire(&engine->lock);
  engine->notify = fn;
  engine->notify_ctx = ctx;
  tm__lock_release(&engine->lock);
  return 0;
}

int tm__engine_pressure_post(tm__engine *engine, tm_pressure level)
{
  if ((unsigned)level > TM_PRESSURE_CRITICAL)
    return TM_EINVAL;
  if (level == TM_PRESSURE_NONE) { /* all clear: nothing to decay */
    tm__lock_acquire(&engine->lock);
    engine->state.pressure = TM_PRESSURE_NONE;
    tm__lock_release(&engine->lock);
  }
  atomic_store(&engine->posted_pressure, (int)level);
  settle_change(engine, TM_REASON_PRESSURE);
  return 0;
}

void tm__engine_state(tm__engine *engine, tm_policy_state *out)
{
  tm__lock_acquire(&engine->lock);
  *out = engine->state;
  tm__lock_release(&engine->lock);
}

int tm__engine_action_row(tm__engine *engine, tm_hook_kind kind, tm_action_row *row)
{
  if ((unsigned)kind >= TM_HOOK_KIND_COUNT)
    return 0;
  tm__lock_acquire(&engine->lock);
  *row = engine->rows[kind];
  row->kind = kind;
  tm__lock_release(&engine->lock);
  return 1;
}
