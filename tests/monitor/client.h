/*
 * client.h - a monitor on a loop of the test's own, and clients on real sockets. Client and loop
 * share one thread: the loop is turned until the client has what it waits for. Nothing sleeps; a
 * wait that does not end fails after 30 seconds.
 */
#ifndef TESTS_MONITOR_CLIENT_H
#define TESTS_MONITOR_CLIENT_H

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include <tidemark/monitor.h>
#include <tidemark/tidemark.h>

typedef struct served {
  uv_loop_t loop;
  uv_timer_t keeper; /* referenced: uv_run does nothing on a loop without such a handle */
  tm_monitor monitor;
  tm_monitor_options options;
  int closed;
} served;

typedef struct answer {
  int status;
  size_t length, body_length;
  char *body;
  char text[1 << 20];
} answer;

static inline void on_keeper(uv_timer_t *timer)
{
  (void)timer;
}

static inline void on_monitor_closed(tm_monitor *monitor)
{
  served *s = monitor->data;
  s->closed++;
}

/* A loop and an initialised monitor; nothing runs yet. */
static inline void served_init(served *s)
{
  memset(s, 0, sizeof *s);
  assert_int_equal(uv_loop_init(&s->loop), 0);
  assert_int_equal(uv_timer_init(&s->loop, &s->keeper), 0);
  assert_int_equal(uv_timer_start(&s->keeper, on_keeper, 3600000, 0), 0);
  assert_int_equal(tm_monitor_init(&s->loop, &s->monitor), 0);
  s->monitor.data = s;
  tm_monitor_options_init(&s->options);
}

static inline void served_start(served *s)
{
  int error = tm_monitor_start(&s->monitor, &s->options);
  if (error)
    fail_msg("%s (%s)", tm_monitor_error(&s->monitor), uv_strerror(error));
}

static inline served *served_new(void)
{
  served *s = malloc(sizeof *s);
  served_init(s);
  served_start(s);
  return s;
}

/* Everything is given back: the loop would not close otherwise. */
static inline void served_end(served *s)
{
  assert_int_equal(tm_monitor_close(&s->monitor, on_monitor_closed), 0);
  uv_close((uv_handle_t *)&s->keeper, NULL);
  uv_run(&s->loop, UV_RUN_DEFAULT);
  assert_int_equal(s->closed, 1);
  assert_int_equal(uv_loop_close(&s->loop), 0);
}

static inline void served_delete(served *s)
{
  served_end(s);
  free(s);
}

static inline void turn(served *s)
{
  uv_run(&s->loop, UV_RUN_NOWAIT);
}

static inline int connect_to(int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static inline int connect_client(served *s)
{
  return connect_to(tm_monitor_port(&s->monitor));
}

static inline void say(int fd, const char *text)
{
  size_t length = strlen(text);
  assert_int_equal(send(fd, text, length, MSG_NOSIGNAL), length);
}

static inline uint64_t wait_end(void)
{
  return uv_hrtime() + 30 * UINT64_C(1000000000);
}

/* Reads the whole answer, turning the loop meanwhile; the connection is closed. Status 0: it was
 * closed without one. */
static inline const answer *hear(served *s, int fd)
{
  static answer a;
  uint64_t end = wait_end();
  ssize_t n = -1;
  a.length = 0;
  while (n != 0) {
    turn(s);
    n = recv(fd, a.text + a.length, sizeof a.text - 1 - a.length, MSG_DONTWAIT);
    if (n > 0)
      a.length += (size_t)n;
    if (n < 0 && errno == ECONNRESET)
      break;
    if (n < 0) {
      struct pollfd ready = {.fd = fd, .events = POLLIN};
      (void)poll(&ready, 1, 1);
    }
    if (uv_hrtime() > end)
      fail_msg("no end of the answer after %zu bytes", a.length);
  }
  close(fd);
  a.text[a.length] = 0;
  a.status = a.length > 12 ? atoi(a.text + 9) : 0;
  a.body = strstr(a.text, "\r\n\r\n");
  a.body = a.body ? a.body + 4 : a.text + a.length;
  a.body_length = a.length - (size_t)(a.body - a.text);
  return &a;
}

/* One request as it stands. */
static inline const answer *ask_raw(served *s, const char *request)
{
  int fd = connect_client(s);
  say(fd, request);
  return hear(s, fd);
}

/* METHOD path with the right Host and further header lines. */
static inline const answer *ask(served *s, const char *method, const char *path, const char *more)
{
  char host[64];
  snprintf(host, sizeof host, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", tm_monitor_port(&s->monitor));
  int fd = connect_client(s);
  say(fd, method);
  say(fd, " ");
  say(fd, path);
  say(fd, host);
  say(fd, more);
  say(fd, "\r\n");
  return hear(s, fd);
}

static inline const answer *get(served *s, const char *path)
{
  return ask(s, "GET", path, "");
}

/* The value of a header of the answer, or NULL. */
static inline const char *header_of(const answer *a, const char *name)
{
  static char value[1024];
  char line[128];
  snprintf(line, sizeof line, "\r\n%s: ", name);
  const char *at = strcasestr(a->text, line);
  if (!at || at > a->body)
    return NULL;
  at += strlen(line);
  size_t length = strcspn(at, "\r\n");
  snprintf(value, sizeof value, "%.*s", (int)length, at);
  return value;
}

/* The value of a sample in metrics text, by the beginning of its line; -1 iff it is not there. */
static inline double sample_of(const char *metrics, const char *sample)
{
  size_t length = strlen(sample);
  for (const char *line = metrics; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, sample, length) == 0 && line[length] == ' ')
      return atof(line + length + 1);
  }
  return -1;
}

#endif
