/* answer.c - heads and bodies. The body is written first, because the head says how long it is. */
#define _GNU_SOURCE
#include "monitor/answer.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "monitor/address.h"
#include "monitor/asset.h"
#include "monitor/guard.h"
#include "monitor/page_style.h"
#include "monitor/routes.h"
#include "monitor/stream.h"

const char tm__answer_full[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

/* ---- Heads ---------------------------------------------------------------------------------- */

static const struct {
  int status;
  const char *text;
} statuses[TM__STATUS_COUNT] = {
#define STATUS_ROW(code, text) {code, text},
    TM__STATUSES(STATUS_ROW)};

static size_t status_row(int status)
{
  size_t row = 0;
  while (row + 1 < TM__STATUS_COUNT && statuses[row].status != status)
    row++;
  return row;
}

static void two_digits(tm__emit *e, unsigned value)
{
  tm__emit_char(e, (char)('0' + value / 10 % 10));
  tm__emit_char(e, (char)('0' + value % 10));
}

void tm__answer_date(tm__emit *e, uint64_t unix_seconds)
{
  static const char days[] = "ThuFriSatSunMonTueWed",
                    months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
  uint64_t day = unix_seconds / 86400, rest = unix_seconds % 86400;
  /* count from 1 March of year 0, so that a leap day is the last day of its year */
  uint64_t since = day + 719468;
  uint64_t era = since / 146097, of_era = since % 146097;
  uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  uint64_t month = (5 * of_year + 2) / 153; /* 0 is March */
  uint64_t of_month = of_year - (153 * month + 2) / 5 + 1;
  tm__emit_bytes(e, days + 3 * (day % 7), 3);
  tm__emit_text(e, ", ");
  two_digits(e, (unsigned)of_month);
  tm__emit_char(e, ' ');
  tm__emit_bytes(e, months + 3 * month, 3);
  tm__emit_char(e, ' ');
  tm__emit_u64(e, year + era * 400 + (month >= 10 ? 1 : 0));
  tm__emit_char(e, ' ');
  two_digits(e, (unsigned)(rest / 3600));
  tm__emit_char(e, ':');
  two_digits(e, (unsigned)(rest / 60 % 60));
  tm__emit_char(e, ':');
  two_digits(e, (unsigned)(rest % 60));
  tm__emit_text(e, " GMT");
}

static void emit_date(tm__emit *e)
{
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) || now.tv_sec < 0)
    return;
  tm__emit_text(e, "Date: ");
  tm__answer_date(e, (uint64_t)now.tv_sec);
  tm__emit_text(e, "\r\n");
}

/* For every answer: nothing may be framed, sniffed or shared. */
static const char headers_for_all[] = "Connection: close\r\n"
                                      "X-Content-Type-Options: nosniff\r\n"
                                      "X-Frame-Options: DENY\r\n"
                                      "Referrer-Policy: no-referrer\r\n"
                                      "Cross-Origin-Resource-Policy: same-origin\r\n"
                                      "Content-Security-Policy: default-src 'none'; ";
static const char policy_for_all[] = "base-uri 'none'; form-action 'none'; "
                                     "frame-ancestors 'none'\r\n";

/* Answers that are made anew: nothing may be kept, no script runs. */
static const char headers_made[] = "style-src '" TM__PAGE_STYLE_HASH "'; ";
/* The dashboard's files: kept, and asked about each time; scripts and styles are those files. */
static const char headers_file[] = "script-src 'self'; style-src 'self'; connect-src 'self'; "
                                   "img-src data:; ";

enum { NO_LENGTH = -1 };

typedef struct head {
  int status;
  const char *type, *more;
  ssize_t length; /* NO_LENGTH: until the connection ends */
  bool file;      /* one of the dashboard's */
} head;

/* Writes the head of an answer and notes its status. */
static void make_head(tm__connection *c, head h)
{
  size_t row = status_row(h.status);
  tm__emit e;
  tm__emit_init(&e, c->answer, TM__HEAD_BYTES);
  tm__emit_text(&e, "HTTP/1.1 ");
  tm__emit_u64(&e, (uint64_t)statuses[row].status);
  tm__emit_char(&e, ' ');
  tm__emit_text(&e, statuses[row].text);
  tm__emit_text(&e, "\r\n");
  emit_date(&e);
  tm__emit_text(&e, "Content-Type: ");
  tm__emit_text(&e, h.type);
  if (h.length != NO_LENGTH) {
    tm__emit_text(&e, "\r\nContent-Length: ");
    tm__emit_u64(&e, (uint64_t)h.length);
  }
  tm__emit_text(&e, h.file ? "\r\nCache-Control: no-cache\r\n" : "\r\nCache-Control: no-store\r\n");
  tm__emit_text(&e, headers_for_all);
  tm__emit_text(&e, h.file ? headers_file : headers_made);
  tm__emit_text(&e, policy_for_all);
  tm__emit_text(&e, h.more);
  tm__emit_text(&e, "\r\n");
  c->head_length = tm__emit_end(&e);
  c->status = statuses[row].status;
  c->monitor->answered[row]++;
}

/* HEAD is answered like GET, without the body. */
static void set_body(tm__connection *c, size_t length)
{
  c->body_length = tm__request_is(&c->request, HTTP_HEAD) ? 0 : length;
  c->touched = TM__HEAD_BYTES + (c->body_mapped ? 0 : length);
}

