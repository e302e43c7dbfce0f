/* folded.c - stacks as lines of text, for flame graphs and for reading. */
#include <string.h>

#include "base/assert.h"
#include "profile/render.h"

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

void tm__place_text(const tm__place *place, char *text, size_t capacity)
{
  if (place->file)
    (void)tm__format(text, capacity, "%s (%s:%u)", place->name, base_name(place->file),
                     tm__frame_line(place->frame));
  else if (place->name)
    (void)tm__format(text, capacity, "%s", place->name);
  else if (place->module && *place->module->path)
    (void)tm__format(text, capacity, "%s+0x%lx", base_name(place->module->path),
                     place->frame - place->module->begin + place->module->offset);
  else
    (void)tm__format(text, capacity, "0x%lx", place->frame);
}

/* A semicolon or a line's end would be taken for the format's own. */
static void emit_frame(tm__emit *e, const tm__view *view, tm__frame frame)
{
  char text[256];
  tm__place_text(&view->places[tm__view_place(view, frame)], text, sizeof text);
  for (char *at = text; *at; at++)
    tm__emit_char(e, *at == ';' ? ':' : (unsigned char)*at < ' ' ? '?' : *at);
}

void tm__folded_emit(tm__emit *e, const tm__view *view)
{
  for (uint32_t i = 0; i < view->row_count; i++) {
    const tm__view_row *row = &view->rows[i];
    const tm__site *site = row->site;
    uint32_t skip = tm__view_skip(view, site);
    if (tm__view_round(row->live_bytes) == 0)
      continue;
    for (uint32_t frame = site->depth; frame > skip; frame--) {
      emit_frame(e, view, tm__view_frame(site, frame - 1));
      tm__emit_char(e, frame - 1 > skip ? ';' : ' ');
    }
    if (skip == site->depth)
      tm__emit_text(e, "(unknown) ");
    tm__emit_u64(e, tm__view_round(row->live_bytes));
    tm__emit_char(e, '\n');
  }
}
