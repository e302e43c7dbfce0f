/* settings.c - reading the environment contract. */
#include "hosts/malloc/settings.h"

#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "gc/policy_text.h"
#include "stats/units.h"

typedef struct reader {
  tm__env_fn env;
  bool speaks; /* children are silent: one sentence, not one per process */
} reader;

static void complain(const reader *r, const char *name, const char *value, const char *why)
{
  if (r->speaks)
    tm__report("%s=%s is ignored: %s", name, value, why);
}

static int64_t read_size(const reader *r, const char *name)
{
  const char *text = r->env(name);
  uint64_t bytes;
  if (!text || !*text)
    return 0;
  if (tm__size_parse(text, &bytes) == TM_OK && bytes > 0 && bytes <= INT64_MAX)
    return (int64_t)bytes;
  complain(r, name, text, "it is not a size such as 512M");
  return 0;
}

/* A plain number; `otherwise` iff it is not set or not one. */
static uint64_t read_number(const reader *r, const char *name, uint64_t most, uint64_t otherwise)
{
  const char *text = r->env(name), *at = text;
  uint64_t value = 0;
  bool fits = true;
  if (!text || !*text)
    return otherwise;
  for (; *at >= '0' && *at <= '9'; at++)
    fits = fits && !__builtin_mul_overflow(value, 10u, &value) &&
           !__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
  if (!*at && fits && value <= most)
    return value;
  complain(r, name, text, "it is not a number that 'tidemark run' sets");
  return otherwise;
}

static void read_limits(const reader *r, tm__settings *s)
{
  s->soft_bytes = read_size(r, "TM_SOFT");
  s->hard_bytes = read_size(r, "TM_HARD");
  if (s->hard_bytes && s->soft_bytes > s->hard_bytes) {
    complain(r, "TM_SOFT", r->env("TM_SOFT"), "it is above TM_HARD");
    s->soft_bytes = 0;
  }
  const char *text = r->env("TM_LIMITS");
  if (!text || !*text)
    return;
  s->group_limits = strcmp(text, "cgroup") == 0;
  if (!s->group_limits)
    complain(r, "TM_LIMITS", text, "it can only be cgroup");
}

static void read_policy(const reader *r, tm__settings *s)
{
  const char *text = r->env("TM_POLICY");
  char why[160];
  if (!text || !*text)
    return;
  s->has_policy = tm__policy_parse(text, &s->policy, why, sizeof why) == TM_OK;
  if (s->has_policy)
    tm__format(s->policy_text, sizeof s->policy_text, "%s", text);
  else
    complain(r, "TM_POLICY", text, why);
}

/* Not in the settings: pages that a program without a report or a recording does not touch. */
static char report_path[TM__REPORT_PATH], record_path[TM__REPORT_PATH],
    profile_path[TM__REPORT_PATH], leaks_path[TM__REPORT_PATH];

/* A file, or, if `dash`, standard error: a copy of it in `path`, or "". */
static const char *read_path(const reader *r, const char *name, bool dash,
                             char path[TM__REPORT_PATH])
{
  const char *text = r->env(name);
  if (!text || !*text)
    return "";
  bool usable = *text == '/' || (dash && strcmp(text, "-") == 0);
  if (usable && strlen(text) < TM__REPORT_PATH)
    return memcpy(path, text, strlen(text) + 1);
  complain(r, name, text,
           dash ? "it is neither - nor an absolute path" : "it is not an absolute path");
  return "";
}

static void read_group(const reader *r, tm__settings *s)
{
  const char *text = r->env("TM_GROUP");
  char path[TM__GROUP_PATH];
  if (!text || !*text)
    return;
  if (tm__group_path(text, path, NULL) != TM_OK || strlen(text) >= sizeof s->group) {
    complain(r, "TM_GROUP", text, "it is not a name of letters and digits such as web");
    return;
  }
  memcpy(s->group, text, strlen(text) + 1);
  s->budget_bytes = (uint64_t)read_size(r, "TM_BUDGET");
}

static void read_profile(const reader *r, tm__settings *s)
{
  s->profile = read_path(r, "TM_PROFILE", false, profile_path);
  s->profile_interval_bytes = (uint64_t)read_size(r, "TM_PROFILE_INTERVAL");
  s->leaks = read_path(r, "TM_LEAKS", true, leaks_path);
  s->leaks_allow_bytes = (uint64_t)read_size(r, "TM_LEAKS_ALLOW");
  s->leaks_exit_code = (int)read_number(r, "TM_LEAKS_EXIT_CODE", 255, 0);
}

void tm__settings_read(tm__settings *settings, tm__env_fn env, uint64_t pid)
{
  *settings = (tm__settings){.report = "", .record = "", .profile = "", .leaks = ""};
  reader r = {env, false};
  settings->is_run = read_number(&r, "TM_RUN_PID", UINT64_MAX, pid) == pid;
  r.speaks = settings->is_run;
  const char *mismatch = env("TM_MISMATCH");
  settings->mismatch_given = mismatch && *mismatch;
  read_limits(&r, settings);
  read_policy(&r, settings);
  read_group(&r, settings);
  settings->report = read_path(&r, "TM_REPORT", true, report_path);
  settings->record = read_path(&r, "TM_RECORD", false, record_path);
  read_profile(&r, settings);
  settings->serve_fd = (int)read_number(&r, "TM_SERVE_FD", INT_MAX, UINT64_MAX);
  settings->serve_id = read_number(&r, "TM_SERVE_ID", UINT64_MAX, 0);
}
