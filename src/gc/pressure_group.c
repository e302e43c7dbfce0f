/*
 * pressure_group.c - what the kernel tells about a control group.
 *
 * Version 2: memory.events holds counters; poll reports POLLPRI when one of them moved, until the
 * file is read again. It tells of the group and all below it, so the tightest ancestor's is read.
 *
 * Version 1: an eventfd is registered by writing "EVENTFD FILE ARGUMENTS" to cgroup.event_control.
 * It also fires when the group is removed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "gc/policy.h"
#include "gc/pressure.h"

/* ---- Version 2 ------------------------------------------------------------------------------ */

/* Counters only grow; what is not there is 0. */
static uint64_t count_of(const char *text, const char *key)
{
  uint64_t value = tm__memcg_value(text, key);
  return value == UINT64_MAX ? 0 : value;
}

tm_pressure tm__events_level(const tm__memcg_counts *before, const tm__memcg_counts *now)
{
  if (now->oom > before->oom)
    return TM_PRESSURE_CRITICAL;
  if (now->max > before->max)
    return TM_PRESSURE_MEDIUM;
  return now->high > before->high || now->low > before->low ? TM_PRESSURE_LOW : TM_PRESSURE_NONE;
}

static int read_events(tm_pressure_watch *watch)
{
  char text[512];
  ssize_t n;
  do
    n = pread(watch->fd, text, sizeof text - 1, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) {
    (void)tm__watch_failed(watch, "it cannot be read any more", errno);
    return TM_EIO;
  }
  text[n] = 0;
  tm__memcg_counts now = {.low = count_of(text, "low"),
                          .high = count_of(text, "high"),
                          .max = count_of(text, "max"),
                          .oom = tm__add(count_of(text, "oom"), count_of(text, "oom_kill"))};
  tm_pressure level = tm__events_level(&watch->counts, &now);
  watch->counts = now;
  return (int)level;
}

static int no_group(tm_pressure_watch *watch, int version)
{
  (void)tm__format(watch->why, sizeof watch->why,
                   "no control group of memory of version %d is in sight", version);
  return TM_ENOTSUP;
}

