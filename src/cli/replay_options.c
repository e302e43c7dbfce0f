/* replay_options.c - reading and checking what stands behind `tidemark replay`. */
#include "cli/replay_options.h"

#include <string.h>

#include "base/assert.h"
#include "cli/similar.h"
#include "gc/policy_text.h"
#include "stats/units.h"

typedef struct reader {
  char **at; /* the next argument */
  tm__replay_options *options;
  tm__complaint *complaint;
} reader;

int tm__replay_policy(const char *text, tm_policy *policy, char *why, size_t capacity)
{
  int error = tm__policy_parse(text, policy, why, capacity);
  if (!error && (policy->kinds & TM_POLICY_SHARED)) {
    (void)tm__format(why, capacity, "what the others of a group need is not in a recording");
    error = TM_ENOTSUP;
  }
  return error;
}

static int read_limit(const reader *r, const char *name, const char *value, bool *own,
                      uint64_t *bytes)
{
  uint64_t parsed;
  if (tm__size_parse(value, &parsed) != TM_OK || parsed > INT64_MAX >> 1)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "%s: '%s' is not a size; write 512M or 1.5G, or 0 for no limit", name,
                        value);
  *own = true;
  *bytes = parsed;
  return 0;
}

static int read_soft(const reader *r, const char *value)
{
  return read_limit(r, "--soft", value, &r->options->own_soft, &r->options->soft_bytes);
}

static int read_hard(const reader *r, const char *value)
{
  return read_limit(r, "--hard", value, &r->options->own_hard, &r->options->hard_bytes);
}

static int read_policy(const reader *r, const char *value)
{
  tm_policy policy;
  char why[160];
  if (tm__replay_policy(value, &policy, why, sizeof why) != TM_OK)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "--policy: '%s' cannot be used: %s", value,
                        why);
  if (r->options->policy_count == TM__REPLAY_POLICIES)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "--policy: at most %d policies at a time",
                        (int)TM__REPLAY_POLICIES);
  r->options->policies[r->options->policy_count++] = value;
  return 0;
}

static int read_plot(const reader *r, const char *value)
{
  if (!*value)
    return tm__complain(r->complaint, TM_EXIT_USAGE, "--plot needs the name of a file");
  r->options->plot = value;
  return 0;
}

static int read_flag(const reader *r, const char *value)
{
  (void)value;
  const char *argument = r->at[-1];
  if (strcmp(argument, "--sweep") == 0)
    r->options->sweep = true;
  else if (strcmp(argument, "--json") == 0)
    r->options->json = true;
  else
    r->options->help = true;
  return 0;
}

typedef struct option {
  const char *name;
  int (*read)(const reader *r, const char *value);
  const char *example; /* NULL: takes no value */
} option;

static const option known[] = {
    {"--policy", read_policy, "--policy growth=50"},
    {"--soft", read_soft, "--soft 512M"},
    {"--hard", read_hard, "--hard 1G"},
    {"--plot", read_plot, "--plot front.svg"},
    {"--sweep", read_flag, NULL},
    {"--json", read_flag, NULL},
    {"--help", read_flag, NULL},
    {"-h", read_flag, NULL},
};

static int unknown_option(const reader *r, const char *argument)
{
  const char *names[TM_ARRAY_LEN(known)];
  for (size_t i = 0; i < TM_ARRAY_LEN(known); i++)
    names[i] = known[i].name;
  const char *near = tm__most_similar(argument, names, TM_ARRAY_LEN(names));
  return tm__complain(r->complaint, TM_EXIT_USAGE, "there is no option %.*s; %s%s%s",
                      (int)strcspn(argument, "="), argument, near ? "did you mean " : "",
                      near ? near : "'tidemark replay --help' lists them", near ? "?" : "");
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
    if (value && !o->example)
      return tm__complain(r->complaint, TM_EXIT_USAGE, "%s takes no value", o->name);
    if (!value && o->example && !*r->at)
      return tm__complain(r->complaint, TM_EXIT_USAGE, "%s needs a value, as in %s", o->name,
                          o->example);
    if (!value && o->example)
      value = *r->at++;
    return o->read(r, value);
  }
  return unknown_option(r, argument);
}

static int read_file(reader *r)
{
  const char *name = *r->at++;
  if (r->options->file)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "replay reads one recording at a time, and '%s' would be a second one",
                        name);
  r->options->file = name;
  return 0;
}

static int check_together(const reader *r)
{
  const tm__replay_options *o = r->options;
  if (!o->file)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "replay needs a recording, as in 'tidemark replay run.trace --sweep'; "
                        "'tidemark run --record run.trace -- COMMAND' makes one");
  if (o->hard_bytes && o->soft_bytes > o->hard_bytes)
    return tm__complain(r->complaint, TM_EXIT_USAGE,
                        "--soft is above --hard, so it would never act; lower --soft or raise "
                        "--hard");
  return 0;
}

int tm__replay_options_parse(char **arguments, tm__replay_options *options,
                             tm__complaint *complaint)
{
  memset(options, 0, sizeof *options);
  reader r = {arguments, options, complaint};
  bool ended = false;
  while (*r.at) {
    const char *argument = *r.at;
    int result = 0;
    if (!ended && strcmp(argument, "--") == 0) {
      ended = true;
      r.at++;
    } else if (!ended && argument[0] == '-' && argument[1]) {
      result = read_option(&r);
    } else {
      result = read_file(&r);
    }
    if (result || options->help)
      return result;
  }
  return check_together(&r);
}
