/* log_merge.h - the decision logs of several heaps as one, in order of time. */
#ifndef TM_MONITOR_LOG_MERGE_H
#define TM_MONITOR_LOG_MERGE_H

#include <tidemark/gc.h>

#include "base/hints.h"

enum { TM__LOGS = 64 }; /* heaps that are merged; the logs of further ones are left out */

typedef struct tm__log_merge {
  size_t count;
  size_t shown; /* the log whose record was given last */
  struct {
    tm_heap *heap;
    uint64_t cursor;
    bool more; /* record is the heap's next one */
    tm_record record;
  } logs[TM__LOGS];
} tm__log_merge;

TM_HIDDEN void tm__log_merge_begin(tm__log_merge *merge);
/* The next record, oldest first; NULL after the newest. Valid until the next call. */
TM_HIDDEN const tm_record *tm__log_merge_next(tm__log_merge *merge);

#endif
