/*
 * guard.h - whether a request may be answered, and in which format. Pure: text in, verdict out.
 *
 * The Host check stops DNS rebinding: a page of some.example whose name is made to point at this
 * machine still says "Host: some.example". The Origin check stops pages that name us correctly.
 */
#ifndef TM_MONITOR_GUARD_H
#define TM_MONITOR_GUARD_H

#include <tidemark/stats.h>

#include "monitor/request.h"

typedef struct tm__guard {
  int port;            /* that is listened on; 0: a unix socket, ports do not matter */
  const char *allowed; /* further hosts by commas, or "" */
  const char
      *local_host; /* the address that the client reached, "10.0.0.5" or "[fe80::1]", or "" */
} tm__guard;

/* 0, or the HTTP status that refuses a complete request. *why is a sentence for people. Leaves the
 * path in request->target when the target was an absolute URL. */
TM_HIDDEN int tm__guard_check(const tm__guard *guard, tm__request *request, const char **why);

/* true iff `host` ("name", "name:port", "[v6]:port") is one of ours. */
TM_HIDDEN bool tm__guard_host(const tm__guard *guard, const char *host, size_t length);

/* The format of metrics that an Accept header prefers; "" and nonsense give the older one. */
TM_HIDDEN tm_text_format tm__guard_accept(const char *accept);

/* Whether an Accept-Encoding header takes gzip; a request without the header takes it too. */
TM_HIDDEN bool tm__guard_gzip(const tm__text *encoding);

#endif
