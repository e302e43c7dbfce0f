/* run_options.c - reading and checking what stands behind `tidemark run`. */
#include "cli/run_options.h"

#include <string.h>
#include <tidemark/gc.h>
#include <tidemark/profile.h>

#include "cli/similar.h"
#include "gc/group_file.h"
#include "gc/memory.h"
#include "gc/policy_text.h"
#include "stats/units.h"

/* No program starts in less; whoever writes it forgot the unit. */
static const uint64_t least_limit_bytes = 1u << 20;

typedef struct reader {
  char **at; /* the next argument */
  uint64_t whole_bytes;
  tm__run_options *options;
  tm__complaint *complaint;
} reader;

static int read_limit(const reader *r, const char *name, const char *value, uint64_t *bytes)
{
  bool percent = strchr(value, '%') != NULL;
  if (percent && r->whole_bytes == 0)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "%s: how much memory there is could not be found out, so '%s' has no "
                        "meaning; write bytes, as in 512M",
                        name, value);
  uint64_t parsed;
  int result = tm__limit_parse(value, r->whole_bytes, &parsed);
  if (result == TM_ERANGE)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "%s: '%s' is more than any machine has", name,
                        value);
  if (result != TM_OK)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "%s: '%s' is not a size; write 512M, 1.5G or 75%%", name, value);
  if (parsed < least_limit_bytes) {
    bool bare = parsed > 0 && value[strspn(value, "0123456789")] == 0;
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "%s: '%s' is too little for any program; %s%s%s", name, value,
                        bare ? "did you mean " : "leave the option out for no limit",
                        bare ? value : "", bare ? "M?" : "");
  }
  *bytes = parsed;
  return 0;
}

static int read_soft(const reader *r, const char *value)
{
  return read_limit(r, "--soft", value, &r->options->soft_bytes);
}

static int read_hard(const reader *r, const char *value)
{
  return read_limit(r, "--hard", value, &r->options->hard_bytes);
}

static int read_group_limits(const reader *r, const char *value)
{
  (void)value;
  r->options->group_limits = true;
  return 0;
}

static int read_policy(const reader *r, const char *value)
{
  tm_policy policy;
  char why[160];
  if (tm__policy_parse(value, &policy, why, sizeof why) != TM_OK)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "--policy: '%s' cannot be used: %s", value,
                        why);
  r->options->policy = value;
  return 0;
}

static int read_group(const reader *r, const char *value)
{
  char path[TM__GROUP_PATH];
  if (tm__group_path(value, path, NULL) != TM_OK)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "--group: '%s' is not a name; write up to %d letters, digits, dots, dashes "
                        "and underscores, behind an absolute path if the file is to be there",
                        value, (int)TM__GROUP_NAME);
  r->options->group = value;
  return 0;
}

static int read_budget(const reader *r, const char *value)
{
  return read_limit(r, "--budget", value, &r->options->budget_bytes);
}

static int read_serve(const reader *r, const char *value)
{
  r->options->serve = value;
  return 0;
}

static int read_report(const reader *r, const char *value)
{
  if (value && !*value)
    return tm__complain(
        r->complaint, TM_EXIT_USAGE,
        "--report= needs the name of a file; without '=' it goes to standard error");
  r->options->report = value ? value : "-";
  return 0;
}

static int read_record(const reader *r, const char *value)
{
  if (!*value)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "--record needs the name of a file");
  r->options->record = value;
  return 0;
}

static int read_profile(const reader *r, const char *value)
{
  if (!*value)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "--profile needs the name of a file");
  r->options->profile = value;
  return 0;
}

/* A size without the least that a limit has. */
static int read_size(const reader *r, const char *name, const char *value, uint64_t most,
                     uint64_t *bytes)
{
  if (tm__size_parse(value, bytes) == TM_OK && *bytes > 0 && *bytes <= most)
    return 0;
  return tm__complain(r->complaint, TM_EXIT_USAGE,
                      "%s: '%s' is not a size that can be used; write 64K or 2M", name, value);
}

static int read_interval(const reader *r, const char *value)
{
  return read_size(r, "--profile-interval", value, TM_PROFILE_MEAN_MOST,
                   &r->options->profile_interval_bytes);
}

static int read_leaks(const reader *r, const char *value)
{
  if (value && !*value)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "--leaks= needs the name of a file; without '=' it is told on standard "
                        "error");
  r->options->leaks = value ? value : "-";
  return 0;
}

static int read_allow(const reader *r, const char *value)
{
  return read_size(r, "--leaks-allow", value, INT64_MAX, &r->options->leaks_allow_bytes);
}

static int read_exit_code(const reader *r, const char *value)
{
  uint64_t code = 0;
  const char *at = value;
  for (; *at >= '0' && *at <= '9' && code <= 255; at++)
    code = code * 10 + (uint64_t)(*at - '0');
  if (*at || code < 1 || code > 255)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "--leaks-exit-code: '%s' is no exit status; write a number from 1 to 255",
                        value);
  r->options->leaks_exit_code = code;
  return 0;
}

