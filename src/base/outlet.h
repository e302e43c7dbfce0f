/*
 * outlet.h - a file descriptor of ours in a process that is not ours.
 *
 * It sits high and is close-on-exec. The program may close every descriptor and open its own files
 * under our numbers, so that each use asks first: is it still the file that we opened?
 */
#ifndef TM_BASE_OUTLET_H
#define TM_BASE_OUTLET_H

#include <sys/types.h>

#include "base/hints.h"

typedef struct tm__outlet {
  int fd; /* -1 = none */
  dev_t device;
  ino_t inode;
} tm__outlet;

#define TM__OUTLET_NONE ((tm__outlet){.fd = -1})

/* Remembers fd as it is. TM__OUTLET_NONE iff it is not open. */
TM_HIDDEN tm__outlet tm__outlet_of(int fd);
/* A high, close-on-exec copy of fd, or TM__OUTLET_NONE. */
TM_HIDDEN tm__outlet tm__outlet_copy(int fd);
/* Opens a file for writing without cutting it, made if it is not there; high, close-on-exec. */
TM_HIDDEN tm__outlet tm__outlet_open(const char *path);

/* true iff the descriptor is still open and still that file. */
TM_HIDDEN bool tm__outlet_holds(const tm__outlet *outlet);
/* Closes it if it is still ours. */
TM_HIDDEN void tm__outlet_close(tm__outlet *outlet);

/* Writes all of it, from the file's start if it is a regular file that is `whole` ours. Waits up to
 * a second for a slow reader; raises no SIGPIPE. false iff not all could be written. */
TM_HIDDEN bool tm__outlet_write(const tm__outlet *outlet, const char *text, size_t length,
                                bool whole);
/* Appends all of it without ever waiting for a reader; raises no SIGPIPE. 0, or the errno of what
 * went wrong (EBADF: it is not our file any more); then a part may have been written. */
TM_HIDDEN int tm__outlet_append(const tm__outlet *outlet, const void *bytes, size_t length);

#endif
