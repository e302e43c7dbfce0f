/* answer.c - heads and bodies. The body is written first, because the head says how long it is. */
#define _GNU_SOURCE
#include "monitor/answer.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "monitor/address.h"
#include "monitor/guard.h"
#include "monitor/page_style.h"
#include "monitor/routes.h"

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

/* For every answer: nothing may be kept, framed, sniffed or run. */
static const char headers_for_all[] = "Connection: close\r\n"
                                      "Cache-Control: no-store\r\n"
                                      "X-Content-Type-Options: nosniff\r\n"
                                      "X-Frame-Options: DENY\r\n"
                                      "Referrer-Policy: no-referrer\r\n"
                                      "Cross-Origin-Resource-Policy: same-origin\r\n"
                                      "Content-Security-Policy: default-src 'none'; "
                                      "style-src '" TM__PAGE_STYLE_HASH "'; base-uri 'none'; "
                                      "form-action 'none'; frame-ancestors 'none'\r\n";

/* Writes the head for a body of `length` bytes and notes the status. */
static void make_head(tm__connection *c, int status, const char *type, const char *more,
                      size_t length)
{
  size_t row = status_row(status);
  tm__emit e;
  tm__emit_init(&e, c->answer, TM__HEAD_BYTES);
  tm__emit_text(&e, "HTTP/1.1 ");
  tm__emit_u64(&e, (uint64_t)statuses[row].status);
  tm__emit_char(&e, ' ');
  tm__emit_text(&e, statuses[row].text);
  tm__emit_text(&e, "\r\n");
  emit_date(&e);
  tm__emit_text(&e, "Content-Type: ");
  tm__emit_text(&e, type);
  tm__emit_text(&e, "\r\nContent-Length: ");
  tm__emit_u64(&e, length);
  tm__emit_text(&e, "\r\n");
  tm__emit_text(&e, headers_for_all);
  tm__emit_text(&e, more);
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
  tm__emit_init(&e, c->body, TM__ANSWER_BYTES - TM__HEAD_BYTES);
  tm__emit_text(&e, why);
  tm__emit_char(&e, '\n');
  size_t length = tm__emit_end(&e);
  const char *more = status == 405   ? "Allow: GET, HEAD\r\n"
                     : status == 503 ? "Retry-After: 1\r\n"
                                     : "";
  make_head(c, status, "text/plain; charset=utf-8", more, length);
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
  *length = route->write(m, format, c->body, bytes);
  return *length < bytes;
}

static void answer_route(tm__connection *c, const tm__route *route)
{
  size_t room = TM__ANSWER_BYTES - TM__HEAD_BYTES;
  tm_text_format format = tm__guard_accept(c->request.accept.cut ? "" : c->request.accept.bytes);
  c->body = c->answer + TM__HEAD_BYTES;
  size_t length = route->write(c->monitor, format, c->body, room);
  if (length >= room && !write_big(c, route, format, &length)) {
    tm__answer_error(c, 503, "The answer is too long for now; try again.");
    return;
  }
  bool open = format == TM_TEXT_OPENMETRICS && route->type_openmetrics;
  make_head(c, 200, open ? route->type_openmetrics : route->type,
            route->type_openmetrics ? "Vary: Accept\r\n" : "", length);
  set_body(c, length);
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
  const tm__route *route = tm__route_find(request->target.cut ? "" : request->target.bytes);
  if (route)
    answer_route(c, route);
  else
    tm__answer_error(c, 404, "There is nothing here. The page at / lists what is.");
}
