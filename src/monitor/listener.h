/* listener.h - accepting clients, and what to do when no descriptor is left for them. */
#ifndef TM_MONITOR_LISTENER_H
#define TM_MONITOR_LISTENER_H

#include "monitor/inner.h"

/* Listens as m->options say. 0 or a negative UV_E*, with the sentence in m->error. */
TM_HIDDEN int tm__listener_open(tm__monitor *m);
TM_HIDDEN void tm__listener_close(tm__monitor *m);

#endif
