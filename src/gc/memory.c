/* memory.c - the tightest memory limit that holds for this process. */
#define _GNU_SOURCE
#include "gc/memory.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tidemark/version.h>

#include "gc/allowance.h"
#include "stats/process.h"
#include "stats/units.h"

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

uint64_t tm__memory_whole(const char *root)
{
  tm__allowance allowance;
  uint64_t physical = physical_bytes(root);
  if (!tm__allowance_read(root, &allowance) || allowance.max_bytes == TM__NO_LIMIT)
    return physical;
  return physical && physical < allowance.max_bytes ? physical : allowance.max_bytes;
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
