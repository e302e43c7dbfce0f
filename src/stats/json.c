/* json.c - a heap's books as one JSON object. */
#include <tidemark/gc.h>
#include <tidemark/stats.h>

#include "stats/emit.h"
#include "stats/fields.h"
#include "stats/metrics_group.h"
#include "stats/names.h"

static void emit_counts(tm__emit *e, const tm__word *names, const uint64_t *counts, size_t n)
{
  bool first = true;
  tm__emit_char(e, '{');
  for (size_t i = 0; i < n; i++) {
    tm__emit_key(e, &first, names[i]);
    tm__emit_u64(e, counts[i]);
  }
  tm__emit_char(e, '}');
}

static void emit_value(tm__emit *e, const tm__field *field, uint64_t value)
{
  if (field->is_signed)
    tm__emit_i64(e, (int64_t)value);
  else
    tm__emit_u64(e, value);
}

static void emit_fields(tm__emit *e, const tm_stats *stats)
{
  bool first = false; /* the name stands before */
  for (const tm__field *f = tm__fields; f->name; f++) {
    tm__emit_key(e, &first, f->name);
    if (f->kind == TM__FIELD_REASONS)
      emit_counts(e, tm__fail_names, stats->failures_total, TM_FAIL_COUNT);
    else
      emit_value(e, f, tm__field_value(stats, f->offset));
  }
}

static void emit_pools(tm__emit *e, const tm_heap *heap)
{
  static const tm__word families[] = {"raw", "mem", "obj"};
  tm_pool_row row;
  for (size_t i = 0; tm_pool_stats_read(heap, i, &row) == 1; i++) {
    bool first = true;
    tm__emit_text(e, i ? ",{" : "{");
    tm__emit_key(e, &first, "name");
    tm__emit_json_string(e, row.name);
    tm__emit_key(e, &first, "family");
    tm__emit_json_string(e, families[row.family]);
    for (const tm__field *f = tm__fields; f->name; f++)
      if (f->in_pools) {
        tm__emit_key(e, &first, f->name);
        emit_value(e, f, tm__field_value(&row, f->pool_offset));
      }
    tm__emit_char(e, '}');
  }
}

static void emit_tags(tm__emit *e, const tm_heap *heap)
{
  tm_tag_row row;
  for (size_t i = 0; tm_tag_stats_read(heap, i, &row) == 1; i++) {
    bool first = true;
    tm__emit_text(e, i ? ",{" : "{");
    tm__emit_key(e, &first, "name");
    tm__emit_json_string(e, row.name);
    tm__emit_key(e, &first, "informed_bytes");
    tm__emit_i64(e, row.informed_bytes);
    tm__emit_key(e, &first, "informed_peak_bytes");
    tm__emit_i64(e, row.informed_peak_bytes);
    tm__emit_char(e, '}');
  }
}

static void emit_sizes(tm__emit *e, const tm_heap *heap)
{
  tm_size_row rows[TM_SIZE_BUCKETS];
  (void)tm_size_stats_read(heap, rows);
  for (size_t i = 0; i < TM_SIZE_BUCKETS; i++) {
    bool first = true;
    tm__emit_text(e, i ? ",{" : "{");
    tm__emit_key(e, &first, "up_to_bytes");
    if (rows[i].up_to_bytes == UINT64_MAX)
      tm__emit_text(e, "null");
    else
      tm__emit_u64(e, rows[i].up_to_bytes);
    tm__emit_key(e, &first, "allocs_total");
    tm__emit_u64(e, rows[i].allocs_total);
    tm__emit_key(e, &first, "allocated_bytes_total");
    tm__emit_u64(e, rows[i].allocated_bytes_total);
    tm__emit_char(e, '}');
  }
}

static void emit_action(tm__emit *e, const tm_action_row *row)
{
  bool first = true;
  tm__emit_char(e, '{');
  tm__emit_key(e, &first, "runs_total");
  tm__emit_u64(e, row->runs_total);
  tm__emit_key(e, &first, "results_total");
  emit_counts(e, tm__result_names, row->results_total, TM_HOOK_ERROR + 1);
  tm__emit_key(e, &first, "reclaimed_bytes_total");
  tm__emit_u64(e, row->reclaimed_bytes_total);
  tm__emit_key(e, &first, "duration_ns_total");
  tm__emit_u64(e, row->duration_ns_total);
  tm__emit_key(e, &first, "duration_max_ns");
  tm__emit_u64(e, row->duration_max_ns);
  tm__emit_key(e, &first, "suppressed_total");
  emit_counts(e, tm__verdict_names + TM_SUPPRESSED_COOLDOWN,
              row->suppressed_total + TM_SUPPRESSED_COOLDOWN,
              TM_SUPPRESSED_YIELD - TM_SUPPRESSED_COOLDOWN + 1);
  tm__emit_key(e, &first, "duration_histogram");
  for (size_t i = 0; i < TM_ARRAY_LEN(row->duration_histogram); i++) {
    tm__emit_char(e, i ? ',' : '[');
    tm__emit_u64(e, row->duration_histogram[i]);
  }
  tm__emit_text(e, "]}");
}

static void emit_actions(tm__emit *e, const tm_heap *heap)
{
  bool first = true;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
    tm_action_row row;
    if (tm_action_stats_read(heap, (tm_hook_kind)kind, &row) != 1)
      continue;
    tm__emit_key(e, &first, tm__kind_names[kind]);
    emit_action(e, &row);
  }
}

size_t tm_stats_json(const tm_heap *heap, char *buffer, size_t capacity)
{
  tm__emit e;
  tm_stats stats;
  tm__emit_init(&e, buffer, capacity);
  tm_stats_init(&stats);
  if (tm_stats_read(heap, &stats) != 0) {
    tm__emit_text(&e, "{}");
    return tm__emit_end(&e);
  }
  tm__emit_text(&e, "{\"name\":");
  tm__emit_json_string(&e, tm_heap_name(heap));
  emit_fields(&e, &stats);
  tm__emit_text(&e, ",\"pools\":[");
  emit_pools(&e, heap);
  tm__emit_text(&e, "],\"tags\":[");
  emit_tags(&e, heap);
  tm__emit_text(&e, "],\"sizes\":[");
  emit_sizes(&e, heap);
  tm__emit_text(&e, "],\"actions\":{");
  emit_actions(&e, heap);
  tm__emit_char(&e, '}');
  tm__group_json(&e, heap);
  tm__emit_char(&e, '}');
  return tm__emit_end(&e);
}
