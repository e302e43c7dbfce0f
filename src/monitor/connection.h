/* connection.h - one client: reads its request, writes the answer, waits for it to go. */
#ifndef TM_MONITOR_CONNECTION_H
#define TM_MONITOR_CONNECTION_H

#include "monitor/inner.h"

/* A free connection, or NULL when all are taken. */
TM_HIDDEN tm__connection *tm__connection_free(tm__monitor *m);
/* Notes the socket that c is for; -1: none any more. Under tm__fds_lock. */
TM_HIDDEN void tm__connection_note(tm__monitor *m, tm__connection *c, int fd);
/* Serves c's socket, or tells it that there are too many. Takes the socket in any case. */
TM_HIDDEN void tm__connection_open(tm__monitor *m, tm__connection *c);
/* Ends a connection, whatever it is at. */
TM_HIDDEN void tm__connection_close(tm__connection *c);
TM_HIDDEN void tm__connections_close(tm__monitor *m);
/* A sample was taken: the streams that are not waiting for their client say so. */
TM_HIDDEN void tm__connections_stream(tm__monitor *m);

#endif
