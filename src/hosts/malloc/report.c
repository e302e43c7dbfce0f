/* report.c - the report as text and as JSON. How the facts are found stands in facts.c. */
#include "hosts/malloc/report.h"

#include <string.h>

#include "stats/emit.h"
#include "stats/units.h"

enum { LABEL = 20, NUMBER = 12 };

/* ---- Columns -------------------------------------------------------------------------------- */

/* Cut, so that a long name of a host's pool does not push its numbers aside. */
static void left(tm__emit *e, const char *text, size_t width)
{
  size_t length = strlen(text);
  if (length < width)
    tm__emit_left(e, text, width);
  else
    tm__emit_bytes(e, text, width);
}

static void emit_size(tm__emit *e, uint64_t bytes)
{
  char text[24];
  tm__size_format(bytes, text, sizeof text);
  tm__emit_text(e, text);
}

/* 1234567 as "1,234,567". */
static void count_text(uint64_t count, char out[32])
{
  char reversed[32];
  size_t n = 0, digits = 0;
  do {
    if (digits && digits % 3 == 0)
      reversed[n++] = ',';
    reversed[n++] = (char)('0' + (int)(count % 10));
    digits++;
    count /= 10;
  } while (count);
  for (size_t i = 0; i < n; i++)
    out[i] = reversed[n - 1 - i];
  out[n] = 0;
}

static void emit_count(tm__emit *e, uint64_t count)
{
  char text[32];
  count_text(count, text);
  tm__emit_text(e, text);
}

static void size_column(tm__emit *e, uint64_t bytes)
{
  char text[24];
  tm__size_format(bytes, text, sizeof text);
  tm__emit_right(e, text, NUMBER);
}

static void count_column(tm__emit *e, uint64_t count)
{
  char text[32];
  count_text(count, text);
  tm__emit_right(e, text, NUMBER);
}

static void time_column(tm__emit *e, uint64_t ns)
{
  char text[32];
  tm__time_format(ns, text, sizeof text);
  tm__emit_right(e, text, NUMBER);
}

/* "1 block was", "7 blocks were": the word with its verb, for what is counted. */
static void emit_counted(tm__emit *e, uint64_t count, const char *one, const char *many)
{
  emit_count(e, count);
  tm__emit_char(e, ' ');
  tm__emit_text(e, count == 1 ? one : many);
}

/* ---- What there was ------------------------------------------------------------------------- */

/* A line that starts with a name and a size; the rest of it is the caller's. */
static void start_line(tm__emit *e, const char *name, uint64_t bytes)
{
  tm__emit_text(e, "  ");
  left(e, name, LABEL);
  size_column(e, bytes);
  tm__emit_text(e, "   ");
}

static void emit_limit(tm__emit *e, const char *name, uint64_t bytes, uint64_t group_bytes)
{
  tm__emit_text(e, bytes ? name : "no ");
  if (bytes) {
    tm__emit_text(e, " limit ");
    emit_size(e, bytes);
    if (bytes == group_bytes)
      tm__emit_text(e, " (cgroup)");
  } else {
    tm__emit_text(e, name);
    tm__emit_text(e, " limit");
  }
}

static void emit_levels(tm__emit *e, const tm__facts *f)
{
  const tm_stats *s = &f->stats;
  start_line(e, "peak footprint", s->footprint_peak_bytes);
  emit_limit(e, "soft", s->soft_limit_bytes, s->environment_soft_bytes);
  tm__emit_text(e, ", ");
  emit_limit(e, "hard", s->hard_limit_bytes, s->environment_hard_bytes);
  tm__emit_text(e, ", policy ");
  tm__emit_text(e, f->policy ? f->policy : "growth");
  tm__emit_char(e, '\n');

  start_line(e, "live at exit", s->live_bytes);
  tm__emit_text(e, "in ");
  emit_counted(e, s->live_blocks, "block", "blocks");
  if (s->informed_bytes) {
    tm__emit_text(e, ", with ");
    emit_size(e, s->informed_bytes > 0 ? (uint64_t)s->informed_bytes : 0);
    tm__emit_text(e, " outside told of");
  }
  tm__emit_char(e, '\n');

  start_line(e, "allocated in all", s->allocated_bytes_total);
  tm__emit_text(e, "in ");
  emit_counted(e, s->allocs_total, "block, ", "blocks, ");
  emit_count(e, s->reallocs_total);
  tm__emit_text(e, " resized\n");
}

