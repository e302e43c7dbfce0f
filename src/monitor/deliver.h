/* deliver.h - running a heap's due actions on the loop, and waking the loop from other threads. */
#ifndef TM_MONITOR_DELIVER_H
#define TM_MONITOR_DELIVER_H

#include "monitor/inner.h"

/* Takes over the notify of options.deliver_heap. 0 or UV_ENOSPC. */
TM_HIDDEN int tm__deliver_start(tm__monitor *m);
/* Gives it up; when it returns no other thread is inside tm__deliver_wake because of it. */
TM_HIDDEN void tm__deliver_stop(tm__monitor *m);
/* Runs what is due, on the loop. */
TM_HIDDEN void tm__deliver_run(tm__monitor *m);
/* Any thread: tm__deliver_run on the loop, soon. */
TM_HIDDEN void tm__deliver_wake(tm__monitor *m);

#endif
