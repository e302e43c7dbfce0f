/*
 * pressure_systemd.c - the protocol by which a service manager hands a source of pressure to a
 * service: systemd.io/MEMORY_PRESSURE describes it.
 *
 *   MEMORY_PRESSURE_WATCH   an absolute path: a PSI file (wait for POLLPRI), a FIFO or a unix
 *                           stream socket (wait for POLLIN, take and drop what comes); /dev/null:
 *                           pressure is not to be watched
 *   MEMORY_PRESSURE_WRITE   base64: to be written once, before waiting
 *
 * A FIFO is opened for writing too, if we may: then it has no end when its writer goes. What we
 * write into it comes back to us first; it is known and no event.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/os.h"
#include "gc/pressure.h"

/* ---- Base64 --------------------------------------------------------------------------------- */

static int digit_of(char c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t tm__base64_read(const char *text, char *out, size_t capacity)
{
  size_t digits = 0, length = 0, pads = 0;
  uint32_t bits = 0;
  for (; *text && *text != '='; text++, digits++) {
    int digit = digit_of(*text);
    if (digit < 0)
      return -1;
    bits = bits << 6 | (uint32_t)digit;
    if (digits % 4 == 0)
      continue;
    if (length == capacity)
      return -1;
    /* 2, 3 and 4 digits are 1, 2 and 3 bytes: 4, 2 and 0 bits are not yet used */
    out[length++] = (char)(bits >> (6 - 2 * (digits % 4)) & 0xFF);
  }
  for (; *text == '='; text++)
    pads++;
  bool whole = pads == 0 || (digits + pads) % 4 == 0;
  return *text || digits % 4 == 1 || pads > 2 || !whole ? -1 : (ssize_t)length;
}

/* ---- Reading what comes --------------------------------------------------------------------- */

/* How much of it is not what we wrote ourselves. */
static bool is_news(tm_pressure_watch *watch, const char *bytes, size_t count)
{
  size_t left = watch->echo_length - watch->echo_at;
  size_t echo = count < left ? count : left;
  if (echo && memcmp(watch->written + watch->echo_at, bytes, echo) != 0)
    echo = 0;
  watch->echo_at += echo;
  return count > echo;
}

/* Takes all that is there, but not for ever: somebody may write without end. */
static int drain(tm_pressure_watch *watch)
{
  char bytes[4096];
  int level = TM_PRESSURE_NONE;
  for (int i = 0; i < 64; i++) {
    ssize_t n = read(watch->fd, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break; /* nothing more; an end is seen by the next poll */
    if (is_news(watch, bytes, (size_t)n))
      level = (int)watch->options.level;
  }
  return level;
}

static int give_up(tm_pressure_watch *watch, const char *sentence)
{
  (void)tm__format(watch->why, sizeof watch->why, "%s: %s", watch->path, sentence);
  return TM_EIO;
}

/* The last writer of a FIFO that we may only read has gone: a descriptor opened now waits for the
 * next one. It takes the old one's number. */
static int open_anew(tm_pressure_watch *watch)
{
  int fd = open(watch->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  struct stat st;
  if (fd < 0) {
    (void)tm__watch_failed(watch, "it cannot be opened again", errno);
    return TM_EIO;
  }
  bool moved = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && dup3(fd, watch->fd, O_CLOEXEC) >= 0;
  (void)close(fd);
  return moved ? TM_EAGAIN : give_up(watch, "it is no FIFO any more");
}

static int read_stream(tm_pressure_watch *watch)
{
  struct pollfd p = {.fd = watch->fd, .events = POLLIN};
  int n;
  do
    n = poll(&p, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n <= 0)
    return TM_PRESSURE_NONE;
  if (p.revents & POLLNVAL)
    return give_up(watch, "its descriptor was closed by somebody else");
  int level = p.revents & POLLIN ? drain(watch) : TM_PRESSURE_NONE;
  if (level > TM_PRESSURE_NONE)
    return level;
  if (!watch->is_fifo) {
    char byte; /* a socket's end is readable: ask whether that is what it was */
    bool open = recv(watch->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 || errno == EAGAIN;
    return open && !(p.revents & (POLLHUP | POLLERR)) ? TM_PRESSURE_NONE
                                                      : give_up(watch, "the other side closed it");
  }
  return p.revents & (POLLHUP | POLLERR) ? open_anew(watch) : TM_PRESSURE_NONE;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int open_socket(tm_pressure_watch *watch)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(watch->path);
  if (length >= sizeof address.sun_path) {
    (void)tm__format(watch->why, sizeof watch->why,
                     "MEMORY_PRESSURE_WATCH: the path is too long for a socket");
    return TM_EINVAL;
  }
  memcpy(address.sun_path, watch->path, length + 1);
  int fd = tm__watch_keep(watch, socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0)
    return tm__watch_failed(watch, "nobody answers", errno);
  watch->fd = fd;
  watch->events = POLLIN;
  watch->read = read_stream;
  return 0;
}

static int open_file(tm_pressure_watch *watch, bool fifo)
{
  int flags = O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  struct stat st;
  bool write = fifo || watch->echo_length;
  int fd = open(watch->path, (write ? O_RDWR : O_RDONLY) | flags);
  if (fd < 0 && fifo && errno == EACCES)
    fd = open(watch->path, O_RDONLY | flags);
  (void)tm__watch_keep(watch, fd);
  if (fd < 0 || fstat(fd, &st) != 0)
    return tm__watch_failed(watch, "it cannot be opened", errno);
  if (fifo ? !S_ISFIFO(st.st_mode) : !S_ISREG(st.st_mode))
    return tm__watch_failed(watch, "it was replaced by another kind of file", EINVAL);
  watch->fd = fd;
  watch->is_fifo = fifo;
  watch->events = fifo ? POLLIN : POLLPRI;
  watch->read = fifo ? read_stream : tm__psi_read;
  return 0;
}

/* An ordinary file never has news; epoll is the one that says so. */
static bool can_wait(const tm_pressure_watch *watch)
{
  struct epoll_event event = {.events = EPOLLPRI};
  int set = epoll_create1(EPOLL_CLOEXEC);
  bool can = set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, watch->fd, &event) == 0 || errno != EPERM;
  if (set >= 0)
    (void)close(set);
  return can;
}

/* A PSI file without a trigger reports an error whenever it is asked, for ever. */
static bool has_trigger(const tm_pressure_watch *watch)
{
  struct pollfd p = {.fd = watch->fd, .events = POLLPRI};
  return poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR);
}

static int send_written(tm_pressure_watch *watch)
{
  size_t length = watch->echo_length;
  if (!length)
    return 0;
  ssize_t n = watch->events == POLLIN && !watch->is_fifo
                  ? send(watch->fd, watch->written, length, MSG_NOSIGNAL)
                  : write(watch->fd, watch->written, length);
  if (n < 0)
    return tm__watch_failed(watch, "what MEMORY_PRESSURE_WRITE says was refused", errno);
  if (!watch->is_fifo)
    watch->echo_length = 0; /* it does not come back */
  return 0;
}

static int take_variables(tm_pressure_watch *watch)
{
  const char *path = tm__os_env("MEMORY_PRESSURE_WATCH");
  const char *text = tm__os_env("MEMORY_PRESSURE_WRITE");
  if (!tm__pressure_is_asked()) {
    (void)tm__format(watch->why, sizeof watch->why,
                     "MEMORY_PRESSURE_WATCH is not set, or /dev/null");
    return TM_ENOTSUP;
  }
  if (*path != '/' || strlen(path) >= sizeof watch->path) {
    (void)tm__format(watch->why, sizeof watch->why,
                     "MEMORY_PRESSURE_WATCH is not an absolute path of at most %d bytes: %s",
                     (int)sizeof watch->path - 1, path);
    return TM_EINVAL;
  }
  memcpy(watch->path, path, strlen(path) + 1);
  ssize_t n = text ? tm__base64_read(text, watch->written, sizeof watch->written) : 0;
  if (n < 0) {
    (void)tm__format(watch->why, sizeof watch->why,
                     "MEMORY_PRESSURE_WRITE is not base64 of at most %d bytes", TM__WATCH_WRITE);
    return TM_EINVAL;
  }
  watch->echo_length = (size_t)n;
  return 0;
}

int tm__watch_systemd(tm_pressure_watch *watch)
{
  struct stat st;
  int error = take_variables(watch);
  if (error)
    return error;
  if (stat(watch->path, &st) != 0)
    return tm__watch_failed(watch, "it is not there", errno);
  if (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISREG(st.st_mode)) {
    (void)tm__format(watch->why, sizeof watch->why,
                     "%s is neither a PSI file nor a FIFO nor a socket", watch->path);
    return TM_EINVAL;
  }
  error = S_ISSOCK(st.st_mode) ? open_socket(watch) : open_file(watch, S_ISFIFO(st.st_mode));
  if (!error && !can_wait(watch)) {
    (void)tm__format(watch->why, sizeof watch->why, "%s is a file that never has news",
                     watch->path);
    error = TM_EINVAL;
  }
  if (!error)
    error = send_written(watch);
  if (error || watch->read != tm__psi_read)
    return error;
  (void)tm__psi_read(watch); /* from here on it counts */
  if (has_trigger(watch))
    return 0;
  (void)tm__format(watch->why, sizeof watch->why,
                   "%s tells nothing without a trigger, and MEMORY_PRESSURE_WRITE has none",
                   watch->path);
  return TM_EINVAL;
}

bool tm__pressure_is_asked(void)
{
  const char *path = tm__os_env("MEMORY_PRESSURE_WATCH");
  return path && *path && strcmp(path, "/dev/null") != 0;
}

bool tm__pressure_is_shared(void)
{
  struct stat st;
  return tm__pressure_is_asked() && stat(tm__os_env("MEMORY_PRESSURE_WATCH"), &st) == 0 &&
         S_ISREG(st.st_mode);
}
