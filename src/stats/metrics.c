/*
 * metrics.c - the books of all heaps as metric families. The names follow from fields.def:
 *
 *   a level, peak or bound of a heap        tidemark_heap_NAME{heap}
 *   a field that pools have                 tidemark_pool_NAME{heap,pool}
 *   a total that only heaps have            tidemark_NAME{heap}, by reason {heap,reason}
 *
 * What does not follow stands in odd_names. A bound of 0 is "none" and left out.
 */
#include <string.h>

#include <tidemark/gc.h>
#include <tidemark/stats.h>

#include "stats/families.h"
#include "stats/fields.h"
#include "stats/metrics_actions.h"
#include "stats/metrics_group.h"
#include "stats/process.h"

static const struct {
  const char *field, *pool_metric;
} odd_names[] = {{"live_blocks", "tidemark_pool_blocks"}};

/* The one bound that is a promise and not a limit: 0 is its best value. */
static bool zero_means_none(const tm__field *field)
{
  return field->kind == TM__FIELD_BOUND && strcmp(field->name, "slack_bytes") != 0;
}

static const char *metric_name(char *buffer, size_t capacity, const char *prefix,
                               const tm__field *field)
{
  tm__emit e;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_text(&e, prefix);
  tm__emit_text(&e, field->name);
  (void)tm__emit_end(&e);
  return buffer;
}

static const char *metric_type(const tm__field *field)
{
  return field->kind == TM__FIELD_TOTAL || field->kind == TM__FIELD_REASONS ? "counter" : "gauge";
}

static void sample_field(tm__metrics *m, const tm__field *field, uint64_t value)
{
  if (field->is_signed)
    tm__sample_i64(m, (int64_t)value);
  else
    tm__sample_u64(m, value);
}

/* ---- Heaps ---------------------------------------------------------------------------------- */

static void heap_reasons(tm__metrics *m, const tm__heap_view *view)
{
  for (int i = 0; i < TM_FAIL_COUNT; i++) {
    tm__sample(m, "");
    tm__label(m, "heap", view->label);
    tm__label(m, "reason", tm__fail_names[i]);
    tm__sample_u64(m, view->stats.failures_total[i]);
  }
}

static void heap_family(tm__metrics *m, tm__heap_views *views, const tm__field *field)
{
  char name[96];
  bool total = strcmp(metric_type(field), "counter") == 0;
  if (total && field->in_pools)
    return; /* the sum of the pools' */
  metric_name(name, sizeof name, total ? "tidemark_" : "tidemark_heap_", field);
  tm__family(m, name, metric_type(field), field->help);
  const tm__heap_view *view;
  for (size_t i = 0; (view = tm__heap_view_at(views, i)); i++) {
    if (field->kind == TM__FIELD_REASONS) {
      heap_reasons(m, view);
      continue;
    }
    uint64_t value = tm__field_value(&view->stats, field->offset);
    if (value == 0 && zero_means_none(field))
      continue;
    tm__sample(m, "");
    tm__label(m, "heap", view->label);
    sample_field(m, field, value);
  }
}

/* ---- Pools ---------------------------------------------------------------------------------- */

enum { POOLS_MAX = 256 };

/* Pools may share a name, their labels may not. Names are told apart by a hash: two that collide
 * only get a longer label. */
typedef struct seen_names {
  size_t count;
  uint64_t hashes[POOLS_MAX];
} seen_names;

static uint64_t hash_name(const char *name)
{
  uint64_t hash = 14695981039346656037u;
  for (; *name; name++)
    hash = (hash ^ (unsigned char)*name) * 1099511628211u;
  return hash;
}

static bool seen_before(seen_names *seen, const char *name)
{
  uint64_t hash = hash_name(name);
  for (size_t i = 0; i < seen->count; i++)
    if (seen->hashes[i] == hash)
      return true;
  if (seen->count == POOLS_MAX)
    return true;
  seen->hashes[seen->count++] = hash;
  return false;
}

static void pool_samples(tm__metrics *m, const tm__heap_view *view, const tm__field *field)
{
  seen_names seen;
  tm_pool_row row;
  seen.count = 0;
  for (size_t i = 0; tm_pool_stats_read(view->heap, i, &row) == 1; i++) {
    char label[64];
    bool again = seen_before(&seen, row.name) || strchr(row.name, '#');
    if (again)
      tm__label_unique(label, sizeof label, row.name, i);
    tm__sample(m, "");
    tm__label(m, "heap", view->label);
    tm__label(m, "pool", again ? label : row.name);
    sample_field(m, field, tm__field_value(&row, field->pool_offset));
  }
}

