/* metrics_actions.c - actions, their time, what they freed, and why others did not run. */
#include "stats/metrics_actions.h"

#include "stats/names.h"

/* Upper bounds of tm_action_row.duration_histogram; the last bucket has none. */
static const tm__word bounds[] = {"1e-05", "0.0001", "0.001", "0.01", "0.1", "1.0", "10.0"};
_Static_assert(TM_ARRAY_LEN(bounds) + 1 ==
                   sizeof(((tm_action_row *)0)->duration_histogram) / sizeof(uint64_t),
               "a bound for each bucket but the last");

/* Opens a sample with the labels that each of these families has. */
static void action_sample(tm__metrics *m, const char *suffix, const tm__heap_view *view,
                          const tm_action_row *row)
{
  tm__sample(m, suffix);
  tm__label(m, "heap", view->label);
  tm__label(m, "action", tm__kind_names[row->kind]);
}

static void results(tm__metrics *m, const tm__heap_view *view, const tm_action_row *row)
{
  for (size_t i = 0; i < TM_ARRAY_LEN(row->results_total); i++) {
    action_sample(m, "", view, row);
    tm__label(m, "result", tm__result_names[i]);
    tm__sample_u64(m, row->results_total[i]);
  }
}

static void reclaimed(tm__metrics *m, const tm__heap_view *view, const tm_action_row *row)
{
  action_sample(m, "", view, row);
  tm__sample_u64(m, row->reclaimed_bytes_total);
}

static void seconds(tm__metrics *m, const tm__heap_view *view, const tm_action_row *row)
{
  action_sample(m, "", view, row);
  tm__sample_seconds(m, row->duration_ns_total);
}

static void suppressed(tm__metrics *m, const tm__heap_view *view, const tm_action_row *row)
{
  for (int i = TM_SUPPRESSED_COOLDOWN; i <= TM_SUPPRESSED_YIELD; i++) {
    action_sample(m, "", view, row);
    tm__label(m, "reason", tm__verdict_names[i]);
    tm__sample_u64(m, row->suppressed_total[i]);
  }
}

static void duration(tm__metrics *m, const tm__heap_view *view, const tm_action_row *row)
{
  uint64_t count = 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(row->duration_histogram); i++) {
    count += row->duration_histogram[i];
    action_sample(m, "_bucket", view, row);
    tm__label(m, "le", i < TM_ARRAY_LEN(bounds) ? bounds[i] : "+Inf");
    tm__sample_u64(m, count);
  }
  action_sample(m, "_sum", view, row);
  tm__sample_seconds(m, row->duration_ns_total);
  action_sample(m, "_count", view, row);
  tm__sample_u64(m, count);
}

/* clang-format off */
static const struct {
  const char *name, *type, *help;
  void (*samples)(tm__metrics *m, const tm__heap_view *view, const tm_action_row *row);
} families[] = {
    {"tidemark_actions_total", "counter", "actions run, by what their last hook said", results},
    {"tidemark_action_reclaimed_bytes_total", "counter",
     "bytes by which the footprint fell; trim: bytes given back", reclaimed},
    {"tidemark_action_seconds_total", "counter", "time spent in actions", seconds},
    {"tidemark_suppressed_total", "counter", "actions that were due and did not run", suppressed},
    {"tidemark_action_duration_seconds", "histogram", "time of one action", duration}};
/* clang-format on */

static void pending_family(tm__metrics *m, tm__heap_views *views)
{
  const tm__heap_view *view;
  tm__family(m, "tidemark_action_pending", "gauge", "1 while an action is due or held back");
  for (size_t i = 0; (view = tm__heap_view_at(views, i)); i++) {
    tm__sample(m, "");
    tm__label(m, "heap", view->label);
    tm__sample_u64(m, tm_pending(view->heap) ? 1 : 0);
  }
}

void tm__metrics_actions(tm__metrics *m, tm__heap_views *views)
{
  pending_family(m, views);
  for (size_t f = 0; f < TM_ARRAY_LEN(families); f++) {
    const tm__heap_view *view;
    tm__family(m, families[f].name, families[f].type, families[f].help);
    for (size_t i = 0; (view = tm__heap_view_at(views, i)); i++)
      for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
        tm_action_row row;
        if (tm_action_stats_read(view->heap, (tm_hook_kind)kind, &row) == 1)
          families[f].samples(m, view, &row);
      }
  }
}
