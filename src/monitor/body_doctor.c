/* body_doctor.c - the findings about all heaps as {"findings": [...]}, the worst of each first. */
#define _GNU_SOURCE
#include "monitor/checkups.h"
#include "monitor/routes.h"

static void emit_findings(tm__emit *e, const tm_finding *found, size_t count, const char **before)
{
  for (size_t i = 0; i < count; i++) {
    size_t room;
    tm__emit_text(e, *before);
    char *rest = tm__emit_rest(e, &room);
    e->length += tm_finding_json(&found[i], rest, room);
    *before = ",\n";
  }
}

size_t tm__body_doctor(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  tm__emit e;
  tm_heap *heap;
  const char *before = "\n";
  (void)format;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_text(&e, "{\"findings\":[");
  for (size_t i = 0; (heap = tm_heap_at(i)); i++) {
    tm_finding found[TM_FINDING_COUNT];
    emit_findings(&e, found, tm__checkups_examine(m, i, heap, found, TM_FINDING_COUNT), &before);
  }
  tm__emit_text(&e, "]}\n");
  return tm__emit_end(&e);
}
