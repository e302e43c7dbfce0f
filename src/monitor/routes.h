/* routes.h - what can be asked for. Exact paths; no file system. */
#ifndef TM_MONITOR_ROUTES_H
#define TM_MONITOR_ROUTES_H

#include "monitor/inner.h"
#include "stats/emit.h"

/* Writes a body; buffer rule of tm_stats_json. */
typedef size_t (*tm__body_fn)(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity);

typedef struct tm__route {
  const char *path, *about;
  const char *type;
  const char *type_openmetrics; /* NULL: one format only */
  tm__body_fn write;            /* NULL: a stream of events, or a file of asset.h */
  bool streams;
} tm__route;

/* All of them; ends with path == NULL. */
TM_HIDDEN extern const tm__route tm__routes[];
/* The route of exactly this path, or NULL. */
TM_HIDDEN const tm__route *tm__route_find(const char *path);

/* The bodies, each in its own file. */
TM_HIDDEN size_t tm__body_page(tm__monitor *m, tm_text_format format, char *buffer,
                               size_t capacity);
TM_HIDDEN size_t tm__body_metrics(tm__monitor *m, tm_text_format format, char *buffer,
                                  size_t capacity);
TM_HIDDEN size_t tm__body_stats(tm__monitor *m, tm_text_format format, char *buffer,
                                size_t capacity);
TM_HIDDEN size_t tm__body_log(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity);
TM_HIDDEN size_t tm__body_doctor(tm__monitor *m, tm_text_format format, char *buffer,
                                 size_t capacity);

/* Where a function with the buffer rule continues the text of e. */
TM_HIDDEN char *tm__emit_rest(const tm__emit *e, size_t *capacity);

#endif
