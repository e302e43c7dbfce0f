/* record.c - from decisions and outcomes to records and rows. See ladder.h. */
#include <string.h>

#include "gc/ladder.h"
#include "gc/policy.h"

void tm__record_fill(const tm__engine *engine, const tm_inputs *in, tm_record *record)
{
  const tm_policy_state *s = &engine->state;
  const char *name = engine->port.name ? engine->port.name : "";
  memset(record, 0, sizeof *record);
  for (size_t i = 0; name[i] && i < sizeof record->heap - 1; i++)
    record->heap[i] = name[i];
  record->time_ns = in->now_ns;
  record->kind = record->result = -1;
  record->policy = s->trip_policy;
  record->pressure = s->pressure;
  record->environment = tm__engine_environment(engine);
  record->footprint_before_bytes = record->footprint_after_bytes = in->footprint_bytes;
  record->committed_before_bytes = record->committed_after_bytes = in->committed_bytes;
  record->live_bytes = s->live_bytes;
  record->allocated_bytes = tm__less(in->allocated_bytes_total, s->allocated_at_run_bytes);
  record->trip_before_bytes = record->trip_after_bytes = s->trip_bytes;
  record->soft_limit_bytes = in->soft_limit_bytes;
  record->hard_limit_bytes = in->hard_limit_bytes;
  double capacity = tm__bucket_capacity(s);
  record->bucket_fill_percent = capacity > 0 ? tm__whole(s->bucket_ns * 100 / capacity) : 100;
}

bool tm__record_due(uint64_t *last_ns, uint64_t now_ns)
{
  if (*last_ns && now_ns - *last_ns < 100 * TM__MILLISECOND)
    return false;
  *last_ns = now_ns ? now_ns : 1;
  return true;
}

static uint64_t per_millisecond(double bytes, double ns)
{
  return tm__whole(bytes * 1e6 / (ns > 1 ? ns : 1));
}

/* Running mean of the rung. A trim's yield is what the OS got back: only its row knows that. */
static uint64_t yield_of(const tm__engine *engine, int kind)
{
  if (kind == TM_TRIM) {
    const tm_action_row *row = &engine->rows[TM_TRIM];
    return per_millisecond((double)row->reclaimed_bytes_total, (double)row->duration_ns_total);
  }
  const tm_rung_state *rung = &engine->state.rung[kind];
  return per_millisecond(rung->freed_bytes, rung->duration_ns);
}

void tm__record_idle(tm__engine *engine, const tm_inputs *in, tm_verdict verdict, int kind,
                     unsigned reasons)
{
  tm_record record;
  tm__record_fill(engine, in, &record);
  record.verdict = verdict;
  record.kind = kind;
  record.reasons = reasons;
  if (kind >= 0) {
    record.yield_bytes_per_ms = yield_of(engine, kind);
    engine->rows[kind].suppressed_total[verdict]++;
  }
  tm__log_write(&engine->log, &record);
}

static void count_action(tm_action_row *row, const tm__action *action, uint64_t reclaimed)
{
  const tm_outcome *o = &action->outcome;
  uint64_t duration = o->end_ns - o->start_ns, bound = 10000;
  size_t bucket = 0;
  for (; bucket < TM_ARRAY_LEN(row->duration_histogram) - 1 && duration > bound; bucket++)
    bound *= 10;
  row->runs_total++;
  row->duration_histogram[bucket]++;
  row->duration_ns_total += duration;
  row->duration_max_ns = tm__max(row->duration_max_ns, duration);
  row->reclaimed_bytes_total += reclaimed;
  for (size_t i = 0; i <= TM_HOOK_ERROR; i++)
    row->results_total[i] += action->results[i];
}

void tm__record_action(tm__engine *engine, tm__action *action)
{
  const tm_outcome *o = &action->outcome;
  tm_record *record = &action->record;
  uint64_t freed = tm__less(o->footprint_before_bytes, o->footprint_after_bytes);
  count_action(&engine->rows[o->kind], action, o->kind == TM_TRIM ? o->returned_bytes : freed);
  record->verdict = TM_FIRED;
  record->kind = (int)o->kind;
  record->reasons = action->decision.reasons;
  record->result = action->last_result;
  record->footprint_before_bytes = o->footprint_before_bytes;
  record->footprint_after_bytes = o->footprint_after_bytes;
  record->committed_before_bytes = o->committed_before_bytes;
  record->committed_after_bytes = o->committed_after_bytes;
  record->trip_after_bytes = engine->state.trip_bytes;
  record->duration_ns = o->end_ns - o->start_ns;
  record->returned_bytes = o->returned_bytes;
  record->yield_bytes_per_ms = yield_of(engine, (int)o->kind);
  tm__log_write(&engine->log, record);
  tm__watch_action(engine, action);
}
