/* metrics_actions.h - the families about what the engine did and did not do. */
#ifndef TM_STATS_METRICS_ACTIONS_H
#define TM_STATS_METRICS_ACTIONS_H

#include "stats/families.h"

TM_HIDDEN void tm__metrics_actions(tm__metrics *m, tm__heap_views *views);

#endif
