/* families.c - the grammar of metrics, and labels that are unique. */
#include "stats/families.h"

#include <string.h>

/* ---- Families and samples ------------------------------------------------------------------- */

static bool ends_with(const char *text, size_t length, const char *end)
{
  size_t n = strlen(end);
  return length >= n && memcmp(text + length - n, end, n) == 0;
}

/* The length of the family's own name: OpenMetrics keeps _total and _info for the samples. */
static size_t family_length(const tm__metrics *m)
{
  size_t length = strlen(m->name);
  if (m->format != TM_TEXT_OPENMETRICS)
    return length;
  if (strcmp(m->type, "counter") == 0 && ends_with(m->name, length, "_total"))
    return length - strlen("_total");
  if (strcmp(m->type, "info") == 0 && ends_with(m->name, length, "_info"))
    return length - strlen("_info");
  return length;
}

static void describe(tm__metrics *m, const char *what, size_t length, const char *text)
{
  tm__emit_text(m->emit, what);
  tm__emit_bytes(m->emit, m->name, length);
  tm__emit_char(m->emit, ' ');
  tm__emit_text(m->emit, text);
  tm__emit_char(m->emit, '\n');
}

void tm__family(tm__metrics *m, const char *name, const char *type, const char *help)
{
  m->name = name;
  m->type = type;
  m->help = help;
  m->described = false;
}

static void describe_family(tm__metrics *m)
{
  size_t length = family_length(m);
  bool open = m->format == TM_TEXT_OPENMETRICS;
  /* the older format has no type for what OpenMetrics calls an info */
  const char *type = !open && strcmp(m->type, "info") == 0 ? "gauge" : m->type;
  describe(m, "# HELP ", length, m->help);
  describe(m, "# TYPE ", length, type);
  if (open && ends_with(m->name, length, "_bytes"))
    describe(m, "# UNIT ", length, "bytes");
  if (open && ends_with(m->name, length, "_seconds"))
    describe(m, "# UNIT ", length, "seconds");
  m->described = true;
}

void tm__sample(tm__metrics *m, const char *suffix)
{
  if (!m->described)
    describe_family(m);
  tm__emit_text(m->emit, m->name);
  tm__emit_text(m->emit, suffix);
  m->labelled = false;
}

void tm__label(tm__metrics *m, const char *name, const char *value)
{
  tm__emit_char(m->emit, m->labelled ? ',' : '{');
  tm__emit_text(m->emit, name);
  tm__emit_text(m->emit, "=\"");
  tm__emit_label_value(m->emit, value);
  tm__emit_char(m->emit, '"');
  m->labelled = true;
}

static void before_value(tm__metrics *m)
{
  tm__emit_text(m->emit, m->labelled ? "} " : " ");
}

void tm__sample_u64(tm__metrics *m, uint64_t value)
{
  before_value(m);
  tm__emit_u64(m->emit, value);
  tm__emit_char(m->emit, '\n');
}

void tm__sample_i64(tm__metrics *m, int64_t value)
{
  before_value(m);
  tm__emit_i64(m->emit, value);
  tm__emit_char(m->emit, '\n');
}

void tm__sample_seconds(tm__metrics *m, uint64_t ns)
{
  before_value(m);
  tm__emit_seconds(m->emit, ns);
  tm__emit_char(m->emit, '\n');
}

void tm__family_u64(tm__metrics *m, const char *name, const char *type, const char *help,
                    uint64_t value)
{
  tm__family(m, name, type, help);
  tm__sample(m, "");
  tm__sample_u64(m, value);
}

void tm__family_seconds(tm__metrics *m, const char *name, const char *type, const char *help,
                        uint64_t ns)
{
  tm__family(m, name, type, help);
  tm__sample(m, "");
  tm__sample_seconds(m, ns);
}

/* ---- Labels --------------------------------------------------------------------------------- */

void tm__label_unique(char *label, size_t capacity, const char *name, size_t index)
{
  tm__emit e;
  tm__emit_init(&e, label, capacity);
  tm__emit_text(&e, name);
  tm__emit_char(&e, '#');
  tm__emit_u64(&e, index);
  (void)tm__emit_end(&e);
}

/* Is the name taken by an earlier heap, or could it be mistaken for one of our own making? */
static bool is_ambiguous(const tm__heap_views *views, const char *name)
{
  if (strchr(name, '#'))
    return true;
  for (size_t i = 0; i < views->count; i++)
    if (strcmp(views->kept[i].label, name) == 0)
      return true;
  return false;
}

static void read_view(tm__heap_view *view, tm_heap *heap)
{
  view->heap = heap;
  tm_stats_init(&view->stats);
  (void)tm_stats_read(heap, &view->stats);
}

void tm__heap_views_read(tm__heap_views *views)
{
  views->count = 0;
  views->later.heap = NULL;
  for (size_t i = 0; i < TM__VIEWS; i++) {
    tm_heap *heap = tm_heap_at(i);
    if (!heap)
      break;
    tm__heap_view *view = &views->kept[i];
    const char *name = tm_heap_name(heap);
    read_view(view, heap);
    if (is_ambiguous(views, name)) {
      tm__label_unique(view->label, sizeof view->label, name, i);
    } else {
      tm__emit e;
      tm__emit_init(&e, view->label, sizeof view->label);
      tm__emit_text(&e, name);
      (void)tm__emit_end(&e);
    }
    views->count++;
  }
}

const tm__heap_view *tm__heap_view_at(tm__heap_views *views, size_t index)
{
  if (index < views->count)
    return &views->kept[index];
  tm_heap *heap = index >= TM__VIEWS ? tm_heap_at(index) : NULL;
  if (!heap)
    return NULL;
  read_view(&views->later, heap);
  tm__label_unique(views->later.label, sizeof views->later.label, tm_heap_name(heap), index);
  return &views->later;
}
