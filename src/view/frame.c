/* frame.c - rows from the most to the least important: a small terminal shows the first. */
#include "view/frame.h"

#include <string.h>

#include "view/words.h"

enum { NAME = 12, NUMBER = 11, LATEST = 8 };

typedef struct sight {
  tm__screen *s;
  const tm__look *before, *now;
  uint64_t span_ns;
  bool local;
} sight;

/* ---- The process ---------------------------------------------------------------------------- */

static void draw_process(const sight *v, const char *place)
{
  char text[TM__WORD];
  const json_t *process = json_object_get(v->now->stats, "process");
  const tm__look start = {0};
  tm__screen_row_begin(v->s);
  tm__screen_addf(v->s, TM__BOLD, "tidemark top");
  tm__screen_addf(v->s, TM__PLAIN, "  process %llu",
                  (unsigned long long)tm__number(process, "pid"));
  tm__screen_pair(v->s, "up", TM__PLAIN, tm__time_word(text, tm__look_span(&start, v->now)));
  tm__screen_pair(v->s, "resident", TM__PLAIN,
                  tm__size_word(text, tm__number(process, "resident_bytes")));
  if (tm__screen_room(v->s) > (int)strlen(place) + 2)
    tm__screen_right(v->s, TM__DIM, place, tm__screen_room(v->s));
}

/* ---- A heap --------------------------------------------------------------------------------- */

static tm__ink ink_of(double share)
{
  return share >= 0.98 ? TM__BAD : share >= 0.9 ? TM__WARN : TM__GOOD;
}

static void draw_meter(tm__screen *s, const json_t *heap)
{
  char text[TM__WORD];
  uint64_t soft = tm__number(heap, "soft_limit_bytes"), hard = tm__number(heap, "hard_limit_bytes");
  uint64_t trip = tm__number(heap, "trip_bytes"), used = tm__number(heap, "footprint_bytes");
  uint64_t limit = soft ? soft : hard ? hard : trip;
  if (!limit)
    return;
  double share = (double)used / (double)limit;
  int columns = s->width >= 70 ? s->width - 40 : s->width - 28;
  tm__screen_row_begin(s);
  tm__screen_add(s, TM__PLAIN, "  ");
  tm__screen_bar(s, limit == trip ? TM__GOOD : ink_of(share), columns, (double)used, (double)limit);
  tm__screen_addf(s, TM__PLAIN, " %.0f %% of ", share * 100);
  tm__screen_add(s, TM__PLAIN, soft ? "soft " : hard ? "hard " : "trip ");
  tm__screen_add(s, TM__PLAIN, tm__size_word(text, limit));
}

static void draw_level(tm__screen *s, const json_t *heap, const char *name, const char *key)
{
  char text[TM__WORD];
  uint64_t value = tm__number(heap, key);
  if (value)
    tm__screen_pair(s, name, TM__PLAIN, tm__size_word(text, value));
}

static void draw_books(tm__screen *s, const json_t *heap)
{
  static const char *const first[][2] = {{"peak", "footprint_peak_bytes"},
                                         {"trip", "trip_bytes"},
                                         {"soft", "soft_limit_bytes"},
                                         {"hard", "hard_limit_bytes"},
                                         {"informed", "informed_bytes"}};
  static const char *const second[][2] = {
      {"committed", "committed_bytes"}, {"live", "live_bytes"},   {"free", "free_bytes"},
      {"waste", "waste_bytes"},         {"dirty", "dirty_bytes"}, {"books", "meta_bytes"}};
  tm__screen_row_begin(s);
  for (size_t i = 0; i < TM_ARRAY_LEN(first); i++)
    draw_level(s, heap, first[i][0], first[i][1]);
  tm__screen_row_begin(s);
  for (size_t i = 0; i < TM_ARRAY_LEN(second); i++)
    draw_level(s, heap, second[i][0], second[i][1]);
}

