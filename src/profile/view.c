/* view.c - see view.h. */
#include "profile/view.h"

#include <string.h>
#include <tidemark/version.h>

#include "profile/sampler.h"

enum { OURS_DEEP = 12 }; /* frames of this library, at most */

/* ---- What sites hold ------------------------------------------------------------------------ */

/* The lock of the tables is held: the numbers belong together. */
static void fill_rows(tm__view *view)
{
  const tm__table_set *t = &tm__tables;
  for (uint32_t i = 0; i < view->row_count; i++) {
    const tm__site *site = &t->rooms->sites[i];
    view->rows[i] = (tm__view_row){.site = site, .blocks = site->blocks, .bytes = site->bytes};
  }
  for (uint32_t i = 0; i < t->sample_count; i++) {
    const tm__sample *sample = &t->rooms->samples[i];
    if (!sample->site || sample->site > view->row_count)
      continue;
    double weight = tm__sampler_weight(sample->charged, t->mean_bytes);
    view->rows[sample->site - 1].live_blocks += weight;
    view->rows[sample->site - 1].live_bytes += weight * (double)sample->bytes;
  }
  view->owner_count = t->owner_count;
  view->function_count = t->function_count;
  view->mean_bytes = t->mean_bytes;
  view->taken = t->taken;
  view->dropped = t->dropped;
  view->cut = t->cut;
  view->live = t->live;
  view->running = t->running;
}

/* ---- Places --------------------------------------------------------------------------------- */

/* D. Shell, 1959, with D. Knuth's gaps: the C library's qsort may allocate. */
static void sort_places(tm__place *places, size_t count)
{
  size_t gap = 1;
  while (gap < count / 3)
    gap = 3 * gap + 1;
  for (; gap > 0; gap /= 3)
    for (size_t i = gap; i < count; i++) {
      tm__place moved = places[i];
      size_t at = i;
      for (; at >= gap && places[at - gap].frame > moved.frame; at -= gap)
        places[at] = places[at - gap];
      places[at] = moved;
    }
}

static void collect_places(tm__view *view, uint32_t frame_count)
{
  uint32_t kept = 0;
  for (uint32_t i = 0; i < frame_count; i++)
    view->places[i] = (tm__place){.frame = tm__tables.rooms->frames[i]};
  sort_places(view->places, frame_count);
  for (uint32_t i = 0; i < frame_count; i++)
    if (!kept || view->places[i].frame != view->places[kept - 1].frame)
      view->places[kept++] = view->places[i];
  view->place_count = kept;
}

/* The first place at or behind a frame. */
static uint32_t lower_bound(const tm__view *view, tm__frame frame)
{
  uint32_t low = 0, high = view->place_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (view->places[middle].frame < frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

uint32_t tm__view_place(const tm__view *view, tm__frame frame)
{
  return lower_bound(view, frame);
}

/* ---- Names ---------------------------------------------------------------------------------- */

/* A frame is the address behind a call, which may be the first one of the next function. */
static void name_places(void *ctx, uint64_t begin, uint64_t end, const char *name)
{
  tm__view *view = ctx;
  for (uint32_t i = lower_bound(view, begin + 1);
       i < view->place_count && view->places[i].frame <= end; i++) {
    view->places[i].name = name;
    view->places[i].ours = strncmp(name, "tm_", 3) == 0;
  }
}

static void name_all(tm__view *view)
{
  const tm__table_rooms *rooms = tm__tables.rooms;
  const tm__module *before = NULL;
  for (uint32_t i = 0; i < view->place_count; i++) {
    tm__place *place = &view->places[i];
    if (tm__frame_is_hosted(place->frame)) {
      const tm__function *f = &rooms->functions[tm__frame_function(place->frame)];
      if (tm__frame_function(place->frame) >= view->function_count)
        continue; /* taken while the profile was started anew */
      place->name = rooms->text + f->name;
      place->file = rooms->text + f->file;
      continue;
    }
    tm__module *module = tm__modules_find(view->modules, place->frame - 1);
    place->module = module;
    if (!module || module == before)
      continue;
    before = module;
    tm__module_open(module);
    tm__module_symbols(module, name_places, view);
  }
}

/* Of a program that is linked with the archive, our frames are between its own. */
uint32_t tm__view_skip(const tm__view *view, const tm__site *site)
{
  uint32_t skip = 0;
  for (uint32_t i = 0; i < site->depth && i < OURS_DEEP; i++)
    if (tm__view_at(view, site, i)->ours)
      skip = i + 1;
  return skip;
}

const tm__view_row *tm__view_next(const tm__view *view, const char *heap,
                                  const tm__view_row *before)
{
  const tm__view_row *best = NULL;
  for (uint32_t i = 0; i < view->row_count; i++) {
    const tm__view_row *row = &view->rows[i];
    bool later = !before || row->live_bytes < before->live_bytes ||
                 (!(row->live_bytes > before->live_bytes) && row > before);
    if (later && row->live_bytes > 0 && (!best || row->live_bytes > best->live_bytes) &&
        (!heap || strcmp(tm__tables.rooms->owners[row->site->owner].heap, heap) == 0))
      best = row;
  }
  return best;
}

/* ---- Taking --------------------------------------------------------------------------------- */

static size_t whole_pages(size_t bytes)
{
  return (bytes + TM_OS_PAGE - 1) & ~(size_t)(TM_OS_PAGE - 1);
}

int tm__view_take(tm__view *view)
{
  tm__table_set *t = &tm__tables;
  *view = (tm__view){.row_count = 0};
  tm__lock_acquire(&t->reading);
  tm__lock_acquire(&t->lock);
  view->row_count = t->site_count;
  uint32_t frame_count = t->frame_count;
  size_t rows = whole_pages(view->row_count * sizeof *view->rows);
  size_t places = whole_pages(frame_count * sizeof *view->places);
  view->mapped_bytes = whole_pages(sizeof *view->modules) + rows + places;
  char *memory = tm__os_map(view->mapped_bytes);
  if (memory) {
    view->rows = (tm__view_row *)(void *)memory;
    view->places = (tm__place *)(void *)(memory + rows);
    view->modules = (tm__modules *)(void *)(memory + rows + places);
    fill_rows(view);
  }
  tm__lock_release(&t->lock);
  if (!memory) {
    tm__lock_release(&t->reading);
    return TM_ENOMEM;
  }
  collect_places(view, frame_count);
  tm__modules_read(view->modules);
  name_all(view);
  return 0;
}

void tm__view_drop(tm__view *view)
{
  tm__modules_close(view->modules);
  /* `rows` is where the mapping begins */
  (void)tm__os_unreserve(view->rows, view->mapped_bytes);
  tm__lock_release(&tm__tables.reading);
}
