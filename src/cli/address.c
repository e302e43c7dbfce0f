/* address.c - parsing, binding and naming the monitor's address. */
#define _GNU_SOURCE
#include "cli/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

/* ---- Parsing -------------------------------------------------------------------------------- */

static int bad_address(tm__complaint *complaint, const char *text)
{
  return tm__complain(complaint, TM_EXIT_USAGE,
                      "--serve: '%s' is not an address; write :9100, 127.0.0.1:9100, [::1]:9100 or "
                      "unix:/path",
                      text);
}

/* A port of decimal digits only; -1 iff it is none. */
static int parse_port(const char *text)
{
  int port = 0;
  if (!*text)
    return -1;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || port > 65535)
      return -1;
    port = port * 10 + (*text - '0');
  }
  return port <= 65535 ? port : -1;
}

static int parse_unix(const char *path, tm__address *address, tm__complaint *complaint)
{
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  if (!*path)
    return tm__complain(complaint, TM_EXIT_USAGE, "--serve: unix: needs a path behind it");
  if (strlen(path) >= sizeof un.sun_path)
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "--serve: the socket's path is longer than the %zu bytes that the system "
                        "takes; choose a shorter one",
                        sizeof un.sun_path - 1);
  memcpy(un.sun_path, path, strlen(path));
  memcpy(&address->socket, &un, sizeof un);
  address->length = (socklen_t)sizeof un;
  return 0;
}

/* Splits "HOST:PORT" at the colon that is not inside [ ]. NULL iff the brackets are wrong. */
static const char *split(const char *text, char *host, size_t capacity)
{
  const char *colon, *start = text, *end;
  if (*text == '[') {
    start++;
    end = strchr(text, ']');
    if (!end || end[1] != ':')
      return NULL;
    colon = end + 1;
  } else {
    colon = strchr(text, ':');
    if (!colon)
      return text[0] ? (host[0] = 0, text) : NULL; /* "9100" */
    end = colon;
  }
  if ((size_t)(end - start) >= capacity)
    return NULL;
  memcpy(host, start, (size_t)(end - start));
  host[end - start] = 0;
  return colon + 1;
}

int tm__address_parse(const char *text, tm__address *address, tm__complaint *complaint)
{
  memset(address, 0, sizeof *address);
  if (strncmp(text, "unix:", 5) == 0)
    return parse_unix(text + 5, address, complaint);
  char host[64];
  const char *port_text = split(text, host, sizeof host);
  int port = port_text ? parse_port(port_text) : -1;
  if (port < 0)
    return bad_address(complaint, text);
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  bool loopback;
  if (!*host || strcmp(host, "localhost") == 0)
    (void)snprintf(host, sizeof host, "127.0.0.1");
  if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
    loopback = ntohl(in.sin_addr.s_addr) >> 24 == 127;
    memcpy(&address->socket, &in, sizeof in);
    address->length = (socklen_t)sizeof in;
  } else if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
    loopback = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    memcpy(&address->socket, &in6, sizeof in6);
    address->length = (socklen_t)sizeof in6;
  } else {
    return bad_address(complaint, text);
  }
  if (!loopback)
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "--serve: '%s' is not this machine's loopback; the pages have no password, "
                        "so serve on 127.0.0.1 and put a proxy or an SSH tunnel in front",
                        text);
  return 0;
}

/* ---- Listening ------------------------------------------------------------------------------ */

/* Removes a socket file that nobody listens on any more. */
static void remove_stale(const tm__address *address)
{
  struct sockaddr_un un;
  memcpy(&un, &address->socket, sizeof un);
  struct stat st;
  if (lstat(un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
    return;
  int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return;
  if (connect(probe, (const struct sockaddr *)&address->socket, address->length) != 0 &&
      errno == ECONNREFUSED)
    (void)unlink(un.sun_path);
  (void)close(probe);
}

static int bind_socket(int fd, const tm__address *address)
{
  const struct sockaddr *where = (const struct sockaddr *)&address->socket;
  if (address->socket.ss_family == AF_UNIX) {
    mode_t mask = umask(0177);
    int result = bind(fd, where, address->length);
    if (result != 0 && errno == EADDRINUSE) {
      remove_stale(address);
      result = bind(fd, where, address->length);
    }
    int error = errno;
    (void)umask(mask);
    errno = error;
    return result;
  }
  /* a socket of an earlier run in TIME_WAIT is no reason to fail; one that listens still is */
  int one = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  return bind(fd, where, address->length);
}

/* The numeric name of a bound or wanted address. */
static void name_of(const struct sockaddr_storage *socket, char *buffer, size_t capacity)
{
  char host[INET6_ADDRSTRLEN] = "";
  if (socket->ss_family == AF_UNIX) {
    struct sockaddr_un un;
    memcpy(&un, socket, sizeof un);
    (void)snprintf(buffer, capacity, "unix:%.*s", (int)sizeof un.sun_path, un.sun_path);
  } else if (socket->ss_family == AF_INET6) {
    struct sockaddr_in6 in6;
    memcpy(&in6, socket, sizeof in6);
    (void)inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
    (void)snprintf(buffer, capacity, "[%s]:%u", host, ntohs(in6.sin6_port));
  } else {
    struct sockaddr_in in;
    memcpy(&in, socket, sizeof in);
    (void)inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
    (void)snprintf(buffer, capacity, "%s:%u", host, ntohs(in.sin_port));
  }
}

int tm__address_listen(const tm__address *address, int *fd, tm__complaint *complaint)
{
  char name[160];
  name_of(&address->socket, name, sizeof name);
  int listener = socket(address->socket.ss_family, SOCK_STREAM, 0);
  if (listener >= 0 && bind_socket(listener, address) == 0 && listen(listener, BACKLOG) == 0) {
    *fd = listener;
    return 0;
  }
  int error = errno;
  if (listener >= 0)
    (void)close(listener);
  if (error == EADDRINUSE)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "--serve: %s is in use by another program; choose another address, or port "
                        "0 for a free one",
                        name);
  if (error == EACCES || error == EPERM)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "--serve: you may not listen on %s; choose a port above 1023 or a "
                        "directory that you may write to",
                        name);
  return tm__complain(complaint, TM_EXIT_FAILED, "--serve: cannot listen on %s: %s", name,
                      strerror(error));
}

void tm__address_name(int fd, char *buffer, size_t capacity)
{
  struct sockaddr_storage socket = {0};
  socklen_t length = (socklen_t)sizeof socket;
  char name[160] = "?";
  if (getsockname(fd, (struct sockaddr *)&socket, &length) == 0)
    name_of(&socket, name, sizeof name);
  (void)snprintf(buffer, capacity, socket.ss_family == AF_UNIX ? "%s" : "http://%s/", name);
}
