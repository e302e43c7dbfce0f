/* sampler.h - the rings: what the heaps looked like during the last hour. */
#ifndef TM_MONITOR_SAMPLER_H
#define TM_MONITOR_SAMPLER_H

#include "monitor/inner.h"

/* What a sample has of tm_stats under the same name: X(name). */
#define TM__SAMPLE_LEVELS(X)                                                                       \
  X(footprint_bytes)                                                                               \
  X(live_bytes)                                                                                    \
  X(committed_bytes)                                                                               \
  X(free_bytes)                                                                                    \
  X(waste_bytes)                                                                                   \
  X(dirty_bytes)                                                                                   \
  X(meta_bytes)                                                                                    \
  X(fragmentation_bytes)                                                                           \
  X(trip_bytes)                                                                                    \
  X(soft_limit_bytes)                                                                              \
  X(hard_limit_bytes)
#define TM__SAMPLE_TOTALS(X)                                                                       \
  X(allocated_bytes_total)                                                                         \
  X(freed_bytes_total)                                                                             \
  X(allocs_total)

/* Takes one sample of each of the first TM_MONITOR_HEAPS heaps. */
TM_HIDDEN void tm__sample_take(tm__monitor *m);
/* As tm_monitor_sample_read. */
TM_HIDDEN int tm__sample_read(const tm__ring *ring, uint64_t *cursor, tm_monitor_sample *out);
/* The sample of the same heap before the one at `cursor`. false iff there is none any more. */
TM_HIDDEN bool tm__sample_before(const tm__ring *ring, uint64_t cursor, tm_monitor_sample *out);

#endif
