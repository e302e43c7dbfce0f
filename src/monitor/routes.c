/* routes.c - the table of routes, and the bodies that are a few lines. */
#define _GNU_SOURCE
#include "monitor/routes.h"

#include <string.h>
#include <tidemark/profile.h>

#include "stats/process.h"

char *tm__emit_rest(const tm__emit *e, size_t *capacity)
{
  *capacity = e->length < e->capacity ? e->capacity - e->length : 0;
  return *capacity ? e->buffer + e->length : NULL;
}

size_t tm__body_stats(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  tm__emit e;
  tm_heap *heap;
  (void)m, (void)format;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_text(&e, "{\"heaps\":[");
  for (size_t i = 0; (heap = tm_heap_at(i)); i++) {
    size_t room;
    if (i)
      tm__emit_char(&e, ',');
    char *rest = tm__emit_rest(&e, &room);
    e.length += tm_stats_json(heap, rest, room);
  }
  tm__emit_text(&e, "],\"process\":");
  tm__process_json(&e);
  tm__emit_text(&e, "}\n");
  return tm__emit_end(&e);
}

static size_t body_health(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  tm__emit e;
  (void)m, (void)format;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_text(&e, "ok\n");
  return tm__emit_end(&e);
}

static size_t body_profile(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  (void)m, (void)format;
  return tm_profile_text(TM_PROFILE_PPROF, buffer, capacity);
}

static size_t body_holders(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  (void)m, (void)format;
  return tm_profile_text(TM_PROFILE_HOLDERS, buffer, capacity);
}

#define JSON "application/json"
const tm__route tm__routes[] = {
    {"/", "the dashboard: all of this as it changes", NULL, NULL, NULL, false},
    {"/plain", "this page, without script", "text/html; charset=utf-8", NULL, tm__body_page, false},
    {"/metrics", "Prometheus or OpenMetrics text, by Accept",
     "text/plain; version=0.0.4; charset=utf-8",
     "application/openmetrics-text; version=1.0.0; charset=utf-8", tm__body_metrics, false},
    {"/stats.json", "the books of every heap, and the process", JSON, NULL, tm__body_stats, false},
    {"/log.json", "the latest decisions: what was done, and why not", JSON, NULL, tm__body_log,
     false},
    {"/events", "samples and decisions as they come, as server-sent events",
     "text/event-stream; charset=utf-8", NULL, NULL, true},
    {"/doctor", "what is wrong, and what to do about it", JSON, NULL, tm__body_doctor, false},
    {"/holders.json", "which code holds most, by the heap profile; empty unless one was started",
     JSON, NULL, body_holders, false},
    {"/heap.pb.gz", "the heap profile for pprof; empty unless one was started",
     "application/octet-stream", NULL, body_profile, false},
    {"/healthz", "ok while the loop runs", "text/plain; charset=utf-8", NULL, body_health, false},
    {NULL, NULL, NULL, NULL, NULL, false}};

const tm__route *tm__route_find(const char *path)
{
  for (const tm__route *route = tm__routes; route->path; route++)
    if (strcmp(route->path, path) == 0)
      return route;
  return NULL;
}
