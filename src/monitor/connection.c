/*
 * connection.c - a socket from accept to close.
 *
 *   READING --request decided--> WRITING --all sent--> DRAINING --client closed--> CLOSING --> FREE
 *      |                            | |                   |
 *      deadline: 408    deadline: reset |                 deadline: close
 *                                       +--/events--> STREAMING, for as long as the client reads
 *
 * Deadlines are absolute: set when a state begins, never moved by what a client does. A stream is
 * written in pieces; each has a deadline of its own, and the next is not made before it is gone.
 */
#define _GNU_SOURCE
#include "monitor/connection.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/answer.h"
#include "monitor/lifecycle.h"
#include "monitor/stream.h"

enum { READ_BYTES = 4096, READS_AT_ONCE = 8, KEPT_BYTES = 16 * 1024 };

static void arm_deadlines(tm__monitor *m);
static void send_more(tm__connection *c);
static void end_piece(tm__connection *c);

static uint64_t after_ms(uint64_t start_ns, uint64_t ms)
{
  return start_ns + ms * 1000000u;
}

/* ---- Closing -------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
  tm__connection *c = handle->data;
  c->state = TM__FREE;
  c->monitor->in_use--;
  tm__handle_closed(c->monitor);
}

/* Gives back what a long answer took; the first pages stay for the next one. */
static void release_answer(tm__connection *c)
{
  if (c->body_mapped) {
    (void)munmap((void *)(uintptr_t)c->body, c->body_mapped);
    c->body_mapped = 0;
    c->monitor->big_answers--;
  }
  if (c->touched > KEPT_BYTES)
    (void)madvise(c->answer + KEPT_BYTES, TM__ANSWER_BYTES - KEPT_BYTES, MADV_DONTNEED);
  c->touched = 0;
}

void tm__connection_note(tm__monitor *m, tm__connection *c, int fd)
{
  c->fd = fd;
  m->sockets[c - m->connections] = fd + 1;
}

static void close_socket(tm__connection *c)
{
  tm__lock_acquire(&tm__fds_lock);
  (void)close(c->fd);
  tm__connection_note(c->monitor, c, -1);
  tm__lock_release(&tm__fds_lock);
}

void tm__connection_close(tm__connection *c)
{
  if (c->state == TM__FREE || c->state == TM__CLOSING)
    return;
  release_answer(c);
  tm__stream_close(c);
  c->state = TM__CLOSING;
  uv_close((uv_handle_t *)&c->poll, on_closed); /* leaves epoll before the socket does */
  close_socket(c);
}

/* The client does not take what was sent: the kernel should not keep it for minutes either. */
static void reset(tm__connection *c)
{
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  tm__connection_close(c);
}

/* ---- The three states ----------------------------------------------------------------------- */

static void on_event(uv_poll_t *handle, int status, int events);

/* Not UV_DISCONNECT: a client that only closed its sending side would wake us without end. */
static void watch(tm__connection *c, int events)
{
  if (uv_poll_start(&c->poll, events, on_event))
    tm__connection_close(c);
}

static void begin_draining(tm__connection *c)
{
  uint64_t now = uv_hrtime();
  c->deadline_ns = after_ms(c->accepted_ns, c->monitor->options.request_deadline_ms);
  release_answer(c);
  if (shutdown(c->fd, SHUT_WR) || c->deadline_ns <= now) {
    tm__connection_close(c);
    return;
  }
  c->state = TM__DRAINING;
  watch(c, UV_READABLE);
}

static void begin_writing(tm__connection *c)
{
  c->state = TM__WRITING;
  c->sent = 0;
  c->deadline_ns = after_ms(uv_hrtime(), c->monitor->options.write_deadline_ms);
  send_more(c);
}

/* The part of the answer that starts at c->sent. */
static const char *rest_of_answer(const tm__connection *c, size_t *count)
{
  bool head = c->sent < c->head_length;
  const char *part = head ? c->answer : c->body;
  size_t at = head ? c->sent : c->sent - c->head_length;
  *count = (head ? c->head_length : c->body_length) - at;
  if (*count > TM__QUEUED_BYTES)
    *count = TM__QUEUED_BYTES;
  return part + at;
}