static void emit_system(tm__emit *e, const tm__facts *f)
{
  const tm_stats *s = &f->stats;
  start_line(e, "committed at exit", s->committed_bytes);
  emit_size(e, s->live_bytes);
  tm__emit_text(e, " live, ");
  emit_size(e, s->free_bytes + s->waste_bytes + s->dirty_bytes);
  tm__emit_text(e, " free, ");
  emit_size(e, s->meta_bytes);
  tm__emit_text(e, " books\n");

  start_line(e, "given back", s->os_released_bytes_total);
  tm__emit_text(e, "to the system, of the ");
  emit_size(e, s->os_acquired_bytes_total);
  tm__emit_text(e, " ever taken from it\n");

  if (f->peak_rss_bytes) {
    start_line(e, "peak RSS", f->peak_rss_bytes);
    tm__emit_text(e, "of the whole process, as the kernel counted\n");
  }
}

/* ---- What was done -------------------------------------------------------------------------- */

static const char kind_names[TM_HOOK_KIND_COUNT][20] = {
    [TM_DROP_CACHES] = "caches dropped", [TM_COLLECT_MINOR] = "minor collection",
    [TM_COLLECT] = "full collection",    [TM_COMPACT] = "compaction",
    [TM_TRIM] = "trim (given back)",     [TM_NEAR_LIMIT] = "near-limit call"};

static uint64_t sum_runs(const tm__facts *f)
{
  uint64_t runs = 0;
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    runs += f->actions[i].runs_total;
  return runs;
}

static uint64_t sum_suppressed(const tm__facts *f, tm_verdict verdict)
{
  uint64_t times = 0;
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    times += f->actions[i].suppressed_total[verdict];
  return times;
}

static void emit_runs(tm__emit *e, const tm__facts *f)
{
  uint64_t spent_ns = 0;
  tm__emit_text(e, "  ");
  left(e, "what was done", LABEL);
  tm__emit_right(e, "runs", NUMBER);
  tm__emit_right(e, "freed", NUMBER);
  tm__emit_right(e, "time", NUMBER);
  tm__emit_right(e, "longest", NUMBER);
  tm__emit_char(e, '\n');
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++) {
    const tm_action_row *row = &f->actions[i];
    if (!row->runs_total)
      continue;
    spent_ns += row->duration_ns_total;
    tm__emit_text(e, "  ");
    left(e, kind_names[i], LABEL);
    count_column(e, row->runs_total);
    size_column(e, row->reclaimed_bytes_total);
    time_column(e, row->duration_ns_total);
    time_column(e, row->duration_max_ns);
    tm__emit_char(e, '\n');
  }
  uint64_t per_mille = f->elapsed_ns ? spent_ns / (f->elapsed_ns / 1000 + 1) : 0;
  tm__emit_text(e, "  Together they took ");
  tm__emit_u64(e, per_mille / 10);
  tm__emit_char(e, '.');
  tm__emit_u64(e, per_mille % 10);
  tm__emit_text(e, " % of the run.\n");
}

/* Decisions not to act, those that a person can do something about. */
static const struct {
  tm_verdict verdict;
  const char *why;
} held_back[] = {
    {TM_SUPPRESSED_COOLDOWN, "so soon after the last run"},
    {TM_SUPPRESSED_CAP, "for lack of time left under the cap"},
    {TM_SUPPRESSED_FLOOR, "with too little allocated since the last run"},
    {TM_SUPPRESSED_INEFFECTIVE, "because runs freed next to nothing"},
    {TM_SUPPRESSED_YIELD, "because it promised little"},
    {TM_SUPPRESSED_REENTRANT, "inside another action"},
};

static bool emit_held_back(tm__emit *e, const tm__facts *f)
{
  bool first = true;
  for (size_t i = 0; i < TM_ARRAY_LEN(held_back); i++) {
    uint64_t times = sum_suppressed(f, held_back[i].verdict);
    if (!times)
      continue;
    tm__emit_text(e, first ? "  Held back: " : ",\n             ");
    emit_counted(e, times, "time ", "times ");
    tm__emit_text(e, held_back[i].why);
    first = false;
  }
  if (!first)
    tm__emit_text(e, ".\n");
  return !first;
}

/* Nothing ran, and nothing was held back: the reason, in a sentence. */
static void emit_quiet(tm__emit *e, const tm__facts *f)
{
  const tm_stats *s = &f->stats;
  if (!s->trip_bytes) {
    tm__emit_text(e, "  Nothing was collected: no limit and no policy was in force.\n");
    return;
  }
  if (sum_suppressed(f, TM_SUPPRESSED_NO_HOOK)) {
    tm__emit_text(e, "  No collection ran: the footprint called for one, but this program has no "
                     "collector.\n");
    return;
  }
  bool crossed = s->footprint_peak_bytes >= s->trip_bytes;
  tm__emit_text(e, crossed
                       ? "  No collection ran: the footprint crossed its trip of "
                       : "  No collection was needed: the footprint never crossed its trip of ");
  emit_size(e, s->trip_bytes);
  tm__emit_text(e, crossed ? ", but nothing in this\n  program acted on it.\n" : ".\n");
}

/* ---- Where the bytes are -------------------------------------------------------------------- */

