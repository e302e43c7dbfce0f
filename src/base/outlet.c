/* outlet.c - descriptors that are checked before use, and writes that disturb nobody. */
#define _GNU_SOURCE
#include "base/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

enum { HIGH = 500, PATIENCE_MS = 1000 };

tm__outlet tm__outlet_of(int fd)
{
  struct stat st;
  if (fd < 0 || tm__os_fstat(fd, &st) != 0)
    return TM__OUTLET_NONE;
  return (tm__outlet){fd, st.st_dev, st.st_ino};
}

tm__outlet tm__outlet_copy(int fd)
{
  struct rlimit limit;
  int least = HIGH;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= HIGH)
    least = (int)limit.rlim_cur / 2;
  return tm__outlet_of(fcntl(fd, F_DUPFD_CLOEXEC, least));
}

tm__outlet tm__outlet_open(const char *path)
{
  /* a FIFO without a reader must not hold up the program; writes to one may wait again */
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
  if (fd < 0)
    return TM__OUTLET_NONE;
  tm__outlet outlet = tm__outlet_copy(fd);
  (void)close(fd);
  return outlet;
}

bool tm__outlet_holds(const tm__outlet *outlet)
{
  tm__outlet now = tm__outlet_of(outlet->fd);
  return now.fd >= 0 && now.device == outlet->device && now.inode == outlet->inode;
}

void tm__outlet_close(tm__outlet *outlet)
{
  if (tm__outlet_holds(outlet))
    (void)close(outlet->fd);
  *outlet = TM__OUTLET_NONE;
}

/* 0 or an errno. Waits up to `patience_ms` whenever a reader is slow. */
static int write_all(int fd, const char *text, size_t length, int patience_ms)
{
  while (length) {
    ssize_t n = write(fd, text, length);
    if (n > 0) {
      text += n;
      length -= (size_t)n;
      continue;
    }
    int error = n < 0 ? errno : ENOSPC;
    struct pollfd slow = {.fd = fd, .events = POLLOUT};
    if (error == EAGAIN && patience_ms && poll(&slow, 1, patience_ms) == 1)
      continue;
    if (error != EINTR)
      return error;
  }
  return 0;
}

/* A reader that left must not turn the program's exit status into a SIGPIPE: it is held back, and
 * one that our write raised is taken away, unless one was waiting already. */
static int write_quietly(int fd, const char *text, size_t length, int patience_ms)
{
  sigset_t pipe_signal, before, waiting;
  (void)sigemptyset(&pipe_signal);
  (void)sigaddset(&pipe_signal, SIGPIPE);
  (void)sigpending(&waiting);
  (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  int error = write_all(fd, text, length, patience_ms);
  if (error == EPIPE && sigismember(&waiting, SIGPIPE) != 1) {
    struct timespec now = {0};
    (void)sigtimedwait(&pipe_signal, NULL, &now);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

bool tm__outlet_write(const tm__outlet *outlet, const char *text, size_t length, bool whole)
{
  if (!tm__outlet_holds(outlet))
    return false;
  struct stat st;
  if (whole && tm__os_fstat(outlet->fd, &st) == 0 && S_ISREG(st.st_mode) &&
      (ftruncate(outlet->fd, 0) != 0 || lseek(outlet->fd, 0, SEEK_SET) != 0))
    return false;
  return write_quietly(outlet->fd, text, length, PATIENCE_MS) == 0;
}

int tm__outlet_append(const tm__outlet *outlet, const void *bytes, size_t length)
{
  if (!tm__outlet_holds(outlet))
    return EBADF;
  return write_quietly(outlet->fd, bytes, length, 0);
}