static void send_more(tm__connection *c)
{
  size_t whole = c->head_length + c->body_length;
  while (c->sent < whole) {
    size_t count;
    const char *part = rest_of_answer(c, &count);
    bool last = c->sent + count == whole;
    ssize_t n = send(c->fd, part, count, MSG_NOSIGNAL | MSG_DONTWAIT | (last ? 0 : MSG_MORE));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      watch(c, c->stream ? UV_READABLE | UV_WRITABLE : UV_WRITABLE);
      return;
    }
    if (n < 0) { /* the client is gone */
      tm__connection_close(c);
      return;
    }
    c->sent += (size_t)n;
    c->monitor->cost.sent_bytes += (uint64_t)n;
  }
  if (c->stream)
    end_piece(c);
  else
    begin_draining(c);
}

/* ---- Streams -------------------------------------------------------------------------------- */

/* The next piece of a stream, if there is something to say. */
static void begin_piece(tm__connection *c, bool comment)
{
  uint64_t now = uv_hrtime();
  c->head_length = 0;
  c->sent = 0;
  c->body_length = tm__stream_fill(c, comment);
  c->state = TM__STREAMING;
  if (c->body_length) {
    c->deadline_ns = after_ms(now, c->monitor->options.write_deadline_ms);
    send_more(c);
  } else {
    c->deadline_ns = after_ms(now, c->monitor->comment_ms);
    watch(c, UV_READABLE);
  }
}

/* A piece went whole. Another one is made in the loop's next round, so that a client that reads an
 * hour at once does not keep a host from its work. */
