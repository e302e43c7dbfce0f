/*
 * request.h - one HTTP request, parsed as its bytes come. Knows no socket and no clock.
 *
 *   tm__request_init -> tm__request_feed until it says DONE -> status == 0: a request to answer
 *                                                              status != 0: the error to answer
 *
 * Everything is bounded: the target and the values that matter are kept in fixed buffers, anything
 * above the limits ends the request at once.
 */
#ifndef TM_MONITOR_REQUEST_H
#define TM_MONITOR_REQUEST_H

#include <llhttp.h>

#include "base/hints.h"

enum {
  TM__LINE_MAX = 2048,       /* bytes of the request line without its end; above: 414 */
  TM__HEADERS_MAX = 8192,    /* bytes of all header lines; above: 431 */
  TM__HEADER_COUNT_MAX = 64, /* above: 431 */
  TM__HEAD_RAW_MAX = 16384   /* bytes in all, blanks that the parser skips included; above: 431 */
};

/* The headers that matter: X(enumerator, name in lower case, its text, bytes that are kept, whether
 * it may come twice) */
#define TM__HEADERS(X)                                                                             \
  X(TM__HEADER_HOST, "host", host, 256, false)                                                     \
  X(TM__HEADER_ORIGIN, "origin", origin, 256, false)                                               \
  X(TM__HEADER_ACCEPT, "accept", accept, 1024, true)                                               \
  X(TM__HEADER_ENCODING, "accept-encoding", encoding, 256, true)                                   \
  X(TM__HEADER_MATCH, "if-none-match", match, 256, true)                                           \
  X(TM__HEADER_LAST_EVENT, "last-event-id", last_event, 32, false)

#define TM__HEADER_ENUM(enumerator, name, text, bytes, twice) enumerator,
typedef enum { TM__HEADERS(TM__HEADER_ENUM) TM__HEADER_OTHER } tm__header;
#undef TM__HEADER_ENUM

typedef struct tm__text {
  char *bytes; /* ended by NUL */
  size_t length, capacity;
  bool cut;      /* it was longer */
  unsigned seen; /* how often the header came */
} tm__text;

typedef struct tm__request {
  llhttp_t parser;
  int status;    /* the HTTP status that answers it; 0: none decided */
  bool complete; /* the headers came to their end */
  bool has_body;
  size_t raw_bytes, line_bytes, header_bytes, header_count;
  tm__header header; /* the one whose value comes */
  size_t name_length;
  char name[16]; /* of that header, lower case; longer ones matter to nobody */
  tm__text target;
#define TM__HEADER_TEXT(enumerator, name, text, bytes, twice) tm__text text;
  TM__HEADERS(TM__HEADER_TEXT)
#undef TM__HEADER_TEXT
  char target_bytes[512];
#define TM__HEADER_BYTES(enumerator, name, text, bytes, twice) char text##_bytes[bytes];
  TM__HEADERS(TM__HEADER_BYTES)
#undef TM__HEADER_BYTES
} tm__request;

/* request must stay where it is afterwards. */
TM_HIDDEN void tm__request_init(tm__request *request);
/* Takes bytes from the client. true: the request is decided, complete or with a status. */
TM_HIDDEN bool tm__request_feed(tm__request *request, const char *bytes, size_t count);
/* The client will send no more: gives the request a status unless it is complete. */
TM_HIDDEN void tm__request_end(tm__request *request);
/* "GET" for a complete request. */
TM_HIDDEN bool tm__request_is(const tm__request *request, llhttp_method_t method);

#endif
