/* policy_text.c - reading and writing the names of policies. */
#include "gc/policy_text.h"

#include <string.h>

#include "base/assert.h"
#include "stats/units.h"

enum { MAX_PERCENT = 10000 };

/* Least sensible FIXED trip, or debt: below it every program would act all the time. */
static const uint64_t least_bytes = 1u << 20;

/* The sign of a percentage is optional. 0 iff it is none from 1 to `most`. */
static unsigned percentage(const char *value, unsigned most)
{
  unsigned percent = 0;
  const char *at = value;
  for (; *at >= '0' && *at <= '9' && percent <= most; at++)
    percent = percent * 10 + (unsigned)(*at - '0');
  if (*at == '%' && at > value)
    at++;
  return *at || percent > most ? 0 : percent;
}

/* The kinds that a new heap has, with another one in the place of GROWTH. */
static void pace_by(tm_policy *policy, unsigned kind)
{
  policy->kinds = (policy->kinds & ~(unsigned)TM_POLICY_GROWTH) | kind;
}

static int parse_growth(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  if (value)
    policy->growth_percent = percentage(value, MAX_PERCENT);
  if (policy->growth_percent)
    return TM_OK;
  tm__format(why, capacity, "growth takes a percentage from 1 to %d, e.g. growth=50",
             (int)MAX_PERCENT);
  return TM_EINVAL;
}

static int parse_debt(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  uint64_t bytes = policy->debt_bytes;
  if (value &&
      (tm__size_parse(value, &bytes) != TM_OK || bytes < least_bytes || bytes > INT64_MAX)) {
    tm__format(why, capacity, "debt takes a size of 1M or more, e.g. debt=32M");
    return TM_EINVAL;
  }
  pace_by(policy, TM_POLICY_DEBT);
  policy->debt_bytes = bytes;
  return TM_OK;
}

static int parse_sqrt(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  pace_by(policy, TM_POLICY_SQRT);
  if (value)
    policy->target_share_percent = percentage(value, 100);
  if (!value || policy->target_share_percent)
    return TM_OK;
  tm__format(why, capacity, "sqrt takes a share of the time from 1 to 100 percent, e.g. sqrt=5");
  return TM_EINVAL;
}

static int parse_shared(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  pace_by(policy, TM_POLICY_SHARED);
  if (!value)
    return TM_OK;
  tm__format(why, capacity, "shared takes no value: the budget is the group's");
  return TM_EINVAL;
}

static int parse_fixed(const char *value, tm_policy *policy, char *why, size_t capacity)
{
  uint64_t bytes;
  if (!value || tm__size_parse(value, &bytes) != TM_OK || bytes < least_bytes ||
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

static const policy_name names[] = {
    {"growth", parse_growth}, {"fixed", parse_fixed},   {"debt", parse_debt},
    {"sqrt", parse_sqrt},     {"shared", parse_shared}, {"off", parse_off},
};

int tm__policy_parse(const char *text, tm_policy *policy, char *why, size_t capacity)
{
  size_t length = strcspn(text, "=:");
  const char *value = text[length] ? text + length + 1 : NULL;
  for (size_t i = 0; i < TM_ARRAY_LEN(names); i++) {
    if (strlen(names[i].name) != length || memcmp(names[i].name, text, length) != 0)
      continue;
    tm_policy parsed;
    tm_policy_init(&parsed);
    int result = names[i].parse(value, &parsed, why, capacity);
    if (result == TM_OK)
      *policy = parsed;
    return result;
  }
  tm__format(
      why, capacity,
      "policies are growth[=PERCENT], fixed=SIZE, debt[=SIZE], sqrt[=SHARE], shared and off");
  return TM_EINVAL;
}

size_t tm__policy_format(const tm_policy *policy, char *buffer, size_t capacity)
{
  if (policy->kinds & TM_POLICY_GROWTH)
    return tm__format(buffer, capacity, "growth=%u", policy->growth_percent);
  if (policy->kinds & TM_POLICY_FIXED)
    return tm__format(buffer, capacity, "fixed=%lu", policy->fixed_bytes);
  if (policy->kinds & TM_POLICY_DEBT)
    return tm__format(buffer, capacity, "debt=%lu", policy->debt_bytes);
  if (policy->kinds & TM_POLICY_SQRT && policy->target_share_percent)
    return tm__format(buffer, capacity, "sqrt=%u", policy->target_share_percent);
  if (policy->kinds & TM_POLICY_SQRT)
    return tm__format(buffer, capacity, "sqrt");
  return tm__format(buffer, capacity, policy->kinds & TM_POLICY_SHARED ? "shared" : "off");
}