static void pool_family(tm__metrics *m, tm__heap_views *views, const tm__field *field)
{
  char name[96];
  const char *metric = metric_name(name, sizeof name, "tidemark_pool_", field);
  for (size_t i = 0; i < TM_ARRAY_LEN(odd_names); i++)
    if (strcmp(odd_names[i].field, field->name) == 0)
      metric = odd_names[i].pool_metric;
  tm__family(m, metric, metric_type(field), field->help);
  const tm__heap_view *view;
  for (size_t i = 0; (view = tm__heap_view_at(views, i)); i++)
    pool_samples(m, view, field);
}

/* ---- Tags, sizes, process ------------------------------------------------------------------- */

static void tag_family(tm__metrics *m, tm__heap_views *views)
{
  tm__family(m, "tidemark_informed_bytes", "gauge", "external bytes that the host told of, by tag");
  const tm__heap_view *view;
  for (size_t i = 0; (view = tm__heap_view_at(views, i)); i++) {
    tm_tag_row row;
    for (size_t j = 0; tm_tag_stats_read(view->heap, j, &row) == 1; j++) {
      tm__sample(m, "");
      tm__label(m, "heap", view->label);
      tm__label(m, "tag", row.name);
      tm__sample_i64(m, row.informed_bytes);
    }
  }
}

/* The bounds of tm_size_row, as OpenMetrics wants them. */
static const char *bound_text(char text[32], uint64_t bytes)
{
  tm__emit e;
  tm__emit_init(&e, text, 32);
  if (bytes == UINT64_MAX) {
    tm__emit_text(&e, "+Inf");
  } else {
    tm__emit_u64(&e, bytes);
    tm__emit_text(&e, ".0");
  }
  (void)tm__emit_end(&e);
  return text;
}

static void size_samples(tm__metrics *m, const tm__heap_view *view)
{
  tm_size_row rows[TM_SIZE_BUCKETS];
  uint64_t count = 0, bytes = 0;
  char text[32];
  (void)tm_size_stats_read(view->heap, rows);
  for (size_t i = 0; i < TM_SIZE_BUCKETS; i++) {
    count += rows[i].allocs_total;
    bytes += rows[i].allocated_bytes_total;
    tm__sample(m, "_bucket");
    tm__label(m, "heap", view->label);
    tm__label(m, "le", bound_text(text, rows[i].up_to_bytes));
    tm__sample_u64(m, count);
  }
  tm__sample(m, "_sum");
  tm__label(m, "heap", view->label);
  tm__sample_u64(m, bytes);
  tm__sample(m, "_count");
  tm__label(m, "heap", view->label);
  tm__sample_u64(m, count);
}

static void size_family(tm__metrics *m, tm__heap_views *views)
{
  tm__family(m, "tidemark_allocation_size_bytes", "histogram", "blocks allocated, by usable size");
  const tm__heap_view *view;
  for (size_t i = 0; (view = tm__heap_view_at(views, i)); i++)
    size_samples(m, view);
}

static void process_families(tm__metrics *m)
{
  tm__process process;
  tm__process_read(&process);
#define EMIT_KNOWN(field, metric, type, help)                                                      \
  if (process.field != TM__UNKNOWN) {                                                              \
    if (strstr(#field, "_ns"))                                                                     \
      tm__family_seconds(m, metric, type, help, process.field);                                    \
    else                                                                                           \
      tm__family_u64(m, metric, type, help, process.field);                                        \
  }
  TM__PROCESS_FIELDS(EMIT_KNOWN)
#undef EMIT_KNOWN
  tm__family(m, "tidemark_build_info", "info", "Version of the library that runs.");
  tm__sample(m, "");
  tm__label(m, "version", tm_version());
  tm__sample_u64(m, 1);
}

size_t tm_stats_metrics(tm_text_format format, char *buffer, size_t capacity)
{
  tm__emit e;
  tm__heap_views views;
  tm__metrics m = {.emit = &e, .format = format};
  tm__emit_init(&e, buffer, capacity);
  tm__heap_views_read(&views);
  for (const tm__field *f = tm__fields; f->name; f++)
    heap_family(&m, &views, f);
  for (const tm__field *f = tm__fields; f->name; f++)
    if (f->in_pools)
      pool_family(&m, &views, f);
  tag_family(&m, &views);
  size_family(&m, &views);
  tm__metrics_actions(&m, &views);
  tm__metrics_group(&m, &views);
  process_families(&m);
  if (format == TM_TEXT_OPENMETRICS)
    tm__emit_text(&e, "# EOF\n");
  return tm__emit_end(&e);
}
