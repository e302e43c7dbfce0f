/* source.h - what a command looks at: the argument PID, URL or nothing becomes a monitor's place,
 * and the place's answers become JSON values. */
#ifndef TM_VIEW_SOURCE_H
#define TM_VIEW_SOURCE_H

#include <jansson.h>

#include "view/place.h"

typedef struct tm__source {
  tm__place place;
  bool local; /* on this machine: its clock is ours */
} tm__source;

/* `text` is an address, a process's number, or NULL: the one process of this user that serves.
 * 0, TM_EXIT_USAGE or TM_EXIT_FAILED. */
TM_HIDDEN int tm__source_find(const char *text, tm__source *out, tm__complaint *complaint);

/* What the monitor answers to `path`, which must be JSON. *out is the caller's when 0. */
TM_HIDDEN int tm__source_get(const tm__source *source, const char *path, json_t **out,
                             tm__complaint *complaint);

/* ---- Reading values that may be missing ----------------------------------------------------- */

/* The number, 0 if it is not there. */
TM_HIDDEN uint64_t tm__number(const json_t *object, const char *key);
/* The text, "" if it is not there. */
TM_HIDDEN const char *tm__string(const json_t *object, const char *key);
/* The element of /stats.json's heaps with this name, or NULL. */
TM_HIDDEN const json_t *tm__heap_named(const json_t *stats, const char *name);

#endif
