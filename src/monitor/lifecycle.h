/* lifecycle.h - the parts of a monitor's life that its other files take part in. */
#ifndef TM_MONITOR_LIFECYCLE_H
#define TM_MONITOR_LIFECYCLE_H

#include "base/os.h"
#include "monitor/inner.h"

/* A handle of the monitor was made: counts it and unreferences it. */
TM_HIDDEN void tm__handle_opened(tm__monitor *m, uv_handle_t *handle);
/* Its close callback came. The last one after tm_monitor_close ends the monitor: m is gone then. */
TM_HIDDEN void tm__handle_closed(tm__monitor *m);

/* false: this is a forked child, where the monitor does not run; it was stopped just now. */
TM_HIDDEN bool tm__monitor_here(tm__monitor *m);

/* Processor time of this thread, ns. */
TM_HIDDEN uint64_t tm__thread_cpu_ns(void);

/* Held while a descriptor is made and noted, or closed and forgotten, so that a fork in between
 * cannot leave the child with one that nobody knows. */
TM_HIDDEN extern tm__lock tm__fds_lock;
/* Sees to it that a fork waits for the lock and leaves the child a free one. 0 or UV_ENOMEM. */
TM_HIDDEN int tm__fds_guard(void);

#endif
