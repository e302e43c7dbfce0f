/* page_tables.c - where the bytes are, and what was done about them. */
#define _GNU_SOURCE
#include "monitor/page.h"
#include "stats/names.h"

/* ---- Cells ---------------------------------------------------------------------------------- */

static void begin_table(tm__emit *e, const char *title, const char *const *heads, size_t count)
{
  tm__emit_text(e, "<div class=\"scroll\"><table><caption>");
  tm__emit_text(e, title);
  tm__emit_text(e, "</caption><thead><tr>");
  for (size_t i = 0; i < count; i++) {
    tm__emit_text(e, "<th scope=\"col\">");
    tm__emit_text(e, heads[i]);
    tm__emit_text(e, "</th>");
  }
  tm__emit_text(e, "</tr></thead><tbody>\n");
}

static void end_table(tm__emit *e)
{
  tm__emit_text(e, "</tbody></table></div>\n");
}

static void row_head(tm__emit *e, const char *name)
{
  tm__emit_text(e, "<tr><th scope=\"row\">");
  tm__emit_html(e, name);
  tm__emit_text(e, "</th>");
}

static void cell_size(tm__emit *e, uint64_t bytes)
{
  tm__emit_text(e, "<td>");
  tm__page_size(e, bytes);
  tm__emit_text(e, "</td>");
}

static void cell_signed(tm__emit *e, int64_t bytes)
{
  tm__emit_text(e, "<td>");
  tm__page_signed(e, bytes);
  tm__emit_text(e, "</td>");
}

static void cell_count(tm__emit *e, uint64_t count)
{
  tm__emit_text(e, "<td>");
  tm__page_count(e, count);
  tm__emit_text(e, "</td>");
}

static void cell_time(tm__emit *e, uint64_t ns)
{
  tm__emit_text(e, "<td>");
  tm__page_time(e, ns);
  tm__emit_text(e, "</td>");
}

static void row_end(tm__emit *e)
{
  tm__emit_text(e, "</tr>\n");
}

/* ---- Tables --------------------------------------------------------------------------------- */

void tm__page_pools(tm__emit *e, const tm_heap *heap)
{
  static const char *const heads[] = {"pool", "live", "blocks", "ever allocated", "requests"};
  tm_pool_row row;
  bool any = false;
  for (size_t i = 0; tm_pool_stats_read(heap, i, &row) == 1; i++) {
    if (!row.allocs_total)
      continue;
    if (!any)
      begin_table(e, "Where the bytes are", heads, TM_ARRAY_LEN(heads));
    any = true;
    row_head(e, row.name);
    cell_size(e, row.live_bytes);
    cell_count(e, row.live_blocks);
    cell_size(e, row.allocated_bytes_total);
    cell_count(e, row.allocs_total);
    row_end(e);
  }
  if (any)
    end_table(e);
}

void tm__page_tags(tm__emit *e, const tm_heap *heap)
{
  static const char *const heads[] = {"tag", "now", "peak"};
  tm_tag_row row;
  if (tm_tag_stats_read(heap, 0, &row) != 1)
    return;
  begin_table(e, "Bytes that the host told of", heads, TM_ARRAY_LEN(heads));
  for (size_t i = 0; tm_tag_stats_read(heap, i, &row) == 1; i++) {
    row_head(e, row.name);
    cell_signed(e, row.informed_bytes);
    cell_signed(e, row.informed_peak_bytes);
    row_end(e);
  }
  end_table(e);
}

static uint64_t held_back(const tm_action_row *row, int *most)
{
  uint64_t sum = 0;
  *most = TM_SUPPRESSED_COOLDOWN;
  for (int i = TM_SUPPRESSED_COOLDOWN; i <= TM_SUPPRESSED_YIELD; i++) {
    sum += row->suppressed_total[i];
    if (row->suppressed_total[i] > row->suppressed_total[*most])
      *most = i;
  }
  return sum;
}

static void action_row(tm__emit *e, const tm_action_row *row)
{
  int most;
  uint64_t held = held_back(row, &most);
  row_head(e, tm__kind_names[row->kind]);
  cell_count(e, row->runs_total);
  cell_size(e, row->reclaimed_bytes_total);
  cell_time(e, row->duration_ns_total);
  cell_time(e, row->duration_max_ns);
  tm__emit_text(e, "<td>");
  tm__page_count(e, held);
  if (held) {
    tm__emit_text(e, ", mostly ");
    tm__emit_text(e, tm__verdict_names[most]);
  }
  tm__emit_text(e, "</td>");
  row_end(e);
}

void tm__page_actions(tm__emit *e, const tm_heap *heap)
{
  static const char *const heads[] = {"action", "runs", "freed", "time", "longest", "held back"};
  bool any = false;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
    tm_action_row row;
    int most;
    if (tm_action_stats_read(heap, (tm_hook_kind)kind, &row) != 1 ||
        (!row.runs_total && !held_back(&row, &most)))
      continue;
    if (!any)
      begin_table(e, "What was done", heads, TM_ARRAY_LEN(heads));
    any = true;
    action_row(e, &row);
  }
  if (any)
    end_table(e);
  else
    tm__emit_text(e, "<p>No action was due so far.</p>\n");
}
