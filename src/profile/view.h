/*
 * view.h - a profile as it is at one moment, ready to be written: what each site holds, and the
 * names of all its frames. In memory of its own; while one is open, no profile starts.
 */
#ifndef TM_PROFILE_VIEW_H
#define TM_PROFILE_VIEW_H

#include "profile/modules.h"
#include "profile/tables.h"

/* One site. Estimates. */
typedef struct tm__view_row {
  const tm__site *site;
  double live_blocks, live_bytes, blocks, bytes;
} tm__view_row;

/* One frame of any stack. */
typedef struct tm__place {
  tm__frame frame;
  const char *name; /* NULL = not known */
  const char *file; /* of a host's function; else NULL */
  const tm__module *module;
  bool ours; /* a function of this library */
} tm__place;

typedef struct tm__view {
  uint32_t row_count, place_count, owner_count, function_count;
  tm__view_row *rows;
  tm__place *places; /* by frame */
  tm__modules *modules;
  uint64_t mean_bytes, taken, dropped, cut, live;
  bool running;
  size_t mapped_bytes;
} tm__view;

/* 0, TM_ENOMEM. An empty one when there was no profile. */
TM_HIDDEN int tm__view_take(tm__view *view);
TM_HIDDEN void tm__view_drop(tm__view *view);

/* The number of a frame among the places. */
TM_HIDDEN uint32_t tm__view_place(const tm__view *view, tm__frame frame);
/* Of a stack, how many frames at its inner end are functions of this library. */
TM_HIDDEN uint32_t tm__view_skip(const tm__view *view, const tm__site *site);
/* The row that holds most, of the heap of that name (NULL: of all) and after `before` (NULL: the
 * first); among equals in the order of rows. NULL iff none is left that holds anything. */
TM_HIDDEN const tm__view_row *tm__view_next(const tm__view *view, const char *heap,
                                            const tm__view_row *before);
/* Frame i of a site. */
TM_INLINE tm__frame tm__view_frame(const tm__site *site, uint32_t i)
{
  return tm__tables.rooms->frames[site->first + i];
}
/* What frame i of a site is. */
TM_INLINE const tm__place *tm__view_at(const tm__view *view, const tm__site *site, uint32_t i)
{
  return &view->places[tm__view_place(view, tm__view_frame(site, i))];
}
/* An estimate, rounded. */
TM_INLINE uint64_t tm__view_round(double estimate)
{
  return (uint64_t)(estimate + 0.5);
}

#endif
