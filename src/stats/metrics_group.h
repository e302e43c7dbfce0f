/* metrics_group.h - what heaps know of their groups, as metric families. */
#ifndef TM_STATS_METRICS_GROUP_H
#define TM_STATS_METRICS_GROUP_H

#include "stats/families.h"

/* The families of heaps that are in a group; none if there is no such heap. */
TM_HIDDEN void tm__metrics_group(tm__metrics *m, tm__heap_views *views);

/* "group":{...} of a heap, after a comma; nothing if it is in no group. */
TM_HIDDEN void tm__group_json(tm__emit *e, const tm_heap *heap);

#endif
