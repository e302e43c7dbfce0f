/* story_html.c - the page: numbers, drawings, tables. */
#include "cli/story_chart.h"
#include "gc/policy_text.h"
#include "stats/names.h"
#include "stats/units.h"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b2733;--soft:#5a6875;--paper:#f7f8f9;--card:#fff;"
    "--rule:#d9dfe4;--tide:#1b6f8f;--fill:#cfe6ee;--warn:#a65a00;--stop:#a8203a}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4eaef;--soft:#9fadb9;--paper:#12181e;"
    "--card:#1a222a;--rule:#313c47;--tide:#6cc3e0;--fill:#1e4555;--warn:#eaa34c;--stop:#f2788c}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.45 system-ui,sans-serif}\n"
    "header,main{max-width:52rem;margin:0 auto;padding:0 1rem}header{padding-top:1.25rem}\n"
    "h1{font-size:1.4rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:0 0 .75rem}\n"
    "header p{margin:.1rem 0 1rem;color:var(--soft)}\n"
    "section{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;"
    "padding:1rem;margin:0 0 1rem}\n"
    "dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.75rem 1rem;"
    "margin:0}dt{color:var(--soft);font-size:.85rem}"
    "dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}\n"
    "svg{display:block;width:100%;max-width:42rem;height:auto}"
    "text{font-size:13px;fill:var(--soft)}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}\n"
    ".grid{stroke:var(--rule);stroke-opacity:.6}.axis{stroke:var(--soft)}.area{fill:var(--fill)}\n"
    ".line{fill:none;stroke:var(--tide);stroke-width:1.5}.busy{fill:var(--warn)}\n"
    ".soft{stroke:var(--warn);stroke-width:1.5;stroke-dasharray:6 4}\n"
    ".hard{stroke:var(--stop);stroke-width:1.5}.mark{stroke:var(--tide);stroke-width:1.2}\n"
    "p{color:var(--soft);font-size:.9rem;margin:.5rem 0 0}.key{white-space:nowrap}\n"
    ".k-line{color:var(--tide)}.k-soft{color:var(--warn)}.k-hard{color:var(--stop)}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;"
    "font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid var(--rule);"
    "white-space:nowrap}th:first-child,td:first-child{text-align:left}"
    "thead th{font-weight:600;color:var(--soft)}tbody th{font-weight:400}\n";

static void emit_size(tm__emit *e, uint64_t bytes)
{
  char text[32];
  (void)tm__size_format(bytes, text, sizeof text);
  tm__emit_text(e, text);
}

static void emit_time(tm__emit *e, uint64_t ns)
{
  char text[32];
  (void)tm__time_format(ns, text, sizeof text);
  tm__emit_text(e, text);
}

/* ---- Head and numbers ----------------------------------------------------------------------- */

static void emit_head(tm__emit *e, const tm__story *story, const char *file)
{
  char when[64];
  tm__emit_text(e, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                   "<title>Tidemark: ");
  tm__emit_html(e, file);
  tm__emit_text(e, "</title><style>\n");
  tm__emit_text(e, style);
  tm__emit_text(e, "</style></head>\n<body><header><h1>");
  tm__emit_html(e, file);
  tm__emit_text(e, "</h1><p>heap ");
  tm__emit_html(e, story->tape->start.heap);
  tm__emit_text(e, " of process ");
  tm__emit_u64(e, story->tape->start.pid);
  tm__emit_text(e, " \xC2\xB7 ");
  tm__emit_text(e, tm__story_when(story, when));
  tm__emit_text(e, story->tape->cut ? " \xC2\xB7 it breaks off" : "");
  tm__emit_text(e, "</p></header>\n<main>\n");
}

static void begin_number(tm__emit *e, const char *name)
{
  tm__emit_text(e, "<div><dt>");
  tm__emit_text(e, name);
  tm__emit_text(e, "</dt><dd>");
}

static void end_number(tm__emit *e)
{
  tm__emit_text(e, "</dd></div>\n");
}

static void size_number(tm__emit *e, const char *name, uint64_t bytes, bool zero_is_none)
{
  begin_number(e, name);
  if (zero_is_none && !bytes)
    tm__emit_text(e, "none");
  else
    emit_size(e, bytes);
  end_number(e);
}

