/* memory.c - the tightest memory limit that holds for this process. */
#define _GNU_SOURCE
#include "cli/memory.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tidemark/version.h>

#include "stats/process.h"
#include "stats/units.h"

/* The first number in a file; 0 iff there is none ("max", no such file). */
static uint64_t read_number(const char *path)
{
  char text[64];
  const char *at = text;
  uint64_t number;
  (void)tm__file_read(path, text, sizeof text);
  return tm__number_read(&at, &number) ? number : 0;
}

static uint64_t physical_bytes(const char *root)
{
  char path[PATH_MAX], text[4096];
  (void)snprintf(path, sizeof path, "%s/proc/meminfo", root);
  (void)tm__file_read(path, text, sizeof text);
  const char *at = strstr(text, "MemTotal:");
  uint64_t kib;
  if (!at)
    return 0;
  at += strlen("MemTotal:");
  return tm__number_read(&at, &kib) ? kib * 1024 : 0;
}

static uint64_t tighter(uint64_t a, uint64_t b)
{
  if (a == 0 || b == 0)
    return a | b;
  return a < b ? a : b;
}

/* The tightest limit from `group` up to the root of its mount. A container often sees the path of
 * its host here, which is not mounted: then only the last step finds a file. */
static uint64_t group_bytes(const char *mount, const char *group, const char *file)
{
  char base[PATH_MAX], path[PATH_MAX + 64];
  (void)snprintf(base, sizeof base, "%s%s", mount, group);
  size_t root_length = strlen(mount), length = strlen(base);
  uint64_t least = 0;
  for (;;) {
    while (length > root_length && base[length - 1] == '/')
      length--;
    base[length] = 0;
    (void)snprintf(path, sizeof path, "%s/%s", base, file);
    least = tighter(least, read_number(path));
    if (length <= root_length)
      return least;
    while (length > root_length && base[length - 1] != '/')
      length--;
  }
}

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH"; no controllers means version 2. */
static uint64_t line_bytes(const char *root, char *line)
{
  char *controllers = strchr(line, ':');
  char *group = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!group)
    return 0;
  *group++ = 0;
  controllers++;
  char mount[PATH_MAX];
  if (!*controllers) {
    (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
    return group_bytes(mount, group, "memory.max");
  }
  char *rest = NULL;
  for (char *one = strtok_r(controllers, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
    if (strcmp(one, "memory") == 0) {
      (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/memory", root);
      return group_bytes(mount, group, "memory.limit_in_bytes");
    }
  return 0;
}

uint64_t tm__memory_whole(const char *root)
{
  char path[PATH_MAX], text[4 * PATH_MAX], *rest = NULL;
  uint64_t least = physical_bytes(root);
  (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  (void)tm__file_read(path, text, sizeof text);
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    least = tighter(least, line_bytes(root, line));
  return least;
}

/* Digits with at most one point, as thousandths of a percent; false iff it is something else. */
static bool parse_percent(const char *text, size_t length, uint64_t *thousandths)
{
  uint64_t value = 0, unit = 1000;
  bool point = false, digit = false;
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '.' && !point) {
      point = true;
      continue;
    }
    if (text[i] < '0' || text[i] > '9')
      return false;
    digit = true;
    uint64_t d = (uint64_t)(text[i] - '0');
    if (point) {
      unit /= 10;
      value += d * unit;
    } else {
      value = value * 10 + d * unit;
    }
    if (value > 100 * 1000)
      return false;
  }
  *thousandths = value;
  return digit && value > 0;
}

int tm__limit_parse(const char *text, uint64_t whole_bytes, uint64_t *bytes)
{
  size_t length = strlen(text);
  uint64_t value;
  if (length && text[length - 1] == '%') {
    uint64_t thousandths;
    if (!parse_percent(text, length - 1, &thousandths))
      return TM_EINVAL;
    /* divided first: the product of a large machine would not fit */
    value = whole_bytes / 100000 * thousandths + whole_bytes % 100000 * thousandths / 100000;
  } else {
    int result = tm__size_parse(text, &value);
    if (result != TM_OK)
      return result;
  }
  if (value > INT64_MAX)
    return TM_ERANGE;
  *bytes = value;
  return TM_OK;
}
