/* frame.h - what `tidemark top` shows, from two looks at a monitor. */
#ifndef TM_VIEW_FRAME_H
#define TM_VIEW_FRAME_H

#include "view/screen.h"
#include "view/source.h"

/* One look. */
typedef struct tm__look {
  json_t *stats;     /* /stats.json */
  json_t *doctor;    /* /doctor */
  json_t *log;       /* /log.json */
  uint64_t mono_ns;  /* our CLOCK_MONOTONIC then, */
  uint64_t clock_ns; /* and CLOCK_REALTIME */
} tm__look;

/* Takes a look. 0, or TM_EXIT_FAILED: *out is empty then. */
TM_HIDDEN int tm__look_take(const tm__source *source, tm__look *out, tm__complaint *complaint);
/* Notes the time. */
TM_HIDDEN void tm__look_stamp(tm__look *look);
TM_HIDDEN void tm__look_drop(tm__look *look);

/* Nanoseconds between two looks; with `before` empty, from the start of the process. */
TM_HIDDEN uint64_t tm__look_span(const tm__look *before, const tm__look *now);

/* Writes all rows; rates are those between the looks. */
TM_HIDDEN void tm__frame_draw(tm__screen *s, const tm__source *source, const tm__look *before,
                              const tm__look *now);

#endif
