/* guard.c - Host, Origin, method, body, Accept. */
#define _GNU_SOURCE
#include "monitor/guard.h"

#include <string.h>

/* ---- Text ----------------------------------------------------------------------------------- */

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same(const char *a, size_t a_length, const char *b, size_t b_length)
{
  if (a_length != b_length)
    return false;
  for (size_t i = 0; i < a_length; i++)
    if (lower(a[i]) != lower(b[i]))
      return false;
  return true;
}

static bool same_text(const char *a, size_t length, const char *b)
{
  return same(a, length, b, strlen(b));
}

/* Cuts blanks off both ends. */
static void trim(const char **text, size_t *length)
{
  while (*length && (**text == ' ' || **text == '\t')) {
    (*text)++;
    (*length)--;
  }
  while (*length && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
    (*length)--;
}

/* The next piece up to `separator`, trimmed; false at the end of the list. */
static bool next_item(const char **list, char separator, const char **item, size_t *length)
{
  if (!**list)
    return false;
  const char *end = strchr(*list, separator);
  *item = *list;
  *length = end ? (size_t)(end - *list) : strlen(*list);
  *list = *item + *length + (end ? 1 : 0);
  trim(item, length);
  return true;
}

/* ---- Host and Origin ------------------------------------------------------------------------ */

/* Splits "name:port"; the port is 80 when there is none and -1 when it is no port. */
static size_t split_host(const char *host, size_t length, int *port)
{
  size_t name = 0;
  if (length && host[0] == '[')
    while (name < length && host[name] != ']')
      name++;
  while (name < length && host[name] != ':')
    name++;
  *port = name == length ? 80 : 0;
  if (name + 1 == length || length - name > 6)
    *port = name == length ? 80 : -1;
  for (size_t i = name + 1; i < length && *port >= 0; i++)
    *port = host[i] >= '0' && host[i] <= '9' ? *port * 10 + (host[i] - '0') : -1;
  return name;
}

/* Does an entry of the list of allowed hosts name this one? */
static bool entry_allows(const tm__guard *guard, const char *entry, size_t entry_length,
                         const char *host, size_t length)
{
  int port, entry_port;
  size_t name = split_host(host, length, &port);
  size_t entry_name = split_host(entry, entry_length, &entry_port);
  if (entry_name < entry_length) /* it says which port */
    return same(entry, entry_length, host, length);
  return same(entry, entry_length, host, name) && (port == guard->port || !guard->port);
}

bool tm__guard_host(const tm__guard *guard, const char *host, size_t length)
{
  static const char *const ours[] = {"localhost", "127.0.0.1", "[::1]"};
  int port;
  size_t name = split_host(host, length, &port);
  if (name == 0 || port < 0)
    return false;
  if (port == guard->port || !guard->port) {
    for (size_t i = 0; i < TM_ARRAY_LEN(ours); i++)
      if (same_text(host, name, ours[i]))
        return true;
    if (same_text(host, name, guard->local_host))
      return true;
  }
  const char *list = guard->allowed, *entry;
  size_t entry_length;
  while (next_item(&list, ',', &entry, &entry_length))
    if (entry_length && entry_allows(guard, entry, entry_length, host, length))
      return true;
  return false;
}

static bool origin_allowed(const tm__guard *guard, const tm__text *origin)
{
  static const char scheme[] = "http://";
  size_t n = strlen(scheme);
  return !origin->cut && origin->length > n && same(origin->bytes, n, scheme, n) &&
         tm__guard_host(guard, origin->bytes + n, origin->length - n);
}

/* An absolute target names the host itself, and that name counts. */
static void split_absolute_target(tm__request *request)
{
  static const char scheme[] = "http://";
  size_t n = strlen(scheme);
  tm__text *target = &request->target;
  if (target->length < n || !same(target->bytes, n, scheme, n))
    return;
  char *path = strchr(target->bytes + n, '/');
  size_t host = path ? (size_t)(path - target->bytes) - n : target->length - n;
  if (host >= request->host.capacity || target->cut) {
    request->host.cut = true;
    return;
  }
  memcpy(request->host.bytes, target->bytes + n, host);
  request->host.bytes[host] = 0;
  request->host.length = host;
  if (path)
    memmove(target->bytes, path, target->length - n - host + 1);
  else
    memcpy(target->bytes, "/", 2);
  target->length = strlen(target->bytes);
}

/* ---- The whole request ---------------------------------------------------------------------- */

static int refuse(const char **why, int status, const char *sentence)
{
  *why = sentence;
  return status;
}

int tm__guard_check(const tm__guard *guard, tm__request *request, const char **why)
{
  int major = request->parser.http_major, minor = request->parser.http_minor;
  if (major != 1)
    return refuse(why, 505, "This server speaks HTTP/1.1 and HTTP/1.0.");
  if (!request->host.seen && minor >= 1)
    return refuse(why, 400, "An HTTP/1.1 request needs a Host header.");
  split_absolute_target(request);
  if (request->host.cut || !tm__guard_host(guard, request->host.bytes, request->host.length))
    return refuse(why, 403,
                  "The Host header names somebody else. Ask for localhost and the port that is "
                  "listened on, or add the name to the monitor's allowed_hosts.");
  if (request->origin.seen && !origin_allowed(guard, &request->origin))
    return refuse(why, 403, "Pages of other origins may not read this.");
  if (!tm__request_is(request, HTTP_GET) && !tm__request_is(request, HTTP_HEAD))
    return refuse(why, 405, "Only GET and HEAD: there is nothing to change here.");
  if (request->has_body)
    return refuse(why, 400, "A request here has no body.");
  return 0;
}

/* ---- Accept --------------------------------------------------------------------------------- */

/* "0.75" in thousandths; -1 iff it is no quality. */
static int read_quality(const char *text, size_t length)
{
  if (length == 0 || length > 5 || (text[0] != '0' && text[0] != '1') ||
      (length > 1 && text[1] != '.'))
    return -1;
  int quality = (text[0] - '0') * 1000, unit = 100;
  for (size_t i = 2; i < length; i++, unit /= 10) {
    if (text[i] < '0' || text[i] > '9')
      return -1;
    quality += (text[i] - '0') * unit;
  }
  return quality <= 1000 ? quality : -1;
}

/* One media range: its quality if it is `type`, of `version` or of none; else -1. */
static int quality_of(const char *range, size_t range_length, const char *type, const char *version)
{
  char copy[128];
  if (range_length >= sizeof copy)
    return -1;
  memcpy(copy, range, range_length);
  copy[range_length] = 0;
  const char *list = copy, *item;
  size_t length;
  int quality = 1000;
  if (!next_item(&list, ';', &item, &length) || !same_text(item, length, type))
    return -1;
  while (next_item(&list, ';', &item, &length)) {
    if (length > 2 && same(item, 2, "q=", 2))
      quality = read_quality(item + 2, length - 2);
    else if (length > 8 && same(item, 8, "version=", 8) &&
             !same_text(item + 8, length - 8, version))
      return -1;
  }
  return quality;
}

static int best_quality(const char *accept, const char *type, const char *version)
{
  const char *range;
  size_t length;
  int best = -1;
  while (next_item(&accept, ',', &range, &length)) {
    int quality = quality_of(range, length, type, version);
    best = quality > best ? quality : best;
  }
  return best;
}

tm_text_format tm__guard_accept(const char *accept)
{
  int open = best_quality(accept, "application/openmetrics-text", "1.0.0");
  int plain = best_quality(accept, "text/plain", "0.0.4");
  if (plain < 0)
    plain = best_quality(accept, "text/*", "0.0.4");
  if (plain < 0)
    plain = best_quality(accept, "*/*", "0.0.4");
  return open > 0 && open >= plain ? TM_TEXT_OPENMETRICS : TM_TEXT_PROMETHEUS;
}

bool tm__guard_gzip(const tm__text *encoding)
{
  if (!encoding->seen)
    return true;
  int gzip = best_quality(encoding->bytes, "gzip", "");
  return !encoding->cut && (gzip < 0 ? best_quality(encoding->bytes, "*", "") : gzip) > 0;
}
