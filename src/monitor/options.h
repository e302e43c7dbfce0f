/* options.h - checking and keeping a monitor's options. */
#ifndef TM_MONITOR_OPTIONS_H
#define TM_MONITOR_OPTIONS_H

#include "monitor/inner.h"

/* Takes a copy into m. 0, or UV_EINVAL and a sentence in m->error. */
TM_HIDDEN int tm__options_take(tm__monitor *m, const tm_monitor_options *options);

#endif
