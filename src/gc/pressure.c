/*
 * pressure.c - the life of a watch.
 *
 * A forked child closes the descriptors of its copies: a FIFO's bytes and a PSI trigger's event go
 * to whoever looks first, so the child would take its parent's. They are found by a list, whose
 * lock is held across the fork.
 */
#define _GNU_SOURCE
#include "gc/pressure.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomics.h"
#include "base/os.h"

/* ---- Fork ----------------------------------------------------------------------------------- */

static tm__lock list_lock = TM__LOCK_INIT;
static tm_pressure_watch *list;

static void close_all(tm_pressure_watch *watch)
{
  for (size_t i = 0; i < TM__WATCH_FDS; i++)
    if (watch->fds[i] >= 0) {
      (void)close(watch->fds[i]);
      watch->fds[i] = -1;
    }
  watch->fd = -1;
}

static void lock_list(void)
{
  tm__lock_acquire(&list_lock);
}

static void unlock_list(void)
{
  tm__lock_release(&list_lock);
}

static void close_in_child(void)
{
  for (tm_pressure_watch *watch = list; watch; watch = watch->next) {
    if (!watch->apart)
      close_all(watch);
    watch->fd = -1;
  }
  tm__lock_init(&list_lock);
}

static bool fork_is_guarded(void)
{
  static _Atomic(int) state; /* 0 not yet, 1 yes; a registration more does no harm */
  if (atomic_load(&state))
    return true;
  if (pthread_atfork(lock_list, unlock_list, close_in_child) != 0)
    return false;
  atomic_store(&state, 1);
  return true;
}

static void enlist(tm_pressure_watch *watch)
{
  watch->next = list;
  if (list)
    list->previous = watch;
  list = watch;
}

static void strike_off(tm_pressure_watch *watch)
{
  if (watch->next)
    watch->next->previous = watch->previous;
  if (watch->previous)
    watch->previous->next = watch->next;
  else
    list = watch->next;
}

/* ---- Helpers of the kinds ------------------------------------------------------------------- */

int tm__watch_failed(tm_pressure_watch *watch, const char *what, int error)
{
  bool absent = error == ENOENT || error == ENOTDIR || error == ENODEV || error == EOPNOTSUPP;
  const char *sentence = strerrordesc_np(error);
  (void)tm__format(watch->why, sizeof watch->why, "%s: %s: %s", watch->path, what,
                   sentence ? sentence : "unknown error");
  return absent ? TM_ENOTSUP : TM_EIO;
}

int tm__watch_keep(tm_pressure_watch *watch, int fd)
{
  for (size_t i = 0; fd >= 0 && i < TM__WATCH_FDS; i++)
    if (watch->fds[i] < 0) {
      watch->fds[i] = fd;
      break;
    }
  return fd;
}

/* ---- Open and close ------------------------------------------------------------------------- */

void tm_pressure_options_init(tm_pressure_options *options)
{
  memset(options, 0, sizeof *options);
  options->size = sizeof *options;
  options->level = TM_PRESSURE_MEDIUM;
  options->stall_us = 150000;
  options->window_us = 2000000;
  options->root = "";
}

static bool take_options(tm_pressure_options *mine, const tm_pressure_options *theirs)
{
  tm_pressure_options_init(mine);
  if (theirs && (theirs->size == 0 || theirs->size > sizeof *mine))
    return false;
  if (theirs)
    memcpy(mine, theirs, theirs->size);
  return mine->root && mine->level >= TM_PRESSURE_LOW && mine->level <= TM_PRESSURE_CRITICAL &&
         mine->stall_us > 0 && mine->stall_us <= mine->window_us && mine->window_us <= 10000000;
}

static size_t mapped_bytes(void)
{
  return (sizeof(tm_pressure_watch) + TM_OS_PAGE - 1) / TM_OS_PAGE * TM_OS_PAGE;
}

