/*
 * replay.c - `tidemark replay`: reads a recording, runs the engine over it once for each policy
 * that is asked for, and tells what would have happened.
 */
#define _GNU_SOURCE
#include "cli/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/replay_options.h"
#include "gc/policy_text.h"

/* What --sweep tries: the usual multiple of what is live, and the other policies that pace. */
static const char *const swept[] = {"growth=10",  "growth=25",  "growth=50",  "growth=100",
                                    "growth=200", "growth=400", "growth=800", "sqrt=1",
                                    "sqrt=2",     "sqrt=5",     "sqrt=10",    "debt"};

/* ---- Rows ------------------------------------------------------------------------------------ */

static int explain(int error, const tm__replay *replay, const char *name, tm__complaint *complaint)
{
  if (error == TM_EINVAL)
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "the soft limit would be above the hard one, which was set while '%s' was "
                        "recorded; give --hard as well",
                        replay->file);
  if (error == TM_ENOTSUP)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "'%s' was recorded with a policy that cannot be replayed; choose one with "
                        "--policy",
                        replay->file);
  return tm__complain(complaint, TM_EXIT_FAILED, "%s: there is no memory to replay it", name);
}

/* One more row. NULL policy: the recorded one. */
static int add_row(tm__replay *replay, const char *name, const tm_policy *policy,
                   const tm__replay_options *options, tm__complaint *complaint)
{
  tm__scenario scenario = {.policy = policy,
                           .own_soft = options->own_soft,
                           .own_hard = options->own_hard,
                           .soft_bytes = options->soft_bytes,
                           .hard_bytes = options->hard_bytes};
  tm__replay_row *row = &replay->rows[replay->count];
  (void)snprintf(row->name, sizeof row->name, "%s", name);
  row->soft_bytes = options->own_soft ? options->soft_bytes : replay->world->soft_bytes;
  row->hard_bytes = options->own_hard ? options->hard_bytes : replay->world->hard_bytes;
  int error = tm__simulate(replay->tape, replay->world, &scenario, &row->tally);
  if (error)
    return explain(error, replay, name, complaint);
  replay->count++;
  return 0;
}

static int add_rows(tm__replay *replay, const tm__replay_options *options, tm__complaint *complaint)
{
  tm_policy policy;
  char why[160];
  int result = 0;
  if (!options->policy_count && !options->sweep)
    return add_row(replay, "as recorded", NULL, options, complaint);
  for (size_t i = 0; i < options->policy_count && !result; i++) {
    (void)tm__replay_policy(options->policies[i], &policy, why, sizeof why);
    result = add_row(replay, options->policies[i], &policy, options, complaint);
  }
  for (size_t i = 0; options->sweep && i < TM_ARRAY_LEN(swept) && !result; i++)
    if (tm__replay_policy(swept[i], &policy, why, sizeof why) == TM_OK)
      result = add_row(replay, swept[i], &policy, options, complaint);
  return result;
}

/* What is alike to two digits is as good: a model does not know better. */
static uint64_t two_digits(uint64_t value)
{
  uint64_t unit = 1;
  while (value / unit >= 100)
    unit *= 10;
  return value / unit * unit;
}

/* a is at least as good as b in both, and better in one. */
static bool beats(const tm__tally *a, const tm__tally *b)
{
  uint64_t time_a = two_digits(tm__tally_busy_ns(a)), time_b = two_digits(tm__tally_busy_ns(b));
  uint64_t peak_a = two_digits(a->peak_bytes), peak_b = two_digits(b->peak_bytes);
  return time_a <= time_b && peak_a <= peak_b && (time_a < time_b || peak_a < peak_b);
}

void tm__replay_mark_front(tm__replay *replay)
{
  for (size_t i = 0; i < replay->count; i++) {
    bool beaten = false;
    for (size_t j = 0; j < replay->count; j++)
      beaten |= beats(&replay->rows[j].tally, &replay->rows[i].tally);
    replay->rows[i].front = !beaten;
  }
}

/* ---- Telling --------------------------------------------------------------------------------- */

typedef size_t (*text_fn)(const tm__replay *replay, char *buffer, size_t capacity);

/* The whole text in memory of its own, or NULL. */
static char *text_of(text_fn fn, const tm__replay *replay)
{
  size_t capacity = fn(replay, NULL, 0) + 1;
  char *text = malloc(capacity);
  if (text)
    (void)fn(replay, text, capacity);
  return text;
}

static int print_text(text_fn fn, const tm__replay *replay, tm__complaint *complaint)
{
  char *text = text_of(fn, replay);
  int result = text ? tm__print(text, complaint)
                    : tm__complain(complaint, TM_EXIT_FAILED, "there is no memory for the answer");
  free(text);
  return result;
}

static int write_plot(const tm__replay *replay, const char *path, tm__complaint *complaint)
{
  char *text = text_of(tm__replay_plot, replay);
  if (!text)
    return tm__complain(complaint, TM_EXIT_FAILED, "there is no memory for the drawing");
  int result = tm__write("--plot", path, text, complaint);
  free(text);
  return result;
}

/* ---- The command ----------------------------------------------------------------------------- */

static void fill_recorded(tm__replay *replay)
{
  tm__replay_row *row = &replay->recorded;
  (void)tm__policy_format(&replay->world->policy, row->name, sizeof row->name);
  row->soft_bytes = replay->world->soft_bytes;
  row->hard_bytes = replay->world->hard_bytes;
  row->tally = replay->world->recorded;
}

static int replay_tape(const tm__tape *tape, const tm__replay_options *options,
                       tm__complaint *complaint)
{
  static tm__replay replay;
  tm__world world;
  replay = (tm__replay){.file = options->file, .tape = tape, .world = &world};
  int result = 0;
  if (tm__world_build(tape, &world))
    result = tm__complain(complaint, TM_EXIT_FAILED, "there is no memory for '%s'", options->file);
  if (!result) {
    fill_recorded(&replay);
    result = add_rows(&replay, options, complaint);
  }
  tm__replay_mark_front(&replay);
  if (!result && options->plot)
    result = write_plot(&replay, options->plot, complaint);
  if (!result)
    result = print_text(options->json ? tm__replay_json : tm__replay_table, &replay, complaint);
  tm__world_free(&world);
  return result;
}

int tm__command_replay(char **arguments, tm__complaint *complaint)
{
  tm__replay_options options;
  tm__tape tape = {0};
  int result = tm__replay_options_parse(arguments, &options, complaint);
  if (result)
    return result;
  if (options.help)
    return tm__help_print("replay", complaint);
  result = tm__tape_open(options.file, &tape, complaint);
  if (!result)
    result = replay_tape(&tape, &options, complaint);
  tm__tape_close(&tape);
  return result;
}
