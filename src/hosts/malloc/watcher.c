/* watcher.c - see watcher.h. */
#define _GNU_SOURCE
#include "hosts/malloc/watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomics.h"
#include "base/os.h"
#include "gc/pressure.h"

enum { STACK_BYTES = 128 << 10, SOURCES = 2, LOOK_MS = 10000 };

/* Between two rounds of events: somebody who writes into a FIFO without end costs no processor. */
#define PAUSE_NS ((uint64_t)50000000)

static tm__watcher_wishes wishes;
static _Atomic(bool) started;

/* The thread's own, and in a forked child what it left. */
static tm_pressure_watch *sources[SOURCES];
static nfds_t count;

/* ---- Descriptors ---------------------------------------------------------------------------- */

static int close_from_to(unsigned first, unsigned last, unsigned flags)
{
  return first > last ? 0 : (int)syscall(SYS_close_range, first, last, flags);
}

/* Leaves the table that the process shares and keeps only where reports go. The first numbers
 * become nothing: who writes to standard error must not write into a source. */
static bool take_own_table(int kept_fd)
{
  unsigned above = kept_fd < 0 ? 0 : (unsigned)kept_fd + 1;
  if (close_from_to(above, UINT_MAX, CLOSE_RANGE_UNSHARE) != 0)
    return false;
  if (kept_fd > 0)
    (void)close_from_to(0, (unsigned)kept_fd - 1, 0);
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  while (nothing >= 0 && nothing < 2)
    nothing = dup(nothing);
  return true;
}

/* ---- Sources -------------------------------------------------------------------------------- */

static void say(const char *why)
{
  if (wishes.speaks)
    tm__report("memory pressure is not watched: %s", why);
}

static void open_source(tm_watch_kind kind, tm_limits *limits, bool optional)
{
  tm_pressure_options options;
  char why[256];
  tm_pressure_options_init(&options);
  options.heap = wishes.heap;
  options.limits = limits;
  int error = tm__pressure_open_apart(kind, &options, &sources[count], why, sizeof why);
  if (!error)
    count++;
  else if (!optional || error != TM_ENOTSUP)
    say(why);
}

static void open_sources(void)
{
  tm_limits_found found;
  for (; count; count--) /* a parent's: its descriptors are not in this process */
    tm_pressure_close(sources[count - 1]);
  if (wishes.systemd)
    open_source(TM_WATCH_SYSTEMD, wishes.limits, false);
  if (wishes.limits && tm_limits_read(wishes.limits, &found) == 0)
    open_source(found.version == 2 ? TM_WATCH_EVENTS : TM_WATCH_LEVEL, wishes.limits, true);
}

static void drop_source(nfds_t index, const char *why)
{
  tm_pressure_watch *broken = sources[index];
  say(why);
  sources[index] = sources[--count]; /* first: a fork may come at any time */
  tm_pressure_close(broken);
}

/* Backwards, because a dropped one is replaced by the last. true iff something came. */
static bool read_sources(const struct pollfd *polled, nfds_t polled_count)
{
  bool came = false;
  for (nfds_t i = polled_count; i-- > 0;) {
    if (!polled[i].revents)
      continue;
    came = true;
    int level = tm_pressure_read(sources[i]);
    if (level < 0 && level != TM_EAGAIN)
      drop_source(i, tm_pressure_error(sources[i]));
  }
  return came;
}

static void *watch(void *unused)
{
  struct pollfd polled[SOURCES];
  (void)unused;
  if (!take_own_table(wishes.kept_fd)) {
    say("the kernel gives a thread no table of descriptors of its own");
    return NULL;
  }
  open_sources();
  while (count || wishes.limits) {
    nfds_t n = count;
    for (nfds_t i = 0; i < n; i++)
      polled[i] = (struct pollfd){.fd = tm_pressure_fd(sources[i]),
                                  .events = (short)tm_pressure_events(sources[i])};
    int ready = poll(polled, n, wishes.limits ? LOOK_MS : -1);
    if (wishes.limits)
      (void)tm_limits_poll(wishes.limits);
    if (ready > 0 && read_sources(polled, n))
      tm__os_pause(PAUSE_NS);
  }
  return NULL;
}

/* ---- Starting ------------------------------------------------------------------------------- */

void tm__watcher_set(const tm__watcher_wishes *new_wishes)
{
  wishes = *new_wishes;
}

/* A small stack and no signal: the program's own handlers must run on its own threads. */
static bool start(void)
{
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0)
    return false;
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, &attributes, watch, NULL);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  return error == 0;
}

void tm__watcher_need(void)
{
  if ((!wishes.systemd && !wishes.limits) || atomic_exchange(&started, true))
    return;
  int saved = errno;
  if (!start())
    atomic_store(&started, false); /* the next crossing tries again */
  errno = saved;
}

void tm__watcher_forget(void)
{
  atomic_store(&started, false);
  wishes.systemd = wishes.systemd && tm__pressure_is_shared();
  wishes.kept_fd = -1;
  wishes.speaks = false;
}
