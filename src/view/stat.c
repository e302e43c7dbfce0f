/* stat.c - `tidemark stat`: one line per interval, all heaps of the process together. As for
 * vmstat, the first line has the means since the process started. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "view/commands.h"
#include "view/frame.h"
#include "view/options.h"
#include "view/output.h"
#include "view/words.h"

enum { COLUMN = 10, NARROW = 8, LINES_PER_HEAD = 20 };

/* The numbers of one line: levels, and totals so far. X(name) */
#define LEVELS(X)                                                                                  \
  X(footprint_bytes)                                                                               \
  X(live_bytes)                                                                                    \
  X(free_bytes)                                                                                    \
  X(dirty_bytes)                                                                                   \
  X(committed_bytes)
#define TOTALS(X)                                                                                  \
  X(allocated_bytes)                                                                               \
  X(freed_bytes)                                                                                   \
  X(runs)                                                                                          \
  X(reclaimed_bytes)                                                                               \
  X(action_ns)                                                                                     \
  X(failures)

#define MEMBER(name) uint64_t name;
typedef struct line {
  LEVELS(MEMBER)
  TOTALS(MEMBER)
  uint64_t resident_bytes;
  double limit_percent; /* of the heap that is nearest to a limit; below 0: there is none */
} line;

static void add_object(const json_t *object, uint64_t *sum)
{
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) *sum +=
      (uint64_t)json_integer_value(value);
}

static void add_limit(const json_t *heap, line *out)
{
  uint64_t soft = tm__number(heap, "soft_limit_bytes"), hard = tm__number(heap, "hard_limit_bytes");
  uint64_t limit = soft ? soft : hard;
  double percent = limit ? (double)tm__number(heap, "footprint_bytes") * 100 / (double)limit : -1;
  if (percent > out->limit_percent)
    out->limit_percent = percent;
}

static void add_heap(const json_t *heap, line *out)
{
  const char *key;
  json_t *row;
#define ADD(name) out->name += tm__number(heap, #name);
  LEVELS(ADD)
#undef ADD
  out->allocated_bytes += tm__number(heap, "allocated_bytes_total");
  out->freed_bytes += tm__number(heap, "freed_bytes_total");
  add_object(json_object_get(heap, "failures_total"), &out->failures);
  json_object_foreach(json_object_get(heap, "actions"), key, row)
  {
    out->runs += tm__number(row, "runs_total");
    out->reclaimed_bytes += tm__number(row, "reclaimed_bytes_total");
    out->action_ns += tm__number(row, "duration_ns_total");
  }
  add_limit(heap, out);
}

static void read_line(const json_t *stats, line *out)
{
  const json_t *heap;
  size_t i;
  *out = (line){.limit_percent = -1};
  out->resident_bytes = tm__number(json_object_get(stats, "process"), "resident_bytes");
  json_array_foreach(json_object_get(stats, "heaps"), i, heap) add_heap(heap, out);
}

static void print_head(void)
{
  static const char *const names[] = {"FOOTPRINT", "LIVE",    "FREE",   "DIRTY",    "COMMITTED",
                                      "RESIDENT",  "ALLOC/s", "FREE/s", "RECLAIMED"};
  static const char *const narrow[] = {"RUNS", "TIME%", "FAILED", "LIMIT%"};
  for (size_t i = 0; i < TM_ARRAY_LEN(names); i++)
    (void)printf(" %*s", COLUMN, names[i]);
  for (size_t i = 0; i < TM_ARRAY_LEN(narrow); i++)
    (void)printf(" %*s", NARROW, narrow[i]);
  (void)putchar('\n');
}

static void size_cell(uint64_t bytes)
{
  char text[TM__WORD];
  (void)printf(" %*s", COLUMN, tm__size_word(text, bytes));
}

