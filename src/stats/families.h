/*
 * families.h - writing metric families in either text format, and the heaps as their labels.
 *
 * A family's lines must stand together, so families are the outer loop and heaps the inner one. So
 * that the families of one heap agree with each other, the books of the first TM__VIEWS heaps are
 * read once; later heaps are read again for each family.
 */
#ifndef TM_STATS_FAMILIES_H
#define TM_STATS_FAMILIES_H

#include <tidemark/stats.h>

#include "stats/emit.h"

typedef struct tm__metrics {
  tm__emit *emit;
  tm_text_format format;
  const char *name; /* of the family that is open, with _total when it is a counter */
  const char *type, *help;
  bool described; /* its HELP and TYPE lines are written: with the first sample, so that a family
                     of which nothing is known leaves no trace */
  bool labelled;  /* the sample that is open has a label */
} tm__metrics;

/* Opens a family. Counters' names end in _total, infos' in _info. */
TM_HIDDEN void tm__family(tm__metrics *m, const char *name, const char *type, const char *help);
/* Opens a sample of it; suffix is "" or a histogram's "_bucket", "_sum", "_count". */
TM_HIDDEN void tm__sample(tm__metrics *m, const char *suffix);
TM_HIDDEN void tm__label(tm__metrics *m, const char *name, const char *value);
/* Ends the sample with its value. */
TM_HIDDEN void tm__sample_u64(tm__metrics *m, uint64_t value);
TM_HIDDEN void tm__sample_i64(tm__metrics *m, int64_t value);
TM_HIDDEN void tm__sample_seconds(tm__metrics *m, uint64_t ns);

/* A family of one sample without labels. */
TM_HIDDEN void tm__family_u64(tm__metrics *m, const char *name, const char *type, const char *help,
                              uint64_t value);
TM_HIDDEN void tm__family_seconds(tm__metrics *m, const char *name, const char *type,
                                  const char *help, uint64_t ns);

enum { TM__VIEWS = 64 };

typedef struct tm__heap_view {
  tm_heap *heap;
  char label[64]; /* the heap's name; "name#index" where another heap has the same one */
  tm_stats stats;
} tm__heap_view;

typedef struct tm__heap_views {
  size_t count; /* heaps whose books were kept */
  tm__heap_view kept[TM__VIEWS];
  tm__heap_view later; /* the one after them that was asked for last */
} tm__heap_views;

TM_HIDDEN void tm__heap_views_read(tm__heap_views *views);
/* Heap `index`, or NULL when there are fewer. Valid until the next call. */
TM_HIDDEN const tm__heap_view *tm__heap_view_at(tm__heap_views *views, size_t index);

/* "name#index" into label: a name that no other heap or pool has. */
TM_HIDDEN void tm__label_unique(char *label, size_t capacity, const char *name, size_t index);

#endif
