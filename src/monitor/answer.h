/* answer.h - what a client is told: status, head, body. */
#ifndef TM_MONITOR_ANSWER_H
#define TM_MONITOR_ANSWER_H

#include "monitor/inner.h"
#include "stats/emit.h"

/* Writes the answer to c->request, which is decided. */
TM_HIDDEN void tm__answer_make(tm__connection *c);
/* Writes an error with a sentence for people. */
TM_HIDDEN void tm__answer_error(tm__connection *c, int status, const char *why);

/* The whole of it for a client that gets no connection at all. */
TM_HIDDEN extern const char tm__answer_full[];

/* "Tue, 25 Nov 2025 02:53:00 GMT". By hand: libc reads files and allocates for time zones. */
TM_HIDDEN void tm__answer_date(tm__emit *e, uint64_t unix_seconds);

#endif
