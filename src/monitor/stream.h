/*
 * stream.h - what a client of /events is told. Knows no socket: connection.c asks for a piece when
 * the one before is gone, so a slow client costs no memory; it falls behind in the rings.
 *
 *   retry, event: hello                                    once
 *   event: action | decision   data: as in /log.json       what the logs got meanwhile
 *   event: sample              id: its time, ns            one for each moment in the rings
 *   event: books               data: as /stats.json        the present state, when it is up to date
 *
 * A client that comes back with Last-Event-ID gets what came after it. Decisions near that moment
 * come twice rather than not at all; heap, sequence and time_ns tell them apart.
 */
#ifndef TM_MONITOR_STREAM_H
#define TM_MONITOR_STREAM_H

#include "monitor/inner.h"

/* Takes one of the streams for c, whose request is decided; false iff all are taken. */
TM_HIDDEN bool tm__stream_open(tm__connection *c);
/* Gives it back; nothing happens for a connection without one. */
TM_HIDDEN void tm__stream_close(tm__connection *c);
/* Writes the next piece behind c's head, and returns its length; 0: there is nothing new, unless
 * `comment` asks for a line that only shows that we live. */
TM_HIDDEN size_t tm__stream_fill(tm__connection *c, bool comment);

#endif
