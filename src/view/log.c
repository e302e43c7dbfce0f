/* log.c - `tidemark log`: the decisions, oldest first, and those that follow. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view/commands.h"
#include "view/options.h"
#include "view/output.h"
#include "view/source.h"
#include "view/words.h"

/* What tells a record from all others. */
static void key_of(const json_t *record, char *key, size_t capacity)
{
  (void)snprintf(key, capacity, "%s/%llu/%llu", tm__string(record, "heap"),
                 (unsigned long long)tm__number(record, "sequence"),
                 (unsigned long long)tm__number(record, "time_ns"));
}

static uint64_t clock_ns(clockid_t id)
{
  struct timespec now;
  (void)clock_gettime(id, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The record's clock counts from the boot of its machine; if that is ours, it is a time of day. */
static void time_text(const json_t *record, bool local, char *text, size_t capacity)
{
  uint64_t time_ns = tm__number(record, "time_ns");
  uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  if (!local || time_ns > now_ns) {
    (void)snprintf(text, capacity, "%12.3f", (double)time_ns / 1e9);
    return;
  }
  uint64_t then_ns = clock_ns(CLOCK_REALTIME) - (now_ns - time_ns);
  time_t seconds = (time_t)(then_ns / 1000000000u);
  struct tm parts;
  char day[32];
  (void)localtime_r(&seconds, &parts);
  (void)strftime(day, sizeof day, "%F %T", &parts);
  (void)snprintf(text, capacity, "%s.%03u", day, (unsigned)(then_ns / 1000000u % 1000u));
}

static void print_record(const json_t *record, bool local)
{
  char when[64], words[256];
  time_text(record, local, when, sizeof when);
  tm__record_words(record, words, sizeof words);
  (void)printf("%s %-10s %s\n", when, tm__string(record, "heap"), words);
}

/* Those that the last answer did not have; *known becomes the keys of this one. */
static void print_new(const json_t *records, const tm__source *source, bool json, json_t **known)
{
  json_t *keys = json_object();
  const json_t *record;
  size_t i;
  json_array_foreach(records, i, record)
  {
    char key[160];
    key_of(record, key, sizeof key);
    (void)json_object_set_new(keys, key, json_true());
    if (json_object_get(*known, key))
      continue;
    if (json)
      tm__output_json(record);
    else
      print_record(record, source->local);
  }
  json_decref(*known);
  *known = keys;
}

int tm__view_log(char **arguments, tm__complaint *complaint)
{
  tm__view_options options;
  tm__source source;
  json_t *known = NULL, *records;
  int result = tm__view_options_parse(arguments, "log", TM__TAKES_JSON | TM__TAKES_FOLLOW, &options,
                                      complaint);
  if (!result)
    result = tm__source_find(options.target, &source, complaint);
  while (!result) {
    result = tm__source_get(&source, "/log.json", &records, complaint);
    if (result && known)
      result = tm__output_ended(complaint), options.follow = false;
    else if (!result) {
      print_new(records, &source, options.json, &known);
      json_decref(records);
      result = tm__output_flush(TM_EXIT_OUTPUT, complaint);
    }
    if (!options.follow || !tm__output_pause(options.interval_ms))
      break;
  }
  json_decref(known);
  return result;
}