static void emit_pools(tm__emit *e, const tm__facts *f)
{
  if (!f->pool_count)
    return;
  tm__emit_text(e, "\n  ");
  left(e, "where the bytes are", LABEL);
  tm__emit_right(e, "at exit", NUMBER);
  tm__emit_right(e, "blocks", NUMBER);
  tm__emit_right(e, "allocated", NUMBER);
  tm__emit_right(e, "blocks", NUMBER);
  tm__emit_char(e, '\n');
  for (size_t i = 0; i < f->pool_count; i++) {
    const tm_pool_row *row = &f->pools[i];
    tm__emit_text(e, "  ");
    left(e, strcmp(row->name, "c") == 0 ? "c (malloc)" : row->name, LABEL);
    size_column(e, row->live_bytes);
    count_column(e, row->live_blocks);
    size_column(e, row->allocated_bytes_total);
    count_column(e, row->allocs_total);
    tm__emit_char(e, '\n');
  }
  if (f->pools_left_out) {
    tm__emit_text(e, "  and ");
    emit_counted(e, f->pools_left_out, "smaller pool\n", "smaller pools\n");
  }
}

/* ---- What went wrong ------------------------------------------------------------------------ */

static void emit_failures(tm__emit *e, const tm__facts *f)
{
  static const char why[TM_FAIL_COUNT][28] = {[TM_FAIL_LIMIT] = "beyond the hard limit",
                                              [TM_FAIL_OS] = "refused by the system",
                                              [TM_FAIL_OVERFLOW] = "of a size that cannot be",
                                              [TM_FAIL_INJECTED] = "on a test's wish"};
  uint64_t all = 0;
  for (size_t i = 0; i < TM_FAIL_COUNT; i++)
    all += f->stats.failures_total[i];
  if (!all) {
    if (f->stats.hard_limit_bytes)
      tm__emit_text(e, "\n  No request failed.\n");
    return;
  }
  tm__emit_text(e, "\n  ");
  emit_counted(e, all, "request failed", "requests failed");
  const char *between = ": ";
  for (size_t i = 0; i < TM_FAIL_COUNT; i++) {
    if (!f->stats.failures_total[i])
      continue;
    tm__emit_text(e, between);
    emit_count(e, f->stats.failures_total[i]);
    tm__emit_char(e, ' ');
    tm__emit_text(e, why[i]);
    between = ",\n    ";
  }
  tm__emit_text(e, ".\n");
}

static void emit_mismatches(tm__emit *e, const tm__facts *f)
{
  if (!f->stats.family_mismatches_total)
    return;
  tm__emit_text(e, "\n  ");
  emit_counted(e, f->stats.family_mismatches_total, "block was", "blocks were");
  tm__emit_text(e, " freed or resized by another family than allocated it.\n");
}

size_t tm__facts_text(const tm__facts *facts, char *buffer, size_t capacity)
{
  tm__emit e;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_text(&e, "tidemark: ");
  tm__emit_text(&e, *facts->command ? facts->command : "the program");
  tm__emit_text(&e, " (process ");
  tm__emit_u64(&e, facts->pid);
  tm__emit_text(&e, ") ran for ");
  char elapsed[32];
  tm__time_format(facts->elapsed_ns, elapsed, sizeof elapsed);
  tm__emit_text(&e, elapsed);
  tm__emit_text(&e, "\n\n");
  emit_levels(&e, facts);
  emit_system(&e, facts);
  tm__emit_char(&e, '\n');
  bool ran = sum_runs(facts) > 0;
  if (ran)
    emit_runs(&e, facts);
  if (!emit_held_back(&e, facts) && !ran)
    emit_quiet(&e, facts);
  emit_pools(&e, facts);
  emit_failures(&e, facts);
  emit_mismatches(&e, facts);
  return tm__emit_end(&e);
}

size_t tm__facts_json(const tm__facts *facts, const tm_heap *heap, char *buffer, size_t capacity)
{
  tm__emit e;
  bool first = true;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_char(&e, '{');
  tm__emit_key(&e, &first, "command");
  tm__emit_json_string(&e, facts->command);
  tm__emit_key(&e, &first, "pid");
  tm__emit_u64(&e, facts->pid);
  tm__emit_key(&e, &first, "elapsed_seconds");
  tm__emit_seconds(&e, facts->elapsed_ns);
  if (facts->peak_rss_bytes) {
    tm__emit_key(&e, &first, "peak_rss_bytes");
    tm__emit_u64(&e, facts->peak_rss_bytes);
  }
  tm__emit_key(&e, &first, "policy");
  tm__emit_json_string(&e, facts->policy ? facts->policy : "growth");
  tm__emit_key(&e, &first, "heap");
  size_t room = e.length < capacity ? capacity - e.length : 0;
  e.length += tm_stats_json(heap, room ? buffer + e.length : NULL, room);
  tm__emit_text(&e, "}\n");
  return tm__emit_end(&e);
}