static void draw_heap(const sight *v, const json_t *heap)
{
  char text[TM__WORD];
  uint64_t failed = 0;
  const char *reason;
  json_t *count;
  json_object_foreach(json_object_get(heap, "failures_total"), reason, count) failed +=
      (uint64_t)json_integer_value(count);
  tm__screen_row_begin(v->s);
  tm__screen_addf(v->s, TM__BOLD, "%s", tm__string(heap, "name"));
  tm__screen_pair(v->s, "footprint", TM__BOLD,
                  tm__size_word(text, tm__number(heap, "footprint_bytes")));
  tm__screen_pair(v->s, "blocks", TM__PLAIN, tm__count_word(text, tm__number(heap, "live_blocks")));
  if (tm__number(heap, "pending_since"))
    tm__screen_add(v->s, TM__WARN, "  an action is due");
  if (failed)
    tm__screen_pair(v->s, "failed requests", TM__BAD, tm__count_word(text, failed));
  draw_meter(v->s, heap);
  draw_books(v->s, heap);
}

/* ---- Tables --------------------------------------------------------------------------------- */

static void table_head(tm__screen *s, const char *name, const char *const *columns, size_t count)
{
  tm__screen_row_begin(s);
  tm__screen_left(s, TM__DIM, name, NAME);
  for (size_t i = 0; i < count && tm__screen_room(s) >= NUMBER; i++)
    tm__screen_right(s, TM__DIM, columns[i], NUMBER);
}

static void cell(tm__screen *s, const char *text)
{
  if (tm__screen_room(s) >= NUMBER)
    tm__screen_right(s, TM__PLAIN, text, NUMBER);
}

static const json_t *row_named(const json_t *heap, const char *list, const char *name)
{
  const json_t *rows = json_object_get(heap, list);
  for (size_t i = 0; i < json_array_size(rows); i++)
    if (strcmp(tm__string(json_array_get(rows, i), "name"), name) == 0)
      return json_array_get(rows, i);
  return NULL;
}

static void draw_pools(const sight *v, const json_t *heap, const json_t *earlier)
{
  static const char *const columns[] = {"LIVE", "BLOCKS", "ALLOC", "FREE", "BLOCKS/s"};
  char text[TM__WORD];
  const json_t *row;
  size_t i;
  table_head(v->s, "POOL", columns, TM_ARRAY_LEN(columns));
  json_array_foreach(json_object_get(heap, "pools"), i, row)
  {
    const char *name = tm__string(row, "name");
    const json_t *was = row_named(earlier, "pools", name);
    if (!tm__number(row, "allocs_total"))
      continue;
    tm__screen_row_begin(v->s);
    tm__screen_left(v->s, TM__PLAIN, name, NAME);
    cell(v->s, tm__size_word(text, tm__number(row, "live_bytes")));
    cell(v->s, tm__count_word(text, tm__number(row, "live_blocks")));
    cell(v->s, tm__size_rate(text, tm__number(was, "allocated_bytes_total"),
                             tm__number(row, "allocated_bytes_total"), v->span_ns));
    cell(v->s, tm__size_rate(text, tm__number(was, "freed_bytes_total"),
                             tm__number(row, "freed_bytes_total"), v->span_ns));
    cell(v->s, tm__count_rate(text, tm__number(was, "allocs_total"),
                              tm__number(row, "allocs_total"), v->span_ns));
  }
}

static void draw_tags(const sight *v, const json_t *heap)
{
  static const char *const columns[] = {"INFORMED", "PEAK"};
  char text[TM__WORD];
  const json_t *row;
  size_t i;
  json_array_foreach(json_object_get(heap, "tags"), i, row)
  {
    json_int_t bytes = json_integer_value(json_object_get(row, "informed_bytes"));
    if (i == 0)
      table_head(v->s, "TAG", columns, TM_ARRAY_LEN(columns));
    tm__screen_row_begin(v->s);
    tm__screen_left(v->s, TM__PLAIN, tm__string(row, "name"), NAME);
    cell(v->s, bytes < 0 ? "below 0" : tm__size_word(text, (uint64_t)bytes));
    cell(v->s, tm__size_word(text, tm__number(row, "informed_peak_bytes")));
  }
}

static uint64_t sum(const json_t *object)
{
  uint64_t total = 0;
  for (void *at = json_object_iter((json_t *)(uintptr_t)object); at;
       at = json_object_iter_next((json_t *)(uintptr_t)object, at))
    total += (uint64_t)json_integer_value(json_object_iter_value(at));
  return total;
}

