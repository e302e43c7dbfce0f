/* replay_text.c - the answers of `tidemark replay` as a table and as JSON. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "cli/replay.h"
#include "stats/emit.h"
#include "stats/units.h"

enum { NAME = 24, COUNT = 9, SIZE = 12 };

/* ---- Columns --------------------------------------------------------------------------------- */

static void count_column(tm__emit *e, uint64_t count)
{
  char text[24];
  tm__emit number;
  tm__emit_init(&number, text, sizeof text);
  tm__emit_u64(&number, count);
  (void)tm__emit_end(&number);
  tm__emit_right(e, text, COUNT);
}

static void size_column(tm__emit *e, uint64_t bytes)
{
  char text[24];
  (void)tm__size_format(bytes, text, sizeof text);
  tm__emit_right(e, text, SIZE);
}

static void time_column(tm__emit *e, uint64_t ns)
{
  char text[32];
  (void)tm__time_format(ns, text, sizeof text);
  tm__emit_right(e, text, SIZE);
}

/* A part of the time, in tenths of a percent. */
static void share_column(tm__emit *e, uint64_t part_ns, uint64_t whole_ns)
{
  double share = whole_ns ? (double)part_ns / (double)whole_ns : 0;
  uint64_t per_mille = (uint64_t)(share * 1000 + 0.5);
  char text[32];
  tm__emit number;
  tm__emit_init(&number, text, sizeof text);
  tm__emit_u64(&number, per_mille / 10);
  tm__emit_char(&number, '.');
  tm__emit_u64(&number, per_mille % 10);
  tm__emit_text(&number, " %");
  (void)tm__emit_end(&number);
  tm__emit_right(e, text, COUNT);
}

static uint64_t other_runs(const tm__tally *t)
{
  return t->runs[TM_DROP_CACHES] + t->runs[TM_COMPACT] + t->runs[TM_TRIM] + t->runs[TM_NEAR_LIMIT];
}

/* ---- The table ------------------------------------------------------------------------------- */

static void emit_heading(tm__emit *e)
{
  tm__emit_left(e, "", NAME + 2);
  tm__emit_right(e, "minor", COUNT);
  tm__emit_right(e, "full", COUNT);
  tm__emit_right(e, "other", COUNT);
  tm__emit_right(e, "collecting", SIZE);
  tm__emit_right(e, "share", COUNT);
  tm__emit_right(e, "peak", SIZE);
  tm__emit_right(e, "above soft", SIZE);
  tm__emit_char(e, '\n');
}

static void emit_row(tm__emit *e, const tm__replay_row *row, const char *name, char mark)
{
  const tm__tally *t = &row->tally;
  uint64_t busy_ns = tm__tally_busy_ns(t);
  tm__emit_char(e, mark);
  tm__emit_char(e, ' ');
  tm__emit_left(e, name, NAME);
  count_column(e, t->runs[TM_COLLECT_MINOR]);
  count_column(e, t->runs[TM_COLLECT]);
  count_column(e, other_runs(t));
  time_column(e, busy_ns);
  share_column(e, busy_ns, t->elapsed_ns);
  size_column(e, t->peak_bytes);
  if (row->soft_bytes)
    time_column(e, t->above_soft_ns);
  else
    tm__emit_right(e, "-", SIZE);
  tm__emit_char(e, '\n');
}

/* Who and when: "run.trace: heap default of process 4242, recorded 2026-11-27 15:12:03 UTC". */
static void emit_origin(tm__emit *e, const tm__replay *replay)
{
  const tm__trace_record *start = &replay->tape->start;
  char text[64];
  time_t when = (time_t)start->wall_seconds;
  struct tm utc;
  tm__emit_text(e, replay->file);
  tm__emit_text(e, ": heap ");
  tm__emit_text(e, start->heap);
  tm__emit_text(e, " of process ");
  tm__emit_u64(e, start->pid);
  if (gmtime_r(&when, &utc) && strftime(text, sizeof text, "%F %T", &utc)) {
    tm__emit_text(e, ", recorded ");
    tm__emit_text(e, text);
    tm__emit_text(e, " UTC");
  }
  tm__emit_text(e, ", ");
  (void)tm__time_format(replay->tape->duration_ns, text, sizeof text);
  tm__emit_text(e, text);
  tm__emit_text(e, "\n\n");
}

static void emit_refused(tm__emit *e, const tm__replay *replay)
{
  char text[32];
  for (size_t i = 0; i < replay->count; i++) {
    const tm__replay_row *row = &replay->rows[i];
    if (!row->tally.refused)
      continue;
    tm__emit_text(e, row->name);
    tm__emit_text(e, ": the hard limit would have been reached ");
    tm__emit_u64(e, row->tally.refused);
    tm__emit_text(e, row->tally.refused == 1 ? " time, " : " times, first ");
    tm__emit_text(e, "after ");
    (void)tm__time_format(row->tally.refused_first_ns, text, sizeof text);
    tm__emit_text(e, text);
    tm__emit_text(e, "; requests fail there.\n");
  }
}

