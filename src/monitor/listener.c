/*
 * listener.c - accept(2) under uv_poll_t. libuv's own uv_listen calls back without end while
 * descriptors are used up and the client stays in the queue; here accepting pauses instead.
 */
#define _GNU_SOURCE
#include "monitor/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/address.h"
#include "monitor/answer.h"
#include "monitor/connection.h"
#include "monitor/lifecycle.h"

enum { ACCEPTS_AT_ONCE = 64 };

static void on_readable(uv_poll_t *handle, int status, int events);

/* ---- Accepting ------------------------------------------------------------------------------ */

static void on_retry(uv_timer_t *timer)
{
  tm__monitor *m = timer->data;
  if (tm__monitor_here(m) && m->listener_open)
    (void)uv_poll_start(&m->listener, UV_READABLE, on_readable);
}

static void pause_accepting(tm__monitor *m)
{
  m->cost.accept_failures++;
  (void)uv_poll_stop(&m->listener);
  (void)uv_timer_start(&m->retry, on_retry, m->options.accept_retry_ms, 0);
}

/* Not even a connection to say so: what fits into the socket's buffer is said. */
static void turn_away(tm__monitor *m, int fd)
{
  m->cost.connections++;
  (void)send(fd, tm__answer_full, strlen(tm__answer_full), MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)shutdown(fd, SHUT_WR);
  char bytes[1024];
  (void)recv(fd, bytes, sizeof bytes, MSG_DONTWAIT); /* unread bytes would make close a reset */
  (void)close(fd);
}

/* One client; false: there is no more, or none can be taken now. */
static bool accept_one(tm__monitor *m)
{
  tm__connection *c = tm__connection_free(m);
  tm__lock_acquire(&tm__fds_lock);
  int fd = accept4(m->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  int error = errno;
  if (fd >= 0 && c)
    tm__connection_note(m, c, fd);
  tm__lock_release(&tm__fds_lock);
  if (fd < 0) {
    if (error == ECONNABORTED || error == EINTR)
      return true;
    if (error != EAGAIN && error != EWOULDBLOCK)
      pause_accepting(m);
    return false;
  }
  if (c)
    tm__connection_open(m, c);
  else
    turn_away(m, fd);
  return true;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
  tm__monitor *m = handle->data;
  (void)events;
  if (!tm__monitor_here(m))
    return;
  uint64_t start = tm__thread_cpu_ns();
  if (status < 0)
    pause_accepting(m);
  for (int i = 0; status >= 0 && i < ACCEPTS_AT_ONCE && accept_one(m); i++)
    ;
  m->cost.serve_cpu_ns += tm__thread_cpu_ns() - start;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Is it a socket that listens? Then it is made as our own would be. */
static int adopt(int fd)
{
  int listening = 0, flags = fcntl(fd, F_GETFL);
  socklen_t length = sizeof listening;
  if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length))
    return -errno;
  if (!listening)
    return UV_EINVAL;
  if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
    return -errno;
  return fd;
}

static int complain(tm__monitor *m, int error, const char *sentence)
{
  tm__emit e;
  tm__emit_init(&e, m->error, sizeof m->error);
  tm__emit_text(&e, sentence);
  (void)tm__emit_end(&e);
  return error;
}

static int open_socket(tm__monitor *m)
{
  if (m->options.listen_fd < 0)
    return tm_monitor_listen(m->options.address, m->error, sizeof m->error);
  int fd = adopt(m->options.listen_fd);
  return fd < 0 ? complain(m, fd, "listen_fd: not a listening socket") : fd;
}

/* The file of a unix socket that we made is removed at the end, if it is still the same one. */
static void note_path(tm__monitor *m)
{
  struct stat file;
  m->unix_path[0] = 0;
  if (m->options.listen_fd >= 0)
    return;
  tm__address_path(m->listen_fd, m->unix_path, sizeof m->unix_path);
  if (!*m->unix_path || lstat(m->unix_path, &file)) {
    m->unix_path[0] = 0;
    return;
  }
  m->unix_device = file.st_dev;
  m->unix_inode = file.st_ino;
}

static void remove_path(tm__monitor *m)
{
  struct stat file;
  if (!*m->unix_path || m->pid != getpid())
    return;
  if (lstat(m->unix_path, &file) == 0 && file.st_dev == m->unix_device &&
      file.st_ino == m->unix_inode)
    (void)unlink(m->unix_path);
  m->unix_path[0] = 0;
}

int tm__listener_open(tm__monitor *m)
{
  if (m->options.listen_fd < 0 && !m->options.address)
    return 0;
  int fd = open_socket(m);
  if (fd < 0)
    return fd;
  int error = uv_poll_init(m->loop, &m->listener, fd);
  if (!error)
    tm__handle_opened(m, (uv_handle_t *)&m->listener);
  m->listener.data = m;
  m->listen_fd = fd;
  m->listener_open = !error;
  note_path(m);
  if (!error)
    error = uv_poll_start(&m->listener, UV_READABLE, on_readable);
  if (!error) {
    m->port = tm__address_port(fd);
    return 0;
  }
  if (fd == m->options.listen_fd)
    m->listen_fd = -1; /* still the caller's */
  tm__listener_close(m);
  return complain(m, error, uv_strerror(error));
}

static void on_closed(uv_handle_t *handle)
{
  tm__monitor *m = handle->data;
  m->listener_closing = false;
  tm__handle_closed(m);
}

void tm__listener_close(tm__monitor *m)
{
  (void)uv_timer_stop(&m->retry);
  if (m->listener_open) {
    m->listener_open = false;
    m->listener_closing = true;
    uv_close((uv_handle_t *)&m->listener, on_closed);
  }
  tm__lock_acquire(&tm__fds_lock);
  if (m->listen_fd >= 0)
    (void)close(m->listen_fd);
  m->listen_fd = -1;
  tm__lock_release(&tm__fds_lock);
  remove_path(m);
  m->port = 0;
}