static void end_piece(tm__connection *c)
{
  uint64_t now = uv_hrtime();
  bool more = c->stream->more;
  c->state = TM__STREAMING;
  c->deadline_ns =
      after_ms(now, more ? c->monitor->options.write_deadline_ms : c->monitor->comment_ms);
  watch(c, more ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static bool piece_is_gone(const tm__connection *c)
{
  return c->sent == c->head_length + c->body_length;
}

/* All that there was is said. */
static bool is_idle_stream(const tm__connection *c)
{
  return c->state == TM__STREAMING && piece_is_gone(c) && !c->stream->more;
}

/* A client of a stream has nothing to say: its end is the stream's end, and so is a flood. */
static void listen_to_stream(tm__connection *c)
{
  char bytes[READ_BYTES];
  ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    return;
  c->request.raw_bytes += n > 0 ? (size_t)n : 0;
  if (n <= 0 || c->request.raw_bytes > TM__HEAD_RAW_MAX)
    tm__connection_close(c);
}

static void stream_event(tm__connection *c, int events)
{
  if (events & UV_READABLE)
    listen_to_stream(c);
  if (c->state != TM__STREAMING || !(events & UV_WRITABLE))
    return;
  if (piece_is_gone(c))
    begin_piece(c, false);
  else
    send_more(c);
}

void tm__connections_stream(tm__monitor *m)
{
  uint64_t start = tm__thread_cpu_ns();
  bool any = false;
  for (size_t i = 0; i < TM__STREAMS; i++) {
    tm__connection *c = m->streams[i].connection;
    if (c && is_idle_stream(c)) {
      begin_piece(c, false);
      any = true;
    }
  }
  if (any)
    arm_deadlines(m);
  m->cost.serve_cpu_ns += tm__thread_cpu_ns() - start;
}

/* ---- What the loop tells -------------------------------------------------------------------- */

static void answer_request(tm__connection *c)
{
  tm__answer_make(c);
  begin_writing(c);
}

static void read_request(tm__connection *c)
{
  for (int i = 0; i < READS_AT_ONCE; i++) {
    char bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return;
    if (n < 0 || (n == 0 && c->request.raw_bytes == 0)) {
      tm__connection_close(c);
      return;
    }
    if (n == 0)
      tm__request_end(&c->request);
    if (n == 0 || tm__request_feed(&c->request, bytes, (size_t)n)) {
      answer_request(c);
      return;
    }
  }
}

static void drain(tm__connection *c)
{
  for (int i = 0; i < READS_AT_ONCE; i++) {
    char bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      return;
    if (n <= 0) {
      tm__connection_close(c);
      return;
    }
  }
}

static void on_event(uv_poll_t *handle, int status, int events)
{
  tm__connection *c = handle->data;
  tm__monitor *m = c->monitor;
  if (!tm__monitor_here(m))
    return;
  uint64_t start = tm__thread_cpu_ns();
  if (status < 0)
    tm__connection_close(c);
  else if (c->state == TM__READING)
    read_request(c);
  else if (c->state == TM__WRITING) /* the calls themselves say what is the matter */
    send_more(c);
  else if (c->state == TM__STREAMING)
    stream_event(c, events);
  else if (c->state == TM__DRAINING)
    drain(c);
  arm_deadlines(m);
  m->cost.serve_cpu_ns += tm__thread_cpu_ns() - start;
}

/* ---- Opening -------------------------------------------------------------------------------- */

tm__connection *tm__connection_free(tm__monitor *m)
{
  for (size_t i = 0; i < TM__CONNECTIONS; i++)
    if (m->connections[i].state == TM__FREE) {
      m->connections[i].answer = m->answers[i];
      return &m->connections[i];
    }
  return NULL;
}

/* How many are served at the moment; those that are being refused do not count. */
static int served(const tm__monitor *m)
{
  int count = 0;
  for (size_t i = 0; i < TM__CONNECTIONS; i++) {
    const tm__connection *c = &m->connections[i];
    count += c->state != TM__FREE && c->state != TM__CLOSING && !c->refused;
  }
  return count;
}

/* What a client has not taken waits in the kernel, which would let it grow to megabytes. */
static void limit_queue(int fd)
{
  int bytes = TM__QUEUED_BYTES / 2; /* the kernel doubles it */
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void tm__connection_open(tm__monitor *m, tm__connection *c)
{
  c->monitor = m;
  limit_queue(c->fd);
  c->accepted_ns = uv_hrtime();
  c->refused = served(m) >= TM__SERVED;
  m->cost.connections++;
  if (uv_poll_init(m->loop, &c->poll, c->fd)) {
    close_socket(c);
    return;
  }
  c->poll.data = c;
  tm__handle_opened(m, (uv_handle_t *)&c->poll);
  m->in_use++;
  c->stream = NULL;
  c->state = TM__READING;
  c->deadline_ns = after_ms(c->accepted_ns, m->options.header_deadline_ms);
  tm__request_init(&c->request);
  if (c->refused) {
    tm__answer_error(c, 503, "Too many connections; try again in a second.");
    begin_writing(c);
  } else {
    watch(c, UV_READABLE);
  }
  arm_deadlines(m);
}

void tm__connections_close(tm__monitor *m)
{
  for (size_t i = 0; i < TM__CONNECTIONS; i++)
    tm__connection_close(&m->connections[i]);
}

/* ---- Deadlines ------------------------------------------------------------------------------ */

static void expire(tm__connection *c)
{
  bool writes = c->state == TM__WRITING || c->state == TM__STREAMING;
  if (is_idle_stream(c)) {
    begin_piece(c, true);
    return;
  }
  c->monitor->cost.timeouts += c->state != TM__DRAINING;
  if (c->state == TM__READING && c->request.raw_bytes) {
    tm__answer_error(c, 408, "The request did not come in time.");
    begin_writing(c);
  } else if (writes) {
    reset(c);
  } else {
    tm__connection_close(c);
  }
}

static void on_deadline(uv_timer_t *timer)
{
  tm__monitor *m = timer->data;
  if (!tm__monitor_here(m))
    return;
  uint64_t now = uv_hrtime();
  for (size_t i = 0; i < TM__CONNECTIONS; i++) {
    tm__connection *c = &m->connections[i];
    if (c->state != TM__FREE && c->state != TM__CLOSING && c->deadline_ns <= now)
      expire(c);
  }
  arm_deadlines(m);
}

static void arm_deadlines(tm__monitor *m)
{
  uint64_t nearest = UINT64_MAX, now = uv_hrtime();
  for (size_t i = 0; i < TM__CONNECTIONS && m->in_use; i++) {
    const tm__connection *c = &m->connections[i];
    if (c->state != TM__FREE && c->state != TM__CLOSING && c->deadline_ns < nearest)
      nearest = c->deadline_ns;
  }
  if (nearest == UINT64_MAX) {
    (void)uv_timer_stop(&m->deadline);
    return;
  }
  uint64_t ms = nearest > now ? (nearest - now) / 1000000u + 1 : 0;
  (void)uv_timer_start(&m->deadline, on_deadline, ms, 0);
}