/* What makes the numbers worth less. */
static void emit_doubts(tm__emit *e, const tm__replay *replay)
{
  const tm__world *world = replay->world;
  const tm__tally *recorded = &world->recorded;
  if (replay->tape->cut)
    tm__emit_text(e, "The recording breaks off: the program was killed, or its disk was full.\n");
  if (tm__tally_collections(recorded) == 0)
    tm__emit_text(e, "No collection was recorded: what one would free, or cost, is not known.\n");
  else if (world->cost[TM_COLLECT].assumed)
    tm__emit_text(e, "No full collection was recorded: its cost is that of minor ones by size, and "
                     "what it would free is not known.\n");
}

static bool any_front(const tm__replay *replay)
{
  return replay->count > 1;
}

size_t tm__replay_table(const tm__replay *replay, char *buffer, size_t capacity)
{
  tm__emit e;
  char name[64] = "recorded ";
  tm__emit_init(&e, buffer, capacity);
  emit_origin(&e, replay);
  emit_heading(&e);
  memcpy(name + 9, replay->recorded.name, sizeof replay->recorded.name);
  emit_row(&e, &replay->recorded, name, ' ');
  for (size_t i = 0; i < replay->count; i++) {
    const tm__replay_row *row = &replay->rows[i];
    emit_row(&e, row, row->name, any_front(replay) && row->front ? '*' : ' ');
  }
  tm__emit_char(&e, '\n');
  if (any_front(replay))
    tm__emit_text(&e, "* no other row collects for less time with a lower peak\n");
  emit_refused(&e, replay);
  emit_doubts(&e, replay);
  return tm__emit_end(&e);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void emit_time(tm__emit *e, bool *first, const char *name, uint64_t ns)
{
  tm__emit_key(e, first, name);
  tm__emit_seconds(e, ns);
}

static void emit_json_row(tm__emit *e, const tm__replay_row *row)
{
  static const char *const names[TM_HOOK_KIND_COUNT] = {
#define NAME_OF(kind, text) [kind] = text "_runs",
      TM_HOOK_KINDS(NAME_OF)
#undef NAME_OF
  };
  const tm__tally *t = &row->tally;
  bool first = true;
  tm__emit_char(e, '{');
  tm__emit_key(e, &first, "policy");
  tm__emit_json_string(e, row->name);
  tm__emit_number(e, &first, "soft_limit_bytes", row->soft_bytes);
  tm__emit_number(e, &first, "hard_limit_bytes", row->hard_bytes);
  tm__emit_number(e, &first, "collections", tm__tally_collections(t));
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    tm__emit_number(e, &first, names[i], t->runs[i]);
  emit_time(e, &first, "collector_seconds", tm__tally_busy_ns(t));
  emit_time(e, &first, "elapsed_seconds", t->elapsed_ns);
  tm__emit_number(e, &first, "peak_bytes", t->peak_bytes);
  emit_time(e, &first, "above_soft_seconds", t->above_soft_ns);
  tm__emit_number(e, &first, "beyond_hard_times", t->refused);
  tm__emit_key(e, &first, "front");
  tm__emit_text(e, row->front ? "true" : "false");
  tm__emit_char(e, '}');
}

size_t tm__replay_json(const tm__replay *replay, char *buffer, size_t capacity)
{
  tm__emit e;
  bool first = true;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_char(&e, '{');
  tm__emit_key(&e, &first, "file");
  tm__emit_json_string(&e, replay->file);
  tm__emit_key(&e, &first, "heap");
  tm__emit_json_string(&e, replay->tape->start.heap);
  tm__emit_number(&e, &first, "pid", replay->tape->start.pid);
  tm__emit_number(&e, &first, "recorded_at", replay->tape->start.wall_seconds);
  emit_time(&e, &first, "seconds", replay->tape->duration_ns);
  tm__emit_key(&e, &first, "cut");
  tm__emit_text(&e, replay->tape->cut ? "true" : "false");
  tm__emit_key(&e, &first, "recorded");
  emit_json_row(&e, &replay->recorded);
  tm__emit_key(&e, &first, "replayed");
  for (size_t i = 0; i < replay->count; i++) {
    tm__emit_char(&e, i ? ',' : '[');
    emit_json_row(&e, &replay->rows[i]);
  }
  tm__emit_text(&e, "]}\n");
  return tm__emit_end(&e);
}
