/* leaks.c - what is live: by pool, by tag, and by stack when there is a profile. */
#include <string.h>
#include <tidemark/profile.h>
#include <tidemark/stats.h>

#include "profile/render.h"
#include "stats/units.h"

enum { STACKS = 10, FRAMES = 12, NUMBER = 12 };

static void emit_size(tm__emit *e, uint64_t bytes, size_t width)
{
  char text[24];
  (void)tm__size_format(bytes, text, sizeof text);
  tm__emit_right(e, text, width);
}

static void emit_blocks(tm__emit *e, uint64_t blocks)
{
  tm__emit_u64(e, blocks);
  tm__emit_text(e, blocks == 1 ? " block" : " blocks");
}

/* A line of a table: the bytes, in how many blocks, of what. */
static void emit_row(tm__emit *e, uint64_t bytes, uint64_t blocks, const char *name)
{
  emit_size(e, bytes, NUMBER);
  tm__emit_text(e, " in ");
  emit_blocks(e, blocks);
  tm__emit_text(e, ": ");
  tm__emit_text(e, name);
  tm__emit_char(e, '\n');
}

static void emit_pools(tm__emit *e, const tm_heap *heap)
{
  tm_pool_row row;
  tm__emit_text(e, "\n  by pool\n");
  for (size_t i = 0; tm_pool_stats_read(heap, i, &row); i++)
    if (row.live_blocks)
      emit_row(e, row.live_bytes, row.live_blocks,
               strcmp(row.name, "c") == 0 ? "c (malloc)" : row.name);
}

static void emit_tags(tm__emit *e, const tm_heap *heap)
{
  tm_tag_row row;
  bool first = true;
  for (size_t i = 0; tm_tag_stats_read(heap, i, &row); i++) {
    if (row.informed_bytes <= 0)
      continue;
    if (first)
      tm__emit_text(e, "\n  outside of the heap, by tag\n");
    first = false;
    emit_size(e, (uint64_t)row.informed_bytes, NUMBER);
    tm__emit_text(e, ": ");
    tm__emit_text(e, row.name);
    tm__emit_char(e, '\n');
  }
}

/* ---- Stacks --------------------------------------------------------------------------------- */

static void emit_stack(tm__emit *e, const tm__view *view, const tm__view_row *row)
{
  char text[256];
  const tm__site *site = row->site;
  uint32_t skip = tm__view_skip(view, site), shown = site->depth - skip;
  emit_size(e, tm__view_round(row->live_bytes), NUMBER);
  tm__emit_text(e, " in ");
  emit_blocks(e, tm__view_round(row->live_blocks));
  tm__emit_text(e, " of pool ");
  tm__emit_text(e, tm__tables.rooms->owners[site->owner].pool);
  tm__emit_char(e, '\n');
  shown = shown < FRAMES ? shown : FRAMES;
  for (uint32_t i = skip; i < skip + shown; i++) {
    tm__place_text(tm__view_at(view, site, i), text, sizeof text);
    tm__emit_right(e, "", NUMBER + 4);
    tm__emit_text(e, text);
    tm__emit_char(e, '\n');
  }
  if (skip + shown < site->depth)
    tm__emit_text(e, "                ...\n");
}

static void emit_stacks(tm__emit *e, const tm__view *view, const char *heap)
{
  const tm__view_row *row = tm__view_next(view, heap, NULL);
  if (!row)
    return;
  tm__emit_text(e, "\n  by who allocated it");
  if (view->mean_bytes > 1) {
    tm__emit_text(e, ": estimates, from one sample in ");
    emit_size(e, view->mean_bytes, 0);
  }
  tm__emit_char(e, '\n');
  for (unsigned i = 0; row && i < STACKS; i++, row = tm__view_next(view, heap, row))
    emit_stack(e, view, row);
  if (row)
    tm__emit_text(e, "  and others, with less\n");
}

size_t tm_leaks_text(const tm_heap *heap, char *buffer, size_t capacity)
{
  tm__emit e;
  tm__view view;
  tm_stats stats;
  tm_stats_init(&stats);
  tm__emit_init(&e, buffer, capacity);
  if (tm_stats_read(heap, &stats))
    return tm__emit_end(&e);
  tm__emit_text(&e, "live in heap ");
  tm__emit_text(&e, tm_heap_name(heap));
  tm__emit_text(&e, ": ");
  emit_size(&e, stats.live_bytes, 0);
  tm__emit_text(&e, " in ");
  emit_blocks(&e, stats.live_blocks);
  tm__emit_char(&e, '\n');
  if (stats.live_blocks)
    emit_pools(&e, heap);
  emit_tags(&e, heap);
  if (tm__view_take(&view) == 0) {
    emit_stacks(&e, &view, tm_heap_name(heap));
    tm__view_drop(&view);
  }
  return tm__emit_end(&e);
}