static void draw_actions(const sight *v, const json_t *heap)
{
  static const char *const columns[] = {"RUNS", "FREED", "TIME", "LONGEST", "HELD BACK"};
  char text[TM__WORD];
  bool any = false;
  const char *name;
  json_t *row;
  json_object_foreach(json_object_get(heap, "actions"), name, row)
  {
    uint64_t runs = tm__number(row, "runs_total");
    uint64_t held = sum(json_object_get(row, "suppressed_total"));
    if (!runs && !held)
      continue;
    if (!any)
      table_head(v->s, "ACTION", columns, TM_ARRAY_LEN(columns));
    any = true;
    tm__screen_row_begin(v->s);
    tm__screen_left(v->s, TM__PLAIN, name, NAME);
    cell(v->s, tm__count_word(text, runs));
    cell(v->s, tm__size_word(text, tm__number(row, "reclaimed_bytes_total")));
    cell(v->s, tm__time_word(text, tm__number(row, "duration_ns_total")));
    cell(v->s, tm__time_word(text, tm__number(row, "duration_max_ns")));
    cell(v->s, tm__count_word(text, held));
  }
}

/* ---- Findings and the log ------------------------------------------------------------------- */

static void draw_findings(const sight *v)
{
  const json_t *one;
  size_t i;
  json_array_foreach(json_object_get(v->now->doctor, "findings"), i, one)
  {
    const char *level = tm__string(one, "level");
    tm__screen_row_begin(v->s);
    tm__screen_add(v->s,
                   strcmp(level, "note") == 0    ? TM__BOLD
                   : strcmp(level, "alarm") == 0 ? TM__BAD
                                                 : TM__WARN,
                   level);
    tm__screen_addf(v->s, TM__PLAIN, ": %s", tm__string(one, "id"));
    if (*tm__string(one, "heap"))
      tm__screen_addf(v->s, TM__DIM, " (%s)", tm__string(one, "heap"));
    tm__screen_wrap(v->s, TM__PLAIN, 2, tm__string(one, "what"));
  }
}

static void draw_record(const sight *v, const json_t *record)
{
  char text[256], age[TM__WORD];
  uint64_t time_ns = tm__number(record, "time_ns"), now_ns = v->now->mono_ns;
  tm__record_words(record, text, sizeof text);
  tm__screen_row_begin(v->s);
  /* the log was read a little later than the clock */
  tm__time_word(age, time_ns < now_ns ? now_ns - time_ns : 0);
  tm__screen_right(v->s, TM__DIM, v->local ? age : "-", NUMBER);
  tm__screen_add(v->s, TM__DIM, v->local ? " ago  " : "      ");
  tm__screen_add(v->s, TM__PLAIN, text);
}

/* Newest first, without those that only say that the host was told. The age needs the clock of the
 * process's machine. */
static void draw_log(const sight *v)
{
  size_t shown = 0;
  for (size_t i = json_array_size(v->now->log); i > 0 && shown < LATEST; i--) {
    const json_t *record = json_array_get(v->now->log, i - 1);
    if (strcmp(tm__string(record, "verdict"), "deferred") == 0)
      continue;
    if (shown++ == 0) {
      tm__screen_row_begin(v->s);
      tm__screen_add(v->s, TM__DIM, "LATEST DECISIONS");
    }
    draw_record(v, record);
  }
}

void tm__frame_draw(tm__screen *s, const tm__source *source, const tm__look *before,
                    const tm__look *now)
{
  sight v = {s, before, now, tm__look_span(before, now), source->local};
  const json_t *heap, *heaps = json_object_get(now->stats, "heaps");
  size_t i;
  draw_process(&v, source->place.name);
  json_array_foreach(heaps, i, heap) draw_heap(&v, heap);
  draw_findings(&v);
  json_array_foreach(heaps, i, heap)
  {
    draw_actions(&v, heap);
    draw_pools(&v, heap, tm__heap_named(before->stats, tm__string(heap, "name")));
    draw_tags(&v, heap);
  }
  draw_log(&v);
}
