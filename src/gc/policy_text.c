/* policy_text.c - reading and writing the names of policies. */
#include "gc/policy_text.h"

#include <string.h>

#include "base/assert.h"
#include "stats/units.h"

enum { MAX_PERCENT = 10000 };

/* Least sensible FIXED trip: below it every program would act all the time. */
static const uint64_t least_fixed_bytes = 1u << 20;

static int parse_growth(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  if (!value)
    return TM_OK;
  unsigned percent = 0;
  const char *at = value;
  for (; *at >= '0' && *at <= '9' && percent <= MAX_PERCENT; at++)
    percent = percent * 10 + (unsigned)(*at - '0');
  if (*at == '%' && at > value)
    at++;
  if (at == value || *at || percent < 1 || percent > MAX_PERCENT) {
    tm__format(why, capacity, "growth takes a percentage from 1 to %d, e.g. growth=50",
               (int)MAX_PERCENT);
    return TM_EINVAL;
  }
  policy->growth_percent = percent;
  return TM_OK;
}

static int parse_fixed(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  uint64_t bytes;
  if (!value || tm__size_parse(value, &bytes) != TM_OK || bytes < least_fixed_bytes ||
      bytes > INT64_MAX) {
    tm__format(why, capacity, "fixed takes a size of 1M or more, e.g. fixed=256M");
    return TM_EINVAL;
  }
  policy->kinds = TM_POLICY_FIXED;
  policy->fixed_bytes = bytes;
  return TM_OK;
}

static int parse_off(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  if (value) {
    tm__format(why, capacity, "off takes no value");
    return TM_EINVAL;
  }
  policy->kinds = 0;
  policy->young_bytes = 0;
  return TM_OK;
}

typedef struct policy_name {
  const char *name;
  int (*parse)(const char *value, tm_policy *policy, char *why, size_t capacity);
} policy_name;

/* Planned names are known so that the sentence can say so. */
static const policy_name names[] = {
    {"growth", parse_growth}, {"fixed", parse_fixed}, {"off", parse_off},
    {"sqrt", NULL},           {"debt", NULL},         {"shared", NULL},
};

int tm__policy_parse(const char *text, tm_policy *policy, char *why, size_t capacity)
{
  const char *equals = strchr(text, '=');
  size_t length = equals ? (size_t)(equals - text) : strlen(text);
  for (size_t i = 0; i < TM_ARRAY_LEN(names); i++) {
    if (strlen(names[i].name) != length || memcmp(names[i].name, text, length) != 0)
      continue;
    if (!names[i].parse) {
      tm__format(why, capacity, "the %s policy is not in this version; growth, fixed and off are",
                 names[i].name);
      return TM_ENOTSUP;
    }
    tm_policy parsed;
    tm_policy_init(&parsed);
    int result = names[i].parse(equals ? equals + 1 : NULL, &parsed, why, capacity);
    if (result == TM_OK)
      *policy = parsed;
    return result;
  }
  tm__format(why, capacity, "policies are growth[=PERCENT], fixed=SIZE and off");
  return TM_EINVAL;
}

size_t tm__policy_format(const tm_policy *policy, char *buffer, size_t capacity)
{
  if (policy->kinds & TM_POLICY_GROWTH)
    return tm__format(buffer, capacity, "growth=%u", policy->growth_percent);
  if (policy->kinds & TM_POLICY_FIXED)
    return tm__format(buffer, capacity, "fixed=%lu", policy->fixed_bytes);
  return tm__format(buffer, capacity, "off");
}
