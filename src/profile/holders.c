/* holders.c - the stacks that hold most, as JSON: for pages that answer "what holds my memory?". */
#include "profile/render.h"

enum { STACKS = 12, FRAMES = 12 };

static void emit_string(tm__emit *e, bool *first, const char *name, const char *text)
{
  tm__emit_key(e, first, name);
  tm__emit_json_string(e, text);
}

static void emit_bool(tm__emit *e, bool *first, const char *name, bool value)
{
  tm__emit_key(e, first, name);
  tm__emit_text(e, value ? "true" : "false");
}

/* An interpreter's inner frames are its allocator and its objects, the same for every program: the
 * person who asks knows the script. */
static void emit_who(tm__emit *e, bool *first, const tm__view *view, const tm__site *site)
{
  char text[256] = "(unknown)";
  uint32_t skip = tm__view_skip(view, site), at = skip;
  while (at < site->depth && !tm__view_at(view, site, at)->file)
    at++;
  if (at == site->depth)
    at = skip;
  if (at < site->depth)
    tm__place_text(tm__view_at(view, site, at), text, sizeof text);
  emit_string(e, first, "who", text);
}

static void emit_frames(tm__emit *e, bool *first, const tm__view *view, const tm__site *site)
{
  char text[256];
  uint32_t skip = tm__view_skip(view, site), shown = site->depth - skip;
  shown = shown < FRAMES ? shown : FRAMES;
  tm__emit_key(e, first, "frames");
  tm__emit_char(e, '[');
  for (uint32_t i = skip; i < skip + shown; i++) {
    tm__place_text(tm__view_at(view, site, i), text, sizeof text);
    tm__emit_text(e, i > skip ? "," : "");
    tm__emit_json_string(e, text);
  }
  tm__emit_char(e, ']');
  emit_bool(e, first, "more", skip + shown < site->depth);
}

static void emit_holder(tm__emit *e, const tm__view *view, const tm__view_row *row)
{
  bool first = true;
  const tm__owner *owner = &tm__tables.rooms->owners[row->site->owner];
  tm__emit_char(e, '{');
  tm__emit_number(e, &first, "bytes", tm__view_round(row->live_bytes));
  tm__emit_number(e, &first, "blocks", tm__view_round(row->live_blocks));
  emit_string(e, &first, "heap", owner->heap);
  emit_string(e, &first, "pool", owner->pool);
  emit_who(e, &first, view, row->site);
  emit_frames(e, &first, view, row->site);
  tm__emit_char(e, '}');
}

/* Of the rounded numbers: then those of the holders never exceed it. */
static uint64_t sum_live(const tm__view *view)
{
  uint64_t sum = 0;
  for (uint32_t i = 0; i < view->row_count; i++)
    sum += tm__view_round(view->rows[i].live_bytes);
  return sum;
}

void tm__holders_emit(tm__emit *e, const tm__view *view)
{
  bool first = true;
  const tm__view_row *row = tm__view_next(view, NULL, NULL);
  tm__emit_char(e, '{');
  tm__emit_number(e, &first, "mean_bytes", view->mean_bytes);
  emit_bool(e, &first, "running", view->running);
  tm__emit_number(e, &first, "samples_live", view->live);
  tm__emit_number(e, &first, "live_bytes", sum_live(view));
  tm__emit_key(e, &first, "holders");
  tm__emit_char(e, '[');
  for (unsigned i = 0; row && i < STACKS; i++, row = tm__view_next(view, NULL, row)) {
    tm__emit_text(e, i ? "," : "");
    emit_holder(e, view, row);
  }
  tm__emit_text(e, "]}\n");
}
