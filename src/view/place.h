/* place.h - where a monitor is: an address as people write it, taken apart. */
#ifndef TM_VIEW_PLACE_H
#define TM_VIEW_PLACE_H

#include "cli/complaint.h"

typedef struct tm__place {
  char host[128]; /* without brackets; "" = a unix socket */
  char port[8];
  char path[108]; /* of the unix socket */
  char name[160]; /* for people, and, without "http://" and "/", for the Host header */
} tm__place;

/* true iff the text is a process's number and not an address. */
TM_HIDDEN bool tm__place_is_pid(const char *text);

/* Takes an address apart: http://HOST:PORT/, HOST:PORT, [::1]:PORT, :PORT (this machine) or
 * unix:/PATH. 0 or TM_EXIT_USAGE. */
TM_HIDDEN int tm__place_parse(const char *text, tm__place *out, tm__complaint *complaint);

/* The same from its parts, which are known to be good. */
TM_HIDDEN void tm__place_tcp(const char *host, unsigned port, tm__place *out);
TM_HIDDEN void tm__place_unix(const char *path, tm__place *out);

#endif