static int read_help(const reader *r, const char *value)
{
  (void)value;
  r->options->help = true;
  return 0;
}

typedef enum { VALUE_NONE, VALUE_OPTIONAL, VALUE_NEEDED } value_kind;

typedef struct option {
  const char *name;
  value_kind kind;
  int (*read)(const reader *r, const char *value);
  const char *example;
} option;

static const option known[] = {
    {"--soft", VALUE_NEEDED, read_soft, "--soft 512M"},
    {"--hard", VALUE_NEEDED, read_hard, "--hard 1G"},
    {"--limits-from-cgroup", VALUE_NONE, read_group_limits, "--limits-from-cgroup"},
    {"--policy", VALUE_NEEDED, read_policy, "--policy growth=50"},
    {"--group", VALUE_NEEDED, read_group, "--group web"},
    {"--budget", VALUE_NEEDED, read_budget, "--budget 2G"},
    {"--serve", VALUE_NEEDED, read_serve, "--serve :9100"},
    {"--report", VALUE_OPTIONAL, read_report, "--report"},
    {"--record", VALUE_NEEDED, read_record, "--record run.trace"},
    {"--profile", VALUE_NEEDED, read_profile, "--profile heap.pb.gz"},
    {"--profile-interval", VALUE_NEEDED, read_interval, "--profile-interval 64K"},
    {"--leaks", VALUE_OPTIONAL, read_leaks, "--leaks"},
    {"--leaks-allow", VALUE_NEEDED, read_allow, "--leaks-allow 64K"},
    {"--leaks-exit-code", VALUE_NEEDED, read_exit_code, "--leaks-exit-code 23"},
    {"--help", VALUE_NONE, read_help, "--help"},
    {"-h", VALUE_NONE, read_help, "-h"},
};

static int unknown_option(const reader *r, const char *argument)
{
  const char *names[TM_ARRAY_LEN(known)];
  for (size_t i = 0; i < TM_ARRAY_LEN(known); i++)
    names[i] = known[i].name;
  const char *near = tm__most_similar(argument, names, TM_ARRAY_LEN(names));
  int length = (int)strcspn(argument, "=");
  if (near)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "there is no option %.*s; did you mean %s?",
                        length, argument, near);
  return tm__complain(r->complaint, TM_EXIT_USAGE,
                      "there is no option %.*s; 'tidemark run --help' lists them, and an option "
                      "of COMMAND stands behind '--'",
                      length, argument);
}

/* Takes one option and its value off r->at. */
static int read_option(reader *r)
{
  const char *argument = *r->at++, *equals = strchr(argument, '=');
  size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
  for (size_t i = 0; i < TM_ARRAY_LEN(known); i++) {
    const option *o = &known[i];
    if (strlen(o->name) != length || memcmp(o->name, argument, length) != 0)
      continue;
    const char *value = equals ? equals + 1 : NULL;
    if (value && o->kind == VALUE_NONE)
      return tm__complain(r->complaint, TM_EXIT_USAGE, "%s takes no value", o->name);
    if (!value && o->kind == VALUE_NEEDED && *r->at && strcmp(*r->at, "--") != 0)
      value = *r->at++;
    if (!value && o->kind == VALUE_NEEDED)
      return tm__complain(r->complaint, TM_EXIT_USAGE, "%s needs a value, as in %s", o->name,
                          o->example);
    return o->read(r, value);
  }
  return unknown_option(r, argument);
}

static int check_together(const reader *r)
{
  const tm__run_options *o = r->options;
  if (o->hard_bytes && o->soft_bytes > o->hard_bytes) {
    char soft[24], hard[24];
    tm__size_format(o->soft_bytes, soft, sizeof soft);
    tm__size_format(o->hard_bytes, hard, sizeof hard);
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "--soft (%s) is above --hard (%s), so it would never act; lower --soft or "
                        "raise --hard",
                        soft, hard);
  }
  if (o->budget_bytes && !o->group)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "--budget is shared by the members of a group; name it, as in --group web, "
                        "or write --soft for a limit of each process alone");
  if ((o->leaks_allow_bytes || o->leaks_exit_code) && !o->leaks)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "--leaks-allow and --leaks-exit-code say when what --leaks finds is too "
                        "much; write --leaks as well");
  if (!*o->command)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "run needs a COMMAND, as in 'tidemark run --soft 512M -- python3 app.py'");
  if (!**o->command)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "COMMAND is empty; name a program");
  return 0;
}

int tm__run_options_parse(char **arguments, uint64_t whole_bytes, tm__run_options *options,
                          tm__complaint *complaint)
{
  memset(options, 0, sizeof *options);
  reader r = {arguments, whole_bytes, options, complaint};
  while (*r.at && (*r.at)[0] == '-' && (*r.at)[1] != 0) {
    if (strcmp(*r.at, "--") == 0) {
      r.at++;
      break;
    }
    int result = read_option(&r);
    if (result || options->help)
      return result;
  }
  options->command = r.at;
  return check_together(&r);
}
