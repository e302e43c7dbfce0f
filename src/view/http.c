/*
 * http.c - a client for a server that closes after each answer. The deadline is absolute: a server
 * that sends a byte now and then does not move it.
 */
#define _GNU_SOURCE
#include "view/http.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 16 * 1024 };

typedef struct call {
  const tm__place *place;
  tm__complaint *complaint;
  int fd;
  int64_t end_ms;
} call;

static int64_t now_ms(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fail(const call *c, const char *why)
{
  return tm__complain(c->complaint, TM_EXIT_FAILED, "%s: %s", c->place->name, why);
}

static int fail_errno(const call *c, int error)
{
  if (error == ECONNREFUSED || error == ENOENT)
    return fail(c, "nobody listens there; is the program running, with --serve?");
  return fail(c, strerror(error));
}

/* Waits until the socket is ready. 0, or the complaint's code when the time is up. */
static int wait_for(const call *c, short events)
{
  for (;;) {
    struct pollfd one = {.fd = c->fd, .events = events};
    int64_t left = c->end_ms - now_ms();
    int ready = left > 0 ? poll(&one, 1, (int)left) : 0;
    if (ready > 0)
      return 0;
    if (ready == 0)
      return fail(c, "it did not answer in time");
    if (errno != EINTR)
      return fail_errno(c, errno);
  }
}

/* ---- Connecting ----------------------------------------------------------------------------- */

static int connect_one(call *c, int family, const struct sockaddr *address, socklen_t length)
{
  int error = 0;
  socklen_t size = sizeof error;
  c->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (c->fd < 0)
    return fail_errno(c, errno);
  if (connect(c->fd, address, length) == 0)
    return 0;
  if (errno != EINPROGRESS)
    return fail_errno(c, errno);
  int result = wait_for(c, POLLOUT);
  if (result)
    return result;
  (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error ? fail_errno(c, error) : 0;
}

static void hang_up(call *c)
{
  if (c->fd >= 0)
    (void)close(c->fd);
  c->fd = -1;
}

static int connect_unix(call *c)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, c->place->path, sizeof address.sun_path);
  return connect_one(c, AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

/* The name's addresses in their order, until one answers. */
static int connect_tcp(call *c)
{
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  int error = getaddrinfo(c->place->host, c->place->port, &hints, &found);
  if (error)
    return fail(c, gai_strerror(error));
  int result = TM_EXIT_FAILED;
  for (const struct addrinfo *at = found; at && result; at = at->ai_next) {
    hang_up(c);
    result = connect_one(c, at->ai_family, at->ai_addr, at->ai_addrlen);
  }
  freeaddrinfo(found);
  return result;
}

/* ---- Asking --------------------------------------------------------------------------------- */

static int ask(const call *c, const char *path)
{
  char text[512];
  const char *name = c->place->host[0] ? c->place->name + strlen("http://") : "localhost/";
  int length = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n"
                        "User-Agent: tidemark\r\n\r\n",
                        path, (int)strcspn(name, "/"), name);
  for (int sent = 0; sent < length;) {
    int result = wait_for(c, POLLOUT);
    if (result)
      return result;
    ssize_t n = send(c->fd, text + sent, (size_t)(length - sent), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return fail_errno(c, errno);
    sent += n > 0 ? (int)n : 0;
  }
  return 0;
}

/* All that comes until the other side closes. */
static int hear(const call *c, tm__body *all)
{
  size_t capacity = 0;
  for (;;) {
    if (all->length + 1 >= capacity) {
      capacity = capacity ? 2 * capacity : 64 * 1024;
      char *more =
          capacity <= 2 * (size_t)TM__HTTP_BODY_BYTES ? realloc(all->text, capacity) : NULL;
      if (!more)
        return fail(c, "the answer is too long");
      all->text = more;
    }
    int result = wait_for(c, POLLIN);
    if (result)
      return result;
    ssize_t n = recv(c->fd, all->text + all->length, capacity - 1 - all->length, 0);
    if (n == 0)
      break;
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return fail_errno(c, errno);
    all->length += n > 0 ? (size_t)n : 0;
    if (all->length > HEAD_BYTES + (size_t)TM__HTTP_BODY_BYTES)
      return fail(c, "the answer is too long");
  }
  all->text[all->length] = 0;
  return 0;
}

/* The value of Content-Length in a head that ends at `end`; SIZE_MAX = it has none. */
static size_t promised(const char *head, const char *end)
{
  static const char name[] = "content-length:";
  for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2)
    if (strncasecmp(line, name, sizeof name - 1) == 0)
      return strtoul(line + sizeof name - 1, NULL, 10);
  return SIZE_MAX;
}

/* Checks the head and moves the body to the front. */
static int take_body(const call *c, tm__body *all)
{
  int status = 0;
  const char *end = strstr(all->text, "\r\n\r\n");
  if (!end || end - all->text > HEAD_BYTES || strncmp(all->text, "HTTP/1.", 7) != 0 ||
      sscanf(all->text + 8, " %3d", &status) != 1)
    return fail(c, "what answers there speaks no HTTP");
  const char *body = end + 4;
  size_t length = all->length - (size_t)(body - all->text);
  size_t expected = promised(all->text, end + 2);
  if (status != 200) {
    char why[160];
    (void)snprintf(why, sizeof why, "it answers %d: %.*s", status, (int)strcspn(body, "\r\n"),
                   body);
    return fail(c, why);
  }
  if (expected != SIZE_MAX && expected != length)
    return fail(c, "the answer was cut off");
  memmove(all->text, body, length + 1);
  all->length = length;
  return 0;
}

int tm__http_get(const tm__place *place, const char *path, int timeout_ms, tm__body *out,
                 tm__complaint *complaint)
{
  call c = {place, complaint, -1, now_ms() + timeout_ms};
  *out = (tm__body){NULL, 0};
  int result = place->host[0] ? connect_tcp(&c) : connect_unix(&c);
  if (!result)
    result = ask(&c, path);
  if (!result)
    result = hear(&c, out);
  if (!result)
    result = take_body(&c, out);
  hang_up(&c);
  if (result) {
    free(out->text);
    *out = (tm__body){NULL, 0};
  }
  return result;
}
