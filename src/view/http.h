/* http.h - one GET to a monitor: bounded in time and in bytes. */
#ifndef TM_VIEW_HTTP_H
#define TM_VIEW_HTTP_H

#include "view/place.h"

enum { TM__HTTP_TIMEOUT_MS = 10000, TM__HTTP_BODY_BYTES = 64 << 20 };

typedef struct tm__body {
  char *text; /* malloc'ed, ended by NUL */
  size_t length;
} tm__body;

/* The body that `path` has at this place. 0, or TM_EXIT_FAILED: nobody listens, it took more than
 * timeout_ms, the body was too long, the status was not 200. *out needs freeing when 0. */
TM_HIDDEN int tm__http_get(const tm__place *place, const char *path, int timeout_ms, tm__body *out,
                           tm__complaint *complaint);

#endif
