/* story_chart.h - the drawings of a story: one SVG each, inside a page that has their colours. */
#ifndef TM_CLI_STORY_CHART_H
#define TM_CLI_STORY_CHART_H

#include "cli/story.h"
#include "stats/emit.h"

/* Footprint and what is committed over time, against the limits, with the full collections. */
TM_HIDDEN void tm__story_chart_memory(tm__emit *e, const tm__story *story);
/* The share of the time that went into actions. */
TM_HIDDEN void tm__story_chart_time(tm__emit *e, const tm__story *story);
/* Bytes allocated per second. */
TM_HIDDEN void tm__story_chart_allocation(tm__emit *e, const tm__story *story);

#endif