static void emit_numbers(tm__emit *e, const tm__story *story)
{
  char policy[64];
  uint64_t busy_ns = 0, whole_ns = story->tape->duration_ns;
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    busy_ns += story->sums[i].duration_ns;
  (void)tm__policy_format(&story->policy, policy, sizeof policy);
  tm__emit_text(e, "<section><dl>\n");
  begin_number(e, "length");
  emit_time(e, whole_ns);
  end_number(e);
  size_number(e, "peak footprint", story->peak_bytes, false);
  begin_number(e, "reached after");
  emit_time(e, story->peak_ns);
  end_number(e);
  size_number(e, "peak committed", story->committed_peak_bytes, false);
  size_number(e, "allocated in all", story->allocated_bytes, false);
  begin_number(e, "time in actions");
  emit_time(e, busy_ns);
  end_number(e);
  begin_number(e, "policy");
  tm__emit_html(e, policy);
  end_number(e);
  size_number(e, "soft limit", story->soft_bytes, true);
  size_number(e, "hard limit", story->hard_bytes, true);
  tm__emit_text(e, "</dl></section>\n");
}

/* ---- Tables --------------------------------------------------------------------------------- */

static void begin_table(tm__emit *e, const char *title, const char *const *heads, size_t count)
{
  tm__emit_text(e, "<section><h2>");
  tm__emit_text(e, title);
  tm__emit_text(e, "</h2><div class=\"scroll\"><table><thead><tr>");
  for (size_t i = 0; i < count; i++) {
    tm__emit_text(e, "<th scope=\"col\">");
    tm__emit_text(e, heads[i]);
    tm__emit_text(e, "</th>");
  }
  tm__emit_text(e, "</tr></thead><tbody>\n");
}

static void next_cell(tm__emit *e)
{
  tm__emit_text(e, "</td><td>");
}

static void emit_actions(tm__emit *e, const tm__story *story)
{
  static const char *const heads[] = {"action", "runs", "freed", "time", "longest"};
  begin_table(e, "What was done", heads, TM_ARRAY_LEN(heads));
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++) {
    const tm__story_sum *sum = &story->sums[i];
    if (!sum->runs)
      continue;
    tm__emit_text(e, "<tr><td>");
    tm__emit_text(e, tm__kind_names[i]);
    next_cell(e);
    tm__emit_u64(e, sum->runs);
    next_cell(e);
    emit_size(e, sum->freed_bytes);
    next_cell(e);
    emit_time(e, sum->duration_ns);
    next_cell(e);
    emit_time(e, sum->longest_ns);
    tm__emit_text(e, "</td></tr>\n");
  }
  tm__emit_text(e, "</tbody></table></div></section>\n");
}

static void emit_longest(tm__emit *e, const tm__story *story)
{
  static const char *const heads[] = {"action", "after", "took", "footprint", "freed"};
  if (!story->longest_count)
    return;
  begin_table(e, "The longest", heads, TM_ARRAY_LEN(heads));
  for (size_t i = 0; i < story->longest_count; i++) {
    const tm__trace_record *r = &story->longest[i];
    tm__emit_text(e, "<tr><td>");
    tm__emit_text(e, tm__kind_names[r->action.kind]);
    next_cell(e);
    emit_time(e, r->time_ns);
    next_cell(e);
    emit_time(e, r->action.duration_ns);
    next_cell(e);
    emit_size(e, r->levels.footprint_bytes);
    next_cell(e);
    emit_size(e, tm__story_freed(r));
    tm__emit_text(e, "</td></tr>\n");
  }
  tm__emit_text(e, "</tbody></table></div></section>\n");
}

/* ---- The page ------------------------------------------------------------------------------- */

static void emit_key(tm__emit *e, const tm__story *story)
{
  tm__emit_text(e, "<p><span class=\"key k-line\">line: footprint</span> \xC2\xB7 "
                   "<span class=\"key\">area: committed</span>");
  if (story->soft_bytes)
    tm__emit_text(e, " \xC2\xB7 <span class=\"key k-soft\">dashed: soft limit</span>");
  if (story->hard_bytes)
    tm__emit_text(e, " \xC2\xB7 <span class=\"key k-hard\">red: hard limit</span>");
  tm__emit_text(e, " \xC2\xB7 <span class=\"key\">marks below: full collections</span></p>");
}

size_t tm__story_html(const tm__story *story, const char *file, char *buffer, size_t capacity)
{
  tm__emit e;
  tm__emit_init(&e, buffer, capacity);
  emit_head(&e, story, file);
  emit_numbers(&e, story);
  tm__emit_text(&e, "<section><h2>Memory</h2>\n");
  tm__story_chart_memory(&e, story);
  emit_key(&e, story);
  tm__emit_text(&e, "</section>\n<section><h2>Share of the time in actions</h2>\n");
  tm__story_chart_time(&e, story);
  tm__emit_text(&e, "</section>\n<section><h2>Allocated per second</h2>\n");
  tm__story_chart_allocation(&e, story);
  tm__emit_text(&e, "</section>\n");
  emit_actions(&e, story);
  emit_longest(&e, story);
  tm__emit_text(&e, "</main></body></html>\n");
  return tm__emit_end(&e);
}
