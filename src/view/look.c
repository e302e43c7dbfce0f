/* look.c - three answers that belong together. */
#include <string.h>
#include <time.h>

#include "view/frame.h"

static uint64_t clock_ns(clockid_t id)
{
  struct timespec now;
  (void)clock_gettime(id, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void tm__look_stamp(tm__look *look)
{
  look->mono_ns = clock_ns(CLOCK_MONOTONIC);
  look->clock_ns = clock_ns(CLOCK_REALTIME);
}

int tm__look_take(const tm__source *source, tm__look *out, tm__complaint *complaint)
{
  memset(out, 0, sizeof *out);
  int result = tm__source_get(source, "/stats.json", &out->stats, complaint);
  tm__look_stamp(out);
  if (!result)
    result = tm__source_get(source, "/doctor", &out->doctor, complaint);
  if (!result)
    result = tm__source_get(source, "/log.json", &out->log, complaint);
  if (result)
    tm__look_drop(out);
  return result;
}

void tm__look_drop(tm__look *look)
{
  json_decref(look->stats);
  json_decref(look->doctor);
  json_decref(look->log);
  memset(look, 0, sizeof *look);
}

uint64_t tm__look_span(const tm__look *before, const tm__look *now)
{
  if (before->stats)
    return now->mono_ns - before->mono_ns;
  uint64_t started = tm__number(json_object_get(now->stats, "process"), "start_time_ns");
  return started && started < now->clock_ns ? now->clock_ns - started : 0;
}
