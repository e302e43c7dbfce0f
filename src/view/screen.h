/*
 * screen.h - rows of text of a given width, some of it in colour. Nothing runs over the right edge;
 * whatever bytes a name has, none of them reaches the terminal as a command.
 */
#ifndef TM_VIEW_SCREEN_H
#define TM_VIEW_SCREEN_H

#include "base/hints.h"

enum { TM__ROWS = 400, TM__ROW_BYTES = 1024 };

typedef enum { TM__PLAIN, TM__BOLD, TM__DIM, TM__GOOD, TM__WARN, TM__BAD } tm__ink;

typedef struct tm__screen_row {
  size_t length;
  int columns;
  char bytes[TM__ROW_BYTES];
} tm__screen_row;

typedef struct tm__screen {
  int width;     /* columns, at least 20 */
  bool coloured; /* escape sequences may be used */
  bool unicode;  /* and characters beyond ASCII */
  int count;     /* rows so far; the last one is being written */
  tm__screen_row rows[TM__ROWS];
} tm__screen;

TM_HIDDEN void tm__screen_clear(tm__screen *s, int width, bool coloured, bool unicode);
/* Starts a row. */
TM_HIDDEN void tm__screen_row_begin(tm__screen *s);
/* Adds text to the row, as far as it fits. */
TM_HIDDEN void tm__screen_add(tm__screen *s, tm__ink ink, const char *text);
TM_HIDDEN TM_PRINTF(3, 4) void tm__screen_addf(tm__screen *s, tm__ink ink, const char *format, ...);
/* Adds it at the right end of `columns` more columns. */
TM_HIDDEN void tm__screen_right(tm__screen *s, tm__ink ink, const char *text, int columns);
/* Adds it and fills up to `columns` columns; a longer text is cut. */
TM_HIDDEN void tm__screen_left(tm__screen *s, tm__ink ink, const char *text, int columns);
/* Adds "name value", in a new row when this one has no room for it. */
TM_HIDDEN void tm__screen_pair(tm__screen *s, const char *name, tm__ink ink, const char *value);
/* Adds a text of several words, in as many rows as it takes, each behind `indent` blanks. */
TM_HIDDEN void tm__screen_wrap(tm__screen *s, tm__ink ink, int indent, const char *text);
/* A bar of `columns`, `part` of `whole` of it full. */
TM_HIDDEN void tm__screen_bar(tm__screen *s, tm__ink ink, int columns, double part, double whole);
/* Columns that are left in the row. */
TM_HIDDEN int tm__screen_room(const tm__screen *s);

#endif
