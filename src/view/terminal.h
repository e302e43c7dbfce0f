/* terminal.h - the terminal that `tidemark top` draws on. */
#ifndef TM_VIEW_TERMINAL_H
#define TM_VIEW_TERMINAL_H

#include "view/screen.h"

typedef struct tm__size2 {
  int columns, rows;
} tm__size2;

/* The size of standard output's terminal; $COLUMNS, or 80, by 0 rows when it is none. */
TM_HIDDEN tm__size2 tm__terminal_size(void);
/* May standard output be coloured? Not for a file or pipe, with NO_COLOR, or TERM=dumb. */
TM_HIDDEN bool tm__terminal_coloured(void);
/* Does the locale write UTF-8? */
TM_HIDDEN bool tm__terminal_unicode(void);

/* Takes the terminal over: other screen, keys one by one, no echo. What it was before comes back by
 * tm__terminal_leave, and by any signal that ends the program. */
TM_HIDDEN void tm__terminal_enter(void);
TM_HIDDEN void tm__terminal_leave(void);

/* Shows the screen's rows, as many as the terminal has; the last line is `foot`. */
TM_HIDDEN void tm__terminal_show(const tm__screen *s, int rows, const char *foot);

/* Waits for a key for up to that long. Its letter; 0 when the time is up; TM__KEY_RESIZED; -1 when
 * the terminal is gone or a signal asks the program to end. */
enum { TM__KEY_RESIZED = 1 };
TM_HIDDEN int tm__terminal_key(int timeout_ms);

#endif
