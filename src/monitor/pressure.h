/* pressure.h - news of memory pressure on the monitor's loop. */
#ifndef TM_MONITOR_PRESSURE_H
#define TM_MONITOR_PRESSURE_H

#include "monitor/inner.h"

/* Waits on the loop for what MEMORY_PRESSURE_WATCH names, on behalf of options.pressure_heap or
 * else options.deliver_heap. Without a heap or the variable it does nothing; a source that cannot
 * be watched is said once, on standard error. */
TM_HIDDEN void tm__pressure_start(tm__monitor *m);
TM_HIDDEN void tm__pressure_stop(tm__monitor *m);

#endif
