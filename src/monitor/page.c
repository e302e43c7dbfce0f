/* page.c - the page for people: what a heap holds, where it stands against its limits, what was
 * done about it. Made anew for each request, without script; a reload is a look at now. */
#define _GNU_SOURCE
#include "monitor/page.h"

#include <time.h>
#include <unistd.h>

#include "monitor/page_style.h"
#include "monitor/routes.h"
#include "stats/families.h"
#include "stats/process.h"

/* ---- Head ----------------------------------------------------------------------------------- */

static void emit_uptime(tm__emit *e, const tm__process *process)
{
  struct timespec now;
  if (process->start_time_ns == TM__UNKNOWN || clock_gettime(CLOCK_REALTIME, &now))
    return;
  uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  if (now_ns < process->start_time_ns)
    return;
  tm__emit_text(e, " \xC2\xB7 up ");
  tm__page_time(e, now_ns - process->start_time_ns);
}

static void emit_head(tm__emit *e)
{
  tm__process process;
  tm__process_read(&process);
  tm__emit_text(e, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                   "<title>Tidemark: process ");
  tm__emit_u64(e, (uint64_t)getpid());
  tm__emit_text(e, "</title><style>");
  tm__emit_text(e, tm__page_style);
  tm__emit_text(e, "</style></head>\n<body><header><h1>Tidemark</h1><p>process ");
  tm__emit_u64(e, (uint64_t)getpid());
  emit_uptime(e, &process);
  if (process.resident_bytes != TM__UNKNOWN) {
    tm__emit_text(e, " \xC2\xB7 resident ");
    tm__page_size(e, process.resident_bytes);
  }
  tm__emit_text(e, " \xC2\xB7 version ");
  tm__emit_html(e, tm_version());
  tm__emit_text(e, "</p></header>\n<main>\n");
}

/* ---- A heap --------------------------------------------------------------------------------- */

static void emit_number(tm__emit *e, const char *name, const char *title, uint64_t bytes)
{
  tm__emit_text(e, "<div title=\"");
  tm__emit_text(e, title);
  tm__emit_text(e, "\"><dt>");
  tm__emit_text(e, name);
  tm__emit_text(e, "</dt><dd>");
  tm__page_size(e, bytes);
  tm__emit_text(e, "</dd></div>");
}

static void emit_limit(tm__emit *e, const char *name, const char *title, uint64_t bytes)
{
  if (bytes)
    emit_number(e, name, title, bytes);
}

/* How full: the footprint against the nearest limit that is set. */
static void emit_meter(tm__emit *e, const tm_stats *stats)
{
  uint64_t limit = stats->soft_limit_bytes ? stats->soft_limit_bytes : stats->hard_limit_bytes;
  if (!limit)
    return;
  uint64_t percent = (uint64_t)((double)stats->footprint_bytes * 100.0 / (double)limit);
  tm__emit_text(e, "<p><meter min=\"0\" max=\"100\" high=\"90\" value=\"");
  tm__emit_u64(e, percent > 100 ? 100 : percent);
  tm__emit_text(e, "\"></meter> ");
  tm__emit_u64(e, percent);
  tm__emit_text(e, stats->soft_limit_bytes ? " % of the soft limit</p>\n"
                                           : " % of the hard limit</p>\n");
}

static void emit_books(tm__emit *e, const tm_stats *stats)
{
  tm__emit_text(e, "<dl>");
  emit_number(e, "footprint", "live plus informed", stats->footprint_bytes);
  emit_number(e, "peak", "highest footprint", stats->footprint_peak_bytes);
  emit_number(e, "live", "blocks in use", stats->live_bytes);
  emit_limit(e, "trip", "footprint at which the policies look up", stats->trip_bytes);
  emit_limit(e, "soft limit", "to stay below by collecting", stats->soft_limit_bytes);
  emit_limit(e, "hard limit", "never exceeded", stats->hard_limit_bytes);
  emit_number(e, "committed", "live + free + waste + dirty + meta", stats->committed_bytes);
  emit_number(e, "free", "free blocks in pages", stats->free_bytes);
  emit_number(e, "dirty", "free pages not yet given back", stats->dirty_bytes);
  emit_number(e, "meta", "the library's own bookkeeping", stats->meta_bytes);
  tm__emit_text(e, "</dl>\n");
}

static void emit_heap(tm__emit *e, const tm__heap_view *view, const tm__ring *ring)
{
  tm_heap *heap = view->heap;
  tm__emit_text(e, "<section><h2>Heap ");
  tm__emit_html(e, view->label);
  tm__emit_text(e, tm_pending(heap) ? " <small>an action is due</small></h2>\n" : "</h2>\n");
  emit_books(e, &view->stats);
  emit_meter(e, &view->stats);
  if (ring->heap == heap)
    tm__page_chart(e, ring);
  tm__page_pools(e, heap);
  tm__page_tags(e, heap);
  tm__page_actions(e, heap);
  tm__emit_text(e, "</section>\n");
}

/* ---- The page ------------------------------------------------------------------------------- */

static void emit_heaps(tm__emit *e, const tm__monitor *m)
{
  tm__heap_views views;
  tm__heap_views_read(&views);
  for (size_t i = 0; i < TM_MONITOR_HEAPS && i < views.count; i++)
    emit_heap(e, &views.kept[i], &m->rings[i]);
  if (views.count == 0)
    tm__emit_text(e, "<p>No heap was used so far.</p>\n");
  if (views.count > TM_MONITOR_HEAPS)
    tm__emit_text(e, "<p>Further heaps are in <a href=\"/stats.json\">/stats.json</a>.</p>\n");
}

size_t tm__body_page(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  tm__emit e;
  (void)format;
  tm__emit_init(&e, buffer, capacity);
  emit_head(&e);
  emit_heaps(&e, m);
  tm__emit_text(&e, "<section><h2>Latest decisions</h2>\n");
  tm__page_log(&e);
  tm__emit_text(&e, "</section>\n<section><h2>What can be asked</h2><ul>\n");
  for (const tm__route *route = tm__routes; route->path; route++) {
    tm__emit_text(&e, "<li><a href=\"");
    tm__emit_html(&e, route->path);
    tm__emit_text(&e, "\">");
    tm__emit_html(&e, route->path);
    tm__emit_text(&e, "</a> ");
    tm__emit_html(&e, route->about);
    tm__emit_text(&e, "</li>\n");
  }
  tm__emit_text(&e, "</ul></section></main></body></html>\n");
  return tm__emit_end(&e);
}
