/* sampler.h - the rings: what the heaps looked like during the last hour. */
#ifndef TM_MONITOR_SAMPLER_H
#define TM_MONITOR_SAMPLER_H

#include "monitor/inner.h"

/* Takes one sample of each of the first TM_MONITOR_HEAPS heaps. */
TM_HIDDEN void tm__sample_take(tm__monitor *m);
/* As tm_monitor_sample_read. */
TM_HIDDEN int tm__sample_read(const tm__ring *ring, uint64_t *cursor, tm_monitor_sample *out);

#endif
