/* place.c - see place.h. Names are left to the resolver; only their form is looked at here. */
#include "view/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts_with(const char *text, const char *start)
{
  return strncmp(text, start, strlen(start)) == 0;
}

bool tm__place_is_pid(const char *text)
{
  return *text && text[strspn(text, "0123456789")] == 0;
}

void tm__place_tcp(const char *host, unsigned port, tm__place *out)
{
  bool six = strchr(host, ':') != NULL;
  memset(out, 0, sizeof *out);
  (void)snprintf(out->host, sizeof out->host, "%s", host);
  (void)snprintf(out->port, sizeof out->port, "%u", port);
  (void)snprintf(out->name, sizeof out->name, six ? "http://[%s]:%u/" : "http://%s:%u/", host,
                 port);
}

void tm__place_unix(const char *path, tm__place *out)
{
  memset(out, 0, sizeof *out);
  (void)snprintf(out->path, sizeof out->path, "%s", path);
  (void)snprintf(out->name, sizeof out->name, "unix:%s", out->path);
}

static int refuse(const char *text, tm__complaint *complaint)
{
  return tm__complain(complaint, TM_EXIT_USAGE,
                      "'%s' is no address of a monitor; write http://127.0.0.1:9464/, :9464, "
                      "unix:/path, or the number of a process",
                      text);
}

static int parse_unix(const char *text, const char *path, tm__place *out, tm__complaint *complaint)
{
  if (!*path || strlen(path) >= sizeof out->path)
    return refuse(text, complaint);
  tm__place_unix(path, out);
  return 0;
}

/* The port behind `at`, which must be all that is left but a slash; 0 = it is none. */
static unsigned port_of(const char *at)
{
  size_t digits = strspn(at, "0123456789");
  if (digits == 0 || digits > 5 || (at[digits] && strcmp(at + digits, "/") != 0))
    return 0;
  unsigned long port = strtoul(at, NULL, 10);
  return port <= 65535 ? (unsigned)port : 0;
}

int tm__place_parse(const char *text, tm__place *out, tm__complaint *complaint)
{
  if (starts_with(text, "unix:"))
    return parse_unix(text, text + strlen("unix:"), out, complaint);
  if (starts_with(text, "https:"))
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "a monitor speaks no https; give the address behind the proxy");
  const char *at = starts_with(text, "http://") ? text + strlen("http://") : text;
  const char *end = *at == '[' ? strchr(at, ']') : at + strcspn(at, ":/");
  size_t skip = *at == '[';
  if (!end || end[skip] != ':')
    return refuse(text, complaint);
  unsigned port = port_of(end + skip + 1);
  size_t length = (size_t)(end - at) - skip;
  char host[sizeof out->host];
  if (!port || length >= sizeof host || strcspn(at + skip, " \t\r\n@?#%") < length)
    return refuse(text, complaint);
  memcpy(host, at + skip, length);
  host[length] = 0;
  tm__place_tcp(length ? host : "127.0.0.1", port, out);
  return 0;
}