int tm__watch_events(tm_pressure_watch *watch)
{
  tm__allowance allowance;
  bool found = tm__allowance_read(watch->options.root, &allowance) && allowance.version == 2;
  if (!found ||
      !tm__memcg_file(&allowance.tightest, "memory.events", watch->path, sizeof watch->path))
    return no_group(watch, 2);
  int fd = tm__watch_keep(watch, open(watch->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (fd < 0)
    return tm__watch_failed(watch, "it cannot be opened", errno);
  watch->fd = fd;
  watch->events = POLLPRI;
  watch->read = read_events;
  return read_events(watch) < 0 ? TM_EIO : 0; /* from here on it counts */
}

/* ---- Version 1 ------------------------------------------------------------------------------ */

/* Registers `event` with file NAME of the group. 0 or an errno. */
static int register_event(const tm_pressure_watch *watch, const char *name, const char *arguments,
                          int event)
{
  char path[TM__MEMCG_PATH + 64], line[128];
  (void)tm__format(path, sizeof path, "%s/%s", watch->path, name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return errno;
  (void)tm__format(path, sizeof path, "%s/cgroup.event_control", watch->path);
  int control = open(path, O_WRONLY | O_CLOEXEC);
  size_t length = tm__format(line, sizeof line, "%d %d %s", event, file, arguments);
  int error = control < 0 || write(control, line, length) < 0 ? errno : 0;
  if (control >= 0)
    (void)close(control);
  (void)close(file);
  return error;
}

static int new_event(tm_pressure_watch *watch)
{
  return tm__watch_keep(watch, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

static bool fired(int event)
{
  uint64_t times;
  return event >= 0 && read(event, &times, sizeof times) == (ssize_t)sizeof times;
}

static bool group_is_gone(tm_pressure_watch *watch)
{
  if (access(watch->path, F_OK) == 0)
    return false;
  (void)tm__watch_failed(watch, "the control group is gone", errno);
  return true;
}

/* fds[0] is the set; fds[1] to [3] are low, medium and critical, fds[4] is oom. "low" fires for the
 * higher levels too, so the highest that fired counts; an oom is critical. */
static int read_level(tm_pressure_watch *watch)
{
  int level = TM_PRESSURE_NONE;
  for (int i = TM_PRESSURE_LOW; i <= TM_PRESSURE_CRITICAL; i++)
    if (fired(watch->fds[i]))
      level = i;
  if (fired(watch->fds[4]))
    level = TM_PRESSURE_CRITICAL;
  return level > TM_PRESSURE_NONE && group_is_gone(watch) ? TM_EIO : level;
}

static bool own_folder(tm_pressure_watch *watch)
{
  tm__memcg group;
  if (!tm__memcg_find(watch->options.root, 1, &group))
    return false;
  memcpy(watch->path, group.folder, strlen(group.folder) + 1);
  return true;
}

int tm__watch_level(tm_pressure_watch *watch)
{
  static const char *const names[] = {"low", "medium", "critical"};
  if (!own_folder(watch))
    return no_group(watch, 1);
  int set = tm__watch_keep(watch, epoll_create1(EPOLL_CLOEXEC)), error = set < 0 ? errno : 0;
  for (int i = 0; !error && i < 4; i++) {
    struct epoll_event wanted = {.events = EPOLLIN};
    int event = new_event(watch);
    if (event < 0 || epoll_ctl(set, EPOLL_CTL_ADD, event, &wanted) != 0)
      error = errno;
    else if (i < 3)
      error = register_event(watch, "memory.pressure_level", names[i], event);
    else
      (void)register_event(watch, "memory.oom_control", "", event); /* the root group has none */
  }
  if (error)
    return tm__watch_failed(watch, "memory.pressure_level cannot be watched", error);
  watch->fd = set;
  watch->events = POLLIN;
  watch->read = read_level;
  return 0;
}

/* ---- Version 1: thresholds ------------------------------------------------------------------ */

static const unsigned usage_percent[] = {80, 90, 95}; /* of LOW, MEDIUM, CRITICAL */

tm_pressure tm__usage_level(uint64_t used, uint64_t limit)
{
  int level = TM_PRESSURE_NONE;
  for (size_t i = 0; i < TM_ARRAY_LEN(usage_percent); i++)
    if (used >= limit / 100 * usage_percent[i])
      level = (int)i + TM_PRESSURE_LOW;
  return (tm_pressure)level;
}

static int set_thresholds(tm_pressure_watch *watch)
{
  char number[24];
  for (size_t i = 0; i < TM_ARRAY_LEN(usage_percent); i++) {
    (void)tm__format(number, sizeof number, "%lu", watch->limit_bytes / 100 * usage_percent[i]);
    int error = register_event(watch, "memory.usage_in_bytes", number, watch->fd);
    if (error)
      return error;
  }
  return 0;
}

/* Fires when a threshold is crossed, up or down. Another limit needs other thresholds; the old ones
 * stay, and a call too many does no harm. */
static int read_usage(tm_pressure_watch *watch)
{
  char text[4096];
  tm__memcg group = {.version = 1};
  if (!fired(watch->fd))
    return TM_PRESSURE_NONE;
  if (group_is_gone(watch))
    return TM_EIO;
  memcpy(group.folder, watch->path, strlen(watch->path) + 1);
  uint64_t limit = tm__memcg_number(&group, "memory.limit_in_bytes");
  uint64_t used = tm__memcg_number(&group, "memory.usage_in_bytes");
  if (limit == UINT64_MAX || used == UINT64_MAX)
    return TM_PRESSURE_NONE;
  if (limit != watch->limit_bytes) {
    watch->limit_bytes = limit;
    (void)set_thresholds(watch);
  }
  (void)tm__memcg_read(&group, "memory.stat", text, sizeof text);
  return (int)tm__usage_level(tm__less(used, count_of(text, "total_inactive_file")), limit);
}

int tm__watch_usage(tm_pressure_watch *watch)
{
  tm__allowance allowance;
  bool found = tm__allowance_read(watch->options.root, &allowance) && allowance.version == 1;
  if (!found)
    return no_group(watch, 1);
  const tm__memcg *tightest = &allowance.tightest;
  memcpy(watch->path, tightest->folder, strlen(tightest->folder) + 1);
  watch->limit_bytes = tm__memcg_number(tightest, "memory.limit_in_bytes");
  if (watch->limit_bytes == UINT64_MAX) {
    (void)tm__format(watch->why, sizeof watch->why, "%s: no group in sight has a limit",
                     watch->path);
    return TM_ENOTSUP;
  }
  watch->fd = new_event(watch);
  int error = watch->fd < 0 ? errno : set_thresholds(watch);
  if (error)
    return tm__watch_failed(watch, "memory.usage_in_bytes cannot be watched", error);
  watch->events = POLLIN;
  watch->read = read_usage;
  return 0;
}