static int fill(tm_pressure_watch *watch)
{
  static int (*const kinds[TM_WATCH_COUNT])(tm_pressure_watch *) = {
      [TM_WATCH_SYSTEMD] = tm__watch_systemd, [TM_WATCH_PSI] = tm__watch_psi,
      [TM_WATCH_GROUP_PSI] = tm__watch_psi,   [TM_WATCH_EVENTS] = tm__watch_events,
      [TM_WATCH_LEVEL] = tm__watch_level,     [TM_WATCH_USAGE] = tm__watch_usage};
  return kinds[watch->kind](watch);
}

static int refuse(int error, const char *sentence, char *why, size_t capacity)
{
  if (why && capacity)
    (void)tm__format(why, capacity, "%s", sentence);
  return error;
}

static int open_watch(tm_watch_kind kind, const tm_pressure_options *options, bool apart,
                      tm_pressure_watch **out, char *why, size_t capacity)
{
  tm_pressure_options mine;
  if (out)
    *out = NULL;
  if (!out || (unsigned)kind >= TM_WATCH_COUNT || !take_options(&mine, options))
    return refuse(TM_EINVAL, "an argument or option is out of its range", why, capacity);
  int saved = errno;
  tm_pressure_watch *watch = fork_is_guarded() ? tm__os_map(mapped_bytes()) : NULL;
  if (!watch)
    return refuse(TM_ENOMEM, tm_strerror(TM_ENOMEM), why, capacity);
  watch->kind = kind;
  watch->options = mine;
  watch->pid = getpid();
  watch->apart = apart;
  watch->fd = -1;
  memset(watch->fds, 0xFF, sizeof watch->fds);
  tm__lock_acquire(&list_lock); /* no fork between opening a descriptor and its place in the list */
  int error = fill(watch);
  if (error)
    close_all(watch);
  else
    enlist(watch);
  tm__lock_release(&list_lock);
  watch->options.root = NULL; /* the caller's string may go now */
  errno = saved;
  if (!error) {
    *out = watch;
    return refuse(0, "", why, capacity);
  }
  (void)refuse(error, watch->why, why, capacity);
  (void)munmap(watch, mapped_bytes());
  return error;
}

int tm_pressure_open(tm_watch_kind kind, const tm_pressure_options *options,
                     tm_pressure_watch **out, char *why, size_t capacity)
{
  return open_watch(kind, options, false, out, why, capacity);
}

int tm__pressure_open_apart(tm_watch_kind kind, const tm_pressure_options *options,
                            tm_pressure_watch **out, char *why, size_t capacity)
{
  return open_watch(kind, options, true, out, why, capacity);
}

void tm_pressure_close(tm_pressure_watch *watch)
{
  if (!watch)
    return;
  int saved = errno;
  tm__lock_acquire(&list_lock);
  strike_off(watch);
  if (!watch->apart || watch->pid == getpid())
    close_all(watch);
  tm__lock_release(&list_lock);
  (void)munmap(watch, mapped_bytes());
  errno = saved;
}

/* ---- Reading -------------------------------------------------------------------------------- */

int tm_pressure_fd(const tm_pressure_watch *watch)
{
  return watch ? watch->fd : -1;
}

int tm_pressure_events(const tm_pressure_watch *watch)
{
  return watch ? watch->events : 0;
}

const char *tm_pressure_error(const tm_pressure_watch *watch)
{
  return watch ? watch->why : "";
}

const char *tm_watch_name(tm_watch_kind kind)
{
#define NAMED(name, text) [name] = (text),
  static const char *const names[TM_WATCH_COUNT] = {TM_WATCHES(NAMED)};
#undef NAMED
  return (unsigned)kind < TM_WATCH_COUNT ? names[kind] : NULL;
}

int tm_pressure_read(tm_pressure_watch *watch)
{
  if (!watch)
    return TM_EINVAL;
  watch->why[0] = 0;
  if (watch->fd < 0) {
    (void)tm__format(watch->why, sizeof watch->why, "%s: it was opened before a fork", watch->path);
    return TM_EIO;
  }
  int saved = errno, level = watch->read(watch);
  if (level > TM_PRESSURE_NONE && watch->options.limits)
    (void)tm_limits_refresh(watch->options.limits);
  if (level > TM_PRESSURE_NONE && watch->options.heap)
    (void)tm_pressure_post(watch->options.heap, (tm_pressure)level);
  errno = saved;
  return level;
}