/* Without "/s", which is in the head. */
static void rate_cell(uint64_t before, uint64_t now, uint64_t span_ns)
{
  char text[TM__WORD];
  const char *rate = tm__size_rate(text, before, now, span_ns);
  (void)printf(" %*.*s", COLUMN, (int)strcspn(rate, "/"), rate);
}

static uint64_t grew(uint64_t before, uint64_t now)
{
  return now > before ? now - before : 0;
}

static void print_line(const line *before, const line *now, uint64_t span_ns)
{
  double share = span_ns ? (double)grew(before->action_ns, now->action_ns) / (double)span_ns : 0;
  size_cell(now->footprint_bytes);
  size_cell(now->live_bytes);
  size_cell(now->free_bytes);
  size_cell(now->dirty_bytes);
  size_cell(now->committed_bytes);
  size_cell(now->resident_bytes);
  rate_cell(before->allocated_bytes, now->allocated_bytes, span_ns);
  rate_cell(before->freed_bytes, now->freed_bytes, span_ns);
  size_cell(grew(before->reclaimed_bytes, now->reclaimed_bytes));
  (void)printf(" %*" PRIu64 " %*.1f %*" PRIu64, NARROW, grew(before->runs, now->runs), NARROW,
               share * 100, NARROW, grew(before->failures, now->failures));
  if (now->limit_percent < 0)
    (void)printf(" %*s\n", NARROW, "-");
  else
    (void)printf(" %*.1f\n", NARROW, now->limit_percent);
}

static void print_json(const line *before, const line *now, uint64_t span_ns, uint64_t clock_ns)
{
  (void)printf("{\"time_ns\":%" PRIu64 ",\"interval_ns\":%" PRIu64, clock_ns, span_ns);
#define LEVEL(name) (void)printf(",\"" #name "\":%" PRIu64, now->name);
#define TOTAL(name) (void)printf(",\"" #name "\":%" PRIu64, grew(before->name, now->name));
  LEVELS(LEVEL)
  TOTALS(TOTAL)
#undef LEVEL
#undef TOTAL
  (void)printf(",\"resident_bytes\":%" PRIu64 ",\"limit_percent\":", now->resident_bytes);
  if (now->limit_percent < 0)
    (void)printf("null}\n");
  else
    (void)printf("%.3f}\n", now->limit_percent);
}

/* One look, with nothing but what a line needs. */
static int look(const tm__source *source, tm__look *out, tm__complaint *complaint)
{
  int result = tm__source_get(source, "/stats.json", &out->stats, complaint);
  tm__look_stamp(out);
  return result;
}

static int print_lines(const tm__source *source, const tm__view_options *options,
                       tm__complaint *complaint)
{
  tm__look before = {0}, now = {0};
  line was = {0}, is;
  int result = 0;
  for (uint64_t n = 0; !result && (!options->count || n < options->count); n++) {
    if (n && !tm__output_pause(options->interval_ms))
      break;
    result = look(source, &now, complaint);
    if (result) {
      result = n ? tm__output_ended(complaint) : result;
      break;
    }
    read_line(now.stats, &is);
    uint64_t span_ns = tm__look_span(&before, &now);
    if (!options->json && n % LINES_PER_HEAD == 0)
      print_head();
    if (options->json)
      print_json(&was, &is, span_ns, now.clock_ns);
    else
      print_line(&was, &is, span_ns);
    result = tm__output_flush(TM_EXIT_OUTPUT, complaint);
    tm__look_drop(&before);
    before = now;
    now = (tm__look){0};
    was = is;
  }
  tm__look_drop(&before);
  return result;
}

int tm__view_stat(char **arguments, tm__complaint *complaint)
{
  tm__view_options options;
  tm__source source;
  int result = tm__view_options_parse(arguments, "stat", TM__TAKES_JSON | TM__TAKES_COUNTS,
                                      &options, complaint);
  if (!result)
    result = tm__source_find(options.target, &source, complaint);
  return result ? result : print_lines(&source, &options, complaint);
}
