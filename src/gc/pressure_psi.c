/*
 * pressure_psi.c - the kernel's pressure files: time in which tasks waited for memory.
 *
 *   some avg10=0.12 avg60=0.02 avg300=0.00 total=123456      at least one task waited
 *   full avg10=0.00 avg60=0.00 avg300=0.00 total=45678       all of them did
 *
 * A trigger, "some STALL WINDOW" written to the file, makes poll report POLLPRI, at most once a
 * window. The report is consumed by poll itself, so whether something happened cannot be asked a
 * second time; but total tells: it grew, or the call was for nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "gc/pressure.h"
#include "stats/process.h"

/* ---- Numbers -------------------------------------------------------------------------------- */

/* "NAME=12.34" behind *at, in hundredths. */
static bool take_average(const char **at, const char *name, uint64_t *hundredths)
{
  uint64_t whole, part;
  const char *found = strstr(*at, name);
  if (!found)
    return false;
  found += strlen(name);
  if (!tm__number_read(&found, &whole) || *found++ != '.' || !tm__number_read(&found, &part))
    return false;
  *at = found;
  *hundredths = whole > 100 || part > 99 ? 10000 : whole * 100 + part;
  return true;
}

bool tm__psi_parse(const char *text, tm__psi *out)
{
  const char *at = text;
  *out = (tm__psi){0};
  if (strncmp(text, "some ", 5) != 0 || !take_average(&at, "avg10=", &out->some_avg10))
    return false;
  const char *total = strstr(at, "total="), *full = strstr(at, "full ");
  if (!total)
    return false;
  total += strlen("total=");
  if (!tm__number_read(&total, &out->some_total_us))
    return false;
  if (full)
    (void)take_average(&full, "avg10=", &out->full_avg10);
  return true;
}

tm_pressure tm__psi_level(const tm__psi *psi)
{
  if (psi->full_avg10 >= 2000)
    return TM_PRESSURE_CRITICAL;
  return psi->full_avg10 >= 500 || psi->some_avg10 >= 2000 ? TM_PRESSURE_MEDIUM : TM_PRESSURE_LOW;
}

/* ---- The file ------------------------------------------------------------------------------- */

/* 0 and the file's text, or an errno. */
static int read_text(int fd, char *text, size_t capacity)
{
  ssize_t n;
  do
    n = pread(fd, text, capacity - 1, 0);
  while (n < 0 && errno == EINTR);
  text[n > 0 ? n : 0] = 0;
  return n < 0 ? errno : 0;
}

int tm__psi_read(tm_pressure_watch *watch)
{
  char text[256];
  tm__psi psi;
  int error = read_text(watch->fd, text, sizeof text);
  if (error) {
    (void)tm__watch_failed(watch, "it cannot be read any more", error);
    return TM_EIO;
  }
  if (!tm__psi_parse(text, &psi))
    return (int)watch->options.level;
  bool grew = psi.some_total_us != watch->stalled_us;
  watch->stalled_us = psi.some_total_us;
  return grew ? (int)tm__psi_level(&psi) : TM_PRESSURE_NONE;
}

static bool find_path(tm_pressure_watch *watch)
{
  tm__memcg group;
  const char *root = watch->options.root;
  if (watch->kind == TM_WATCH_PSI) {
    size_t length = tm__format(watch->path, sizeof watch->path, "%s/proc/pressure/memory", root);
    return length + 1 < sizeof watch->path;
  }
  return tm__memcg_find(root, 2, &group) &&
         tm__memcg_file(&group, "memory.pressure", watch->path, sizeof watch->path);
}

int tm__watch_psi(tm_pressure_watch *watch)
{
  char trigger[64];
  if (!find_path(watch)) {
    (void)tm__format(watch->why, sizeof watch->why,
                     "no control group of version 2 is in sight, so there is no memory.pressure");
    return TM_ENOTSUP;
  }
  int fd = tm__watch_keep(watch, open(watch->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (fd < 0)
    return tm__watch_failed(watch, "it cannot be opened", errno);
  size_t length = tm__format(trigger, sizeof trigger, "some %u %u", watch->options.stall_us,
                             watch->options.window_us);
  if (write(fd, trigger, length + 1) < 0) /* with its NUL, as the kernel's documentation has it */
    return tm__watch_failed(watch, "the kernel refused the trigger", errno);
  watch->fd = fd;
  watch->events = POLLPRI;
  watch->read = tm__psi_read;
  (void)tm__psi_read(watch); /* from here on it counts */
  return 0;
}
