/*
 * emit.h - the one way that text leaves the library: JSON, metrics, pages. Writes into a buffer of
 * the caller's, counts on when it is full, allocates nothing, knows no locale.
 *
 *   written == the first min(length, capacity - 1) bytes of the whole text, and a NUL after them
 *
 * Strings of hosts (names of heaps, pools, tags) may hold any bytes; what is not UTF-8 becomes
 * U+FFFD, because JSON and metrics that are not UTF-8 are refused as a whole.
 */
#ifndef TM_STATS_EMIT_H
#define TM_STATS_EMIT_H

#include "base/hints.h"

typedef struct tm__emit {
  char *buffer;
  size_t capacity;
  size_t length; /* of the whole text so far, also what did not fit */
} tm__emit;

/* Starts a text; buffer may be NULL when capacity is 0. */
TM_HIDDEN void tm__emit_init(tm__emit *e, char *buffer, size_t capacity);
/* Ends it with NUL (when capacity > 0) and returns the length that the whole text has. */
TM_HIDDEN size_t tm__emit_end(tm__emit *e);

TM_HIDDEN void tm__emit_char(tm__emit *e, char c);
TM_HIDDEN void tm__emit_bytes(tm__emit *e, const char *bytes, size_t count);
TM_HIDDEN void tm__emit_text(tm__emit *e, const char *text); /* as it is */
/* Text in a column of at least `width` characters, against its left or right edge. */
TM_HIDDEN void tm__emit_left(tm__emit *e, const char *text, size_t width);
TM_HIDDEN void tm__emit_right(tm__emit *e, const char *text, size_t width);
TM_HIDDEN void tm__emit_u64(tm__emit *e, uint64_t value);
TM_HIDDEN void tm__emit_i64(tm__emit *e, int64_t value);
/* Nanoseconds as seconds: "0", "1.5", "0.000000001". */
TM_HIDDEN void tm__emit_seconds(tm__emit *e, uint64_t ns);

/* A JSON string with its quotes. */
TM_HIDDEN void tm__emit_json_string(tm__emit *e, const char *text);
/* What stands between the quotes of a label in either metrics format. */
TM_HIDDEN void tm__emit_label_value(tm__emit *e, const char *text);
/* Text of an HTML element or of a quoted attribute. */
TM_HIDDEN void tm__emit_html(tm__emit *e, const char *text);

/* `"name":` of an object, after a comma unless *first; clears *first. */
TM_HIDDEN void tm__emit_key(tm__emit *e, bool *first, const char *name);
/* A member of an object: its key and a number. */
TM_HIDDEN void tm__emit_number(tm__emit *e, bool *first, const char *name, uint64_t value);

#endif
