/*
 * cost.h - what an action of one kind takes, learned from the recorded ones.
 *
 *   duration == (fixed + slope * work) * factor + excess
 *
 * The line is fitted through all runs, the factor is the median of those that lie around by bytes
 * allocated (the program changes what it does), and the excess is what the nearest one took beyond
 * that: the system's hiccups stay as rare and as long as they were, whatever the work.
 */
#ifndef TM_CLI_COST_H
#define TM_CLI_COST_H

#include "base/hints.h"

typedef struct tm__past_run {
  uint64_t allocated_bytes;
  double work_bytes, duration_ns;
} tm__past_run;

/* From there on the host refused such actions (BUSY, ERROR), or did not any more. */
typedef struct tm__refusal {
  uint64_t allocated_bytes;
  bool refused;
} tm__refusal;

typedef struct tm__cost {
  tm__past_run *runs;
  size_t count, capacity;
  tm__refusal *refusals;
  size_t refusal_count, refusal_capacity;
  double fixed_ns, ns_per_byte;
  bool assumed; /* none was recorded: the line is somebody else's */
} tm__cost;

/* Adds runs in the order of their allocated bytes. false iff there is no memory. */
TM_HIDDEN bool tm__cost_add(tm__cost *cost, const tm__past_run *run);
TM_HIDDEN bool tm__cost_refuse(tm__cost *cost, uint64_t allocated_bytes);
/* After the last one. */
TM_HIDDEN void tm__cost_fit(tm__cost *cost);
TM_HIDDEN void tm__cost_free(tm__cost *cost);

/* How long an action of this work takes there. */
TM_HIDDEN uint64_t tm__cost_ns(const tm__cost *cost, uint64_t allocated_bytes, uint64_t work_bytes);
/* Did the host refuse the last such action before that point, or the first one after? */
TM_HIDDEN bool tm__cost_refused(const tm__cost *cost, uint64_t allocated_bytes);

#endif
