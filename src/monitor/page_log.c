/* page_log.c - the latest decisions, newest first: what was done, and why not. */
#define _GNU_SOURCE
#include "monitor/log_merge.h"
#include "monitor/page.h"
#include "stats/names.h"

enum { SHOWN = 20 };

static void emit_reasons(tm__emit *e, unsigned reasons)
{
  static const struct {
    unsigned bit;
    const char *name;
  } names[] = {
#define REASON_NAME(enumerator, bit, name) {1u << (bit), name},
      TM_REASONS(REASON_NAME)};
  const char *before = "";
  for (size_t i = 0; i < TM_ARRAY_LEN(names); i++)
    if (reasons & names[i].bit) {
      tm__emit_text(e, before);
      tm__emit_text(e, names[i].name);
      before = ", ";
    }
}

static void next_cell(tm__emit *e)
{
  tm__emit_text(e, "</td><td>");
}

static void emit_record(tm__emit *e, const tm_record *record, uint64_t now_ns)
{
  bool fired = record->verdict == TM_FIRED;
  tm__emit_text(e, "<tr><td>");
  tm__page_time(e, now_ns > record->time_ns ? now_ns - record->time_ns : 0);
  tm__emit_text(e, " ago");
  next_cell(e);
  tm__emit_html(e, record->heap);
  next_cell(e);
  if (record->kind >= 0 && record->kind < TM_HOOK_KIND_COUNT)
    tm__emit_text(e, tm__kind_names[record->kind]);
  next_cell(e);
  tm__emit_text(e, fired ? "ran" : tm__verdict_names[record->verdict]);
  next_cell(e);
  emit_reasons(e, record->reasons);
  next_cell(e);
  tm__page_size(e, record->footprint_before_bytes);
  if (fired) {
    tm__emit_text(e, " \xE2\x86\x92 ");
    tm__page_size(e, record->footprint_after_bytes);
  }
  next_cell(e);
  if (fired)
    tm__page_time(e, record->duration_ns);
  tm__emit_text(e, "</td></tr>\n");
}

void tm__page_log(tm__emit *e)
{
  static const char *const heads[] = {"when", "heap",      "action", "verdict",
                                      "why",  "footprint", "took"};
  tm__log_merge merge;
  tm_record latest[SHOWN];
  const tm_record *record;
  size_t count = 0;
  tm__log_merge_begin(&merge);
  while ((record = tm__log_merge_next(&merge)))
    latest[count++ % SHOWN] = *record;
  if (count == 0) {
    tm__emit_text(e, "<p>Nothing was decided so far.</p>\n");
    return;
  }
  tm__emit_text(e, "<div class=\"scroll\"><table class=\"log\"><thead><tr>");
  for (size_t i = 0; i < TM_ARRAY_LEN(heads); i++) {
    tm__emit_text(e, "<th scope=\"col\">");
    tm__emit_text(e, heads[i]);
    tm__emit_text(e, "</th>");
  }
  tm__emit_text(e, "</tr></thead><tbody>\n");
  uint64_t now = uv_hrtime();
  for (size_t i = count; i > 0 && i + SHOWN > count; i--)
    emit_record(e, &latest[(i - 1) % SHOWN], now);
  tm__emit_text(e, "</tbody></table></div>\n");
}
