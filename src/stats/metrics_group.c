/* metrics_group.c - groups as metrics and as JSON. */
#include "stats/metrics_group.h"

#include <tidemark/group.h>

static const struct {
  const char *key, *metric, *help;
  size_t offset;
} fields[] = {
    {"budget_bytes", "tidemark_group_budget_bytes", "budget of the heap's group",
     offsetof(tm_group_info, budget_bytes)},
    {"members", "tidemark_group_members", "living members of the heap's group",
     offsetof(tm_group_info, members)},
    {"live_bytes", "tidemark_group_live_bytes", "bytes that the members must keep",
     offsetof(tm_group_info, live_bytes)},
    {"footprint_bytes", "tidemark_group_footprint_bytes", "bytes that the members have",
     offsetof(tm_group_info, footprint_bytes)},
    {"share_bytes", "tidemark_group_share_bytes", "this heap's part of what the budget leaves",
     offsetof(tm_group_info, share_bytes)},
};

static uint64_t value_of(const tm_group_info *info, size_t field)
{
  return *(const uint64_t *)(const void *)((const char *)info + fields[field].offset);
}

void tm__metrics_group(tm__metrics *m, tm__heap_views *views)
{
  for (size_t field = 0; field < TM_ARRAY_LEN(fields); field++) {
    tm__family(m, fields[field].metric, "gauge", fields[field].help);
    const tm__heap_view *view;
    for (size_t i = 0; (view = tm__heap_view_at(views, i)); i++) {
      tm_group_info info;
      tm_group_info_init(&info);
      if (tm_group_get(view->heap, &info) != 1)
        continue;
      tm__sample(m, "");
      tm__label(m, "heap", view->label);
      tm__label(m, "group", info.name);
      tm__sample_u64(m, value_of(&info, field));
    }
  }
}

void tm__group_json(tm__emit *e, const tm_heap *heap)
{
  tm_group_info info;
  bool first = true;
  tm_group_info_init(&info);
  if (tm_group_get(heap, &info) != 1)
    return;
  tm__emit_text(e, ",\"group\":{");
  tm__emit_key(e, &first, "name");
  tm__emit_json_string(e, info.name);
  for (size_t field = 0; field < TM_ARRAY_LEN(fields); field++) {
    tm__emit_key(e, &first, fields[field].key);
    tm__emit_u64(e, value_of(&info, field));
  }
  tm__emit_char(e, '}');
}