/* ---- Errors --------------------------------------------------------------------------------- */

void tm__answer_error(tm__connection *c, int status, const char *why)
{
  tm__emit e;
  c->body = c->answer + TM__HEAD_BYTES;
  tm__emit_init(&e, c->answer + TM__HEAD_BYTES, TM__ANSWER_BYTES - TM__HEAD_BYTES);
  tm__emit_text(&e, why);
  tm__emit_char(&e, '\n');
  size_t length = tm__emit_end(&e);
  const char *more = status == 405   ? "Allow: GET, HEAD\r\n"
                     : status == 503 ? "Retry-After: 1\r\n"
                                     : "";
  make_head(c, (head){status, "text/plain; charset=utf-8", more, (ssize_t)length, false});
  set_body(c, length);
}

static const char *sentence_of(int status)
{
  switch (status) {
  case 414:
    return "The request line is longer than 2048 bytes.";
  case 431:
    return "The headers are longer than 8192 bytes or more than 64.";
  case 505:
    return "This server speaks HTTP/1.1 and HTTP/1.0.";
  default:
    return "This is no HTTP request that can be answered.";
  }
}

/* ---- Bodies --------------------------------------------------------------------------------- */

/* A body that is too long for c->answer gets a mapping of its own. The books move between two
 * readings, so it is made an eighth longer; false when even that, or the mapping, fails. */
static bool write_big(tm__connection *c, const tm__route *route, tm_text_format format,
                      size_t *length)
{
  tm__monitor *m = c->monitor;
  size_t bytes = (*length + *length / 8 + 4096) & ~(size_t)4095;
  if (m->big_answers >= TM__BIG_ANSWERS || bytes > TM__BIG_BYTES)
    return false;
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return false;
  c->body = p;
  c->body_mapped = bytes;
  m->big_answers++;
  *length = route->write(m, format, p, bytes);
  return *length < bytes;
}

static void answer_body(tm__connection *c, const tm__route *route)
{
  size_t room = TM__ANSWER_BYTES - TM__HEAD_BYTES;
  tm_text_format format = tm__guard_accept(c->request.accept.cut ? "" : c->request.accept.bytes);
  c->body = c->answer + TM__HEAD_BYTES;
  size_t length = route->write(c->monitor, format, c->answer + TM__HEAD_BYTES, room);
  if (length >= room && !write_big(c, route, format, &length)) {
    tm__answer_error(c, 503, "The answer is too long for now; try again.");
    return;
  }
  bool open = format == TM_TEXT_OPENMETRICS && route->type_openmetrics;
  make_head(c, (head){200, open ? route->type_openmetrics : route->type,
                      route->type_openmetrics ? "Vary: Accept\r\n" : "", (ssize_t)length, false});
  set_body(c, length);
}

/* The head of an answer without end; connection.c asks stream.c for the rest. */
static void answer_stream(tm__connection *c, const tm__route *route)
{
  if (tm__request_is(&c->request, HTTP_GET) && !tm__stream_open(c)) {
    tm__answer_error(c, 503, "There are four streams already; try again in a second.");
    return;
  }
  make_head(c, (head){200, route->type, "", NO_LENGTH, false});
  c->body = c->answer + TM__HEAD_BYTES;
  set_body(c, 0);
}

/* A file that was compiled in, unless the client has it. */
static void answer_file(tm__connection *c, const tm__asset *file)
{
  char more[160];
  tm__emit e;
  bool gzip = tm__guard_gzip(&c->request.encoding);
  const char *tag = gzip ? file->gzip_tag : file->plain_tag;
  size_t length = gzip ? file->gzip_length : file->plain_length;
  bool same = tm__asset_matches(&c->request.match, tag);
  tm__emit_init(&e, more, sizeof more);
  tm__emit_text(&e, "ETag: ");
  tm__emit_text(&e, tag);
  tm__emit_text(&e, "\r\nVary: Accept-Encoding\r\n");
  tm__emit_text(&e, gzip && !same ? "Content-Encoding: gzip\r\n" : "");
  (void)tm__emit_end(&e);
  make_head(c, (head){same ? 304 : 200, file->type, more, (ssize_t)length, true});
  c->body = (const char *)(gzip ? file->gzip : file->plain);
  set_body(c, same ? 0 : length);
  c->touched = TM__HEAD_BYTES;
}

void tm__answer_make(tm__connection *c)
{
  tm__request *request = &c->request;
  const char *why = NULL;
  char local[64];
  if (request->status) {
    tm__answer_error(c, request->status, sentence_of(request->status));
    return;
  }
  tm__address_host(c->fd, local, sizeof local);
  tm__guard guard = {c->monitor->port, c->monitor->allowed, local};
  int status = tm__guard_check(&guard, request, &why);
  if (status) {
    tm__answer_error(c, status, why);
    return;
  }
  const char *path = request->target.cut ? "" : request->target.bytes;
  const tm__route *route = tm__route_find(path);
  const tm__asset *file = tm__asset_find(path);
  if (file)
    answer_file(c, file);
  else if (route && route->streams)
    answer_stream(c, route);
  else if (route && route->write)
    answer_body(c, route);
  else
    tm__answer_error(c, 404, "There is nothing here. The page at / lists what is.");
}
