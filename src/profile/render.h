/* render.h - a view as bytes. All of it has the buffer rule of tm_stats_json, by tm__emit. */
#ifndef TM_PROFILE_RENDER_H
#define TM_PROFILE_RENDER_H

#include "profile/view.h"
#include "stats/emit.h"

/* A line for each stack: "main;work;make 4096", the outermost frame first; estimated live bytes. */
TM_HIDDEN void tm__folded_emit(tm__emit *e, const tm__view *view);

/* JSON: the stacks that hold most, as TM_PROFILE_HOLDERS has them. */
TM_HIDDEN void tm__holders_emit(tm__emit *e, const tm__view *view);

/* The message Profile of pprof's profile.proto, not compressed. time_ns is since 1970. */
TM_HIDDEN void tm__pprof_emit(tm__emit *e, const tm__view *view, uint64_t time_ns);

/* The same bytes as a gzip file, stored: a profile has to be written where nothing may be
 * allocated, and is small. */
TM_HIDDEN void tm__gzip_emit(tm__emit *e, const char *bytes, size_t count);

/* The place's name, or its module and address; at most `capacity` bytes with the NUL. */
TM_HIDDEN void tm__place_text(const tm__place *place, char *text, size_t capacity);

#endif
