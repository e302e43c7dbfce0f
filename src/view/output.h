/* output.h - what the views have in common at their end. */
#ifndef TM_VIEW_OUTPUT_H
#define TM_VIEW_OUTPUT_H

#include <jansson.h>

#include "cli/complaint.h"

/* Standard output is flushed, all of it or a complaint with exit code `code`. */
TM_HIDDEN int tm__output_flush(int code, tm__complaint *complaint);

/* A JSON value as one line. */
TM_HIDDEN void tm__output_json(const json_t *value);

/* A view that showed something already and lost its process: that is said, and is no failure. */
TM_HIDDEN int tm__output_ended(tm__complaint *complaint);

/* Waits for that long; false iff a signal came. */
TM_HIDDEN bool tm__output_pause(uint64_t ms);

#endif
