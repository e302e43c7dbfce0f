/* sockets.h - which sockets a process listens on, by what /proc says. */
#ifndef TM_VIEW_SOCKETS_H
#define TM_VIEW_SOCKETS_H

#include "view/place.h"

enum { TM__SOCKETS_MAX = 64 };

typedef struct tm__sockets {
  size_t count;
  tm__place places[TM__SOCKETS_MAX];
  bool denied; /* some of it may not be looked at */
} tm__sockets;

/* The sockets that process `pid` listens on; those of a thread named "tidemark" come first. A
 * thread may have descriptors of its own (src/monitor/apart.c), so each thread is looked at.
 * `proc` is "/proc" except in tests. false iff there is no such process. */
TM_HIDDEN bool tm__sockets_of(const char *proc, long pid, tm__sockets *out);

/* Has the process a thread named "tidemark"? */
TM_HIDDEN bool tm__has_monitor_thread(const char *proc, long pid);

/* One line of /proc/PID/net/tcp, tcp6 or unix: the place that it listens on, and the socket's
 * inode. false iff it is another kind of line. */
TM_HIDDEN bool tm__socket_line(const char *table, const char *line, tm__place *place,
                               unsigned long *inode);

#endif
