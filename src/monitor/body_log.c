/* body_log.c - the decisions of all heaps as one JSON array, newest last. */
#define _GNU_SOURCE
#include "monitor/log_merge.h"
#include "monitor/routes.h"

size_t tm__body_log(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  tm__emit e;
  tm__log_merge merge;
  const tm_record *record;
  const char *before = "[\n";
  (void)m, (void)format;
  tm__emit_init(&e, buffer, capacity);
  tm__log_merge_begin(&merge);
  while ((record = tm__log_merge_next(&merge))) {
    size_t room;
    tm__emit_text(&e, before);
    char *rest = tm__emit_rest(&e, &room);
    e.length += tm_record_json(record, rest, room);
    before = ",\n";
  }
  tm__emit_text(&e, e.length ? "\n]\n" : "[]\n");
  return tm__emit_end(&e);
}
