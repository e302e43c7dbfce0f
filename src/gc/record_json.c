/* record_json.c - a decision as one line of JSON. */
#include <tidemark/gc.h>

#include "base/hints.h"
#include "stats/emit.h"
#include "stats/names.h"

#define REASON(name, bit, text) [bit] = {text},
static const tm__word reasons[] = {TM_REASONS(REASON)};
static const tm__word pressures[] = {"none", "low", "medium", "critical"};
static const tm__word limits[] = {[TM_SOFT] = "soft", [TM_HARD] = "hard"};

/* A name from a table as a string, null for none. */
static void emit_name(tm__emit *e, bool *first, const char *key, const tm__word *names,
                      size_t count, int index)
{
  tm__emit_key(e, first, key);
  if (index >= 0 && (size_t)index < count)
    tm__emit_json_string(e, names[index]);
  else
    tm__emit_text(e, "null");
}

/* A trip; none is null, because UINT64_MAX is no number to most readers of JSON. */
static void emit_trip(tm__emit *e, bool *first, const char *key, uint64_t value)
{
  tm__emit_key(e, first, key);
  if (value == UINT64_MAX)
    tm__emit_text(e, "null");
  else
    tm__emit_u64(e, value);
}

static void emit_bits(tm__emit *e, bool *first, const char *key, const tm__word *names,
                      size_t count, unsigned bits)
{
  bool inner_first = true;
  tm__emit_key(e, first, key);
  tm__emit_char(e, '[');
  for (size_t bit = 0; bit < count; bit++) {
    if (!(bits >> bit & 1u))
      continue;
    if (!inner_first)
      tm__emit_char(e, ',');
    inner_first = false;
    tm__emit_json_string(e, names[bit]);
  }
  tm__emit_char(e, ']');
}

static int bit_of(unsigned bits)
{
  return bits ? __builtin_ctz(bits) : -1;
}

size_t tm_record_json(const tm_record *r, char *buffer, size_t capacity)
{
  tm__emit e;
  bool first = true;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_char(&e, '{');
  tm__emit_number(&e, &first, "sequence", r->sequence);
  tm__emit_number(&e, &first, "lost", r->lost);
  tm__emit_number(&e, &first, "time_ns", r->time_ns);
  tm__emit_key(&e, &first, "heap");
  tm__emit_json_string(&e, r->heap);
  emit_name(&e, &first, "verdict", tm__verdict_names, TM_VERDICT_COUNT, (int)r->verdict);
  emit_bits(&e, &first, "reasons", reasons, TM_ARRAY_LEN(reasons), r->reasons);
  emit_name(&e, &first, "policy", reasons, TM_ARRAY_LEN(reasons), bit_of(r->policy));
  emit_name(&e, &first, "kind", tm__kind_names, TM_HOOK_KIND_COUNT, r->kind);
  emit_name(&e, &first, "result", tm__result_names, TM_ARRAY_LEN(tm__result_names), r->result);
  emit_name(&e, &first, "pressure", pressures, TM_ARRAY_LEN(pressures), (int)r->pressure);
  emit_bits(&e, &first, "environment", limits, TM_ARRAY_LEN(limits), r->environment);
  tm__emit_number(&e, &first, "footprint_before_bytes", r->footprint_before_bytes);
  tm__emit_number(&e, &first, "footprint_after_bytes", r->footprint_after_bytes);
  tm__emit_number(&e, &first, "committed_before_bytes", r->committed_before_bytes);
  tm__emit_number(&e, &first, "committed_after_bytes", r->committed_after_bytes);
  tm__emit_number(&e, &first, "live_bytes", r->live_bytes);
  tm__emit_number(&e, &first, "allocated_bytes", r->allocated_bytes);
  emit_trip(&e, &first, "trip_before_bytes", r->trip_before_bytes);
  emit_trip(&e, &first, "trip_after_bytes", r->trip_after_bytes);
  tm__emit_number(&e, &first, "soft_limit_bytes", r->soft_limit_bytes);
  tm__emit_number(&e, &first, "hard_limit_bytes", r->hard_limit_bytes);
  tm__emit_number(&e, &first, "duration_ns", r->duration_ns);
  tm__emit_number(&e, &first, "bucket_fill_percent", r->bucket_fill_percent);
  tm__emit_number(&e, &first, "yield_bytes_per_ms", r->yield_bytes_per_ms);
  tm__emit_number(&e, &first, "returned_bytes", r->returned_bytes);
  tm__emit_char(&e, '}');
  return tm__emit_end(&e);
}
