/* stream_client.h - a client of /events: it keeps what it heard, and finds events in it. */
#ifndef TESTS_MONITOR_STREAM_CLIENT_H
#define TESTS_MONITOR_STREAM_CLIENT_H

#include "monitor/client.h"

#include <stdbool.h>
#include <time.h>

#include "monitor/connection.h"
#include "monitor/inner.h"
#include "monitor/sampler.h"

typedef struct stream_client {
  int fd;
  bool ended; /* the server closed or reset it */
  size_t length;
  char text[8 << 20];
} stream_client;

/* Asks for /events; `more` are header lines. */
static inline stream_client *stream_open(served *s, const char *more)
{
  stream_client *client = calloc(1, sizeof *client);
  char request[512];
  client->fd = connect_client(s);
  snprintf(request, sizeof request, "GET /events HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n",
           tm_monitor_port(&s->monitor), more);
  say(client->fd, request);
  return client;
}

static inline void stream_close(stream_client *client)
{
  close(client->fd);
  free(client);
}

/* Turns the loop once and reads what is there. */
static inline void stream_listen(served *s, stream_client *client)
{
  turn(s);
  ssize_t n = recv(client->fd, client->text + client->length,
                   sizeof client->text - 1 - client->length, MSG_DONTWAIT);
  if (n > 0)
    client->length += (size_t)n;
  else if (n == 0 || errno != EAGAIN)
    client->ended = true;
  client->text[client->length] = 0;
}

static inline int stream_count(const stream_client *client, const char *part)
{
  int count = 0;
  for (const char *at = client->text; (at = strstr(at, part)); at++)
    count++;
  return count;
}

/* What the monitor does once a second. */
static inline void stream_sample(served *s)
{
  tm__sample_take(s->monitor.inner);
  tm__connections_stream(s->monitor.inner);
}

/* Listens until `part` came `count` times. */
static inline void stream_until(served *s, stream_client *client, const char *part, int count)
{
  uint64_t end = wait_end();
  while (stream_count(client, part) < count) {
    stream_listen(s, client);
    if (client->ended || uv_hrtime() > end)
      fail_msg("%d of %d times '%s' in %zu bytes: %.2000s", stream_count(client, part), count, part,
               client->length, client->text);
  }
}

static inline void stream_until_end(served *s, stream_client *client)
{
  for (uint64_t end = wait_end(); !client->ended;) {
    stream_listen(s, client);
    if (uv_hrtime() > end)
      fail_msg("the stream goes on after %zu bytes", client->length);
  }
}

/* A member of the last event of this name. */
static inline uint64_t stream_member(const stream_client *client, const char *event,
                                     const char *member)
{
  char name[64];
  const char *last = NULL;
  snprintf(name, sizeof name, "event: %s\n", event);
  for (const char *at = client->text; (at = strstr(at, name)); at++)
    last = at;
  assert_non_null(last);
  snprintf(name, sizeof name, "\"%s\":", member);
  last = strstr(last, name);
  assert_non_null(last);
  return strtoull(last + strlen(name), NULL, 10);
}

#endif
