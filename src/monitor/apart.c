/*
 * apart.c - a monitor that its process does not notice: a thread with a table of file descriptors
 * of its own, which runs until the process ends.
 *
 * A program may close every descriptor that it did not open, and daemons do; a loop whose
 * descriptors vanish ends the process. And a child that is started by vfork inherits what is open.
 * With a table apart neither can happen: the program does not see our descriptors, whatever number
 * they have, and we do not see its own.
 *
 * So this thread cannot be stopped from another one: a wake-up would be written to a number that
 * means something else there. It needs no end: nothing of it outlives the process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include <tidemark/monitor.h>

#include "base/hints.h"

enum { STACK_BYTES = 256 * 1024 };

typedef struct job {
  int listen_fd, kept_fd;
  int result;
  sem_t tried;
} job;

/* ---- Descriptors ---------------------------------------------------------------------------- */

static int close_from_to(unsigned first, unsigned last, unsigned flags)
{
  return first > last ? 0 : (int)syscall(SYS_close_range, first, last, flags);
}

/* Standard input, output and error become nothing: a pipe that the program closes must end for its
 * reader. */
static void empty_standard_descriptors(const job *j)
{
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; nothing >= 0 && fd < 3; fd++)
    if (fd != nothing && fd != j->listen_fd && fd != j->kept_fd)
      (void)dup3(nothing, fd, O_CLOEXEC);
  if (nothing > 2)
    (void)close(nothing);
}

/* Leaves the table that the process shares and keeps two of its files. false iff the kernel cannot
 * do it (before 5.9, or forbidden). */
static bool take_own_table(const job *j)
{
  int first = j->kept_fd < 0 ? j->listen_fd : j->kept_fd;
  unsigned low = (unsigned)(first < j->listen_fd ? first : j->listen_fd);
  unsigned high = (unsigned)(first < j->listen_fd ? j->listen_fd : first);
  if (close_from_to(high + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) != 0)
    return false;
  (void)close_from_to(low + 1, high - 1, 0);
  if (low > 3)
    (void)close_from_to(3, low - 1, 0);
  empty_standard_descriptors(j);
  return true;
}

/* libuv has a pair of descriptors for the whole process, made with its first loop and made again
 * in a forked child. They must be in the program's own table, since the program may use the same
 * libuv: so the first loop is not made by our thread. */
static int make_libuvs_own(void)
{
  static uv_loop_t loop;
  int error = uv_loop_init(&loop);
  return error ? error : uv_loop_close(&loop);
}

/* ---- The thread ----------------------------------------------------------------------------- */

static void never(uv_async_t *handle)
{
  (void)handle;
}

static int start(uv_loop_t *loop, const job *j)
{
  static tm_monitor monitor;
  static uv_async_t holder; /* referenced: it keeps the loop running */
  tm_monitor_options options;
  tm_monitor_options_init(&options);
  options.listen_fd = j->listen_fd;
  int error = uv_loop_init(loop);
  if (!error)
    error = uv_async_init(loop, &holder, never);
  if (!error)
    error = tm_monitor_init(loop, &monitor);
  return error ? error : tm_monitor_start(&monitor, &options);
}

static void *serve(void *context)
{
  static uv_loop_t loop;
  job *j = context;
  bool apart = take_own_table(j);
  j->result = apart ? start(&loop, j) : UV_ENOTSUP;
  bool started = j->result == 0;
  (void)sem_post(&j->tried); /* *j is gone from here on */
  if (started)
    (void)uv_run(&loop, UV_RUN_DEFAULT);
  return NULL;
}

/* All signals are the program's: none may be delivered here. */
static int start_thread(job *j)
{
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  int error = pthread_attr_init(&attributes);
  if (error)
    return -error;
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  error = pthread_create(&thread, &attributes, serve, j);
  if (!error)
    (void)pthread_setname_np(thread, "tidemark");
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  return -error;
}

int tm_monitor_apart_start(int listen_fd, int kept_fd)
{
  static _Atomic(bool) tried;
  if (listen_fd < 0)
    return UV_EINVAL;
  if (atomic_exchange(&tried, true))
    return UV_EALREADY;
  int error = make_libuvs_own();
  if (error)
    return error;
  job j = {.listen_fd = listen_fd, .kept_fd = kept_fd};
  (void)sem_init(&j.tried, 0, 0);
  error = start_thread(&j);
  if (error)
    return error;
  while (sem_wait(&j.tried) != 0 && errno == EINTR)
    ;
  (void)sem_destroy(&j.tried);
  return j.result;
}
