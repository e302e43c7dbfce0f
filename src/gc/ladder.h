/*
 * ladder.h - between engine.c (latches, limits, settings), ladder.c (runs actions) and record.c
 * (writes the log).
 */
#ifndef TM_GC_LADDER_H
#define TM_GC_LADDER_H

#include "gc/engine.h"

/* 1: whatever crosses, acts. Hosts' hooks have to survive being run at every chance. */
#ifndef TM_STRESS_TRIP
#define TM_STRESS_TRIP 0
#endif

/* One action, from the decision to the record. */
typedef struct tm__action {
  tm_inputs before; /* what was decided on */
  tm_decision decision;
  tm_record record; /* filled with what held at the decision */
  tm_outcome outcome;
  int last_result;                     /* of the last hook called, -1 = none was */
  uint64_t results[TM_HOOK_ERROR + 1]; /* calls by result */
  tm_inputs after;
} tm__action;

/* tm__engine_poll_for and tm__engine_emergency, after their first tests. */
TM_HIDDEN int tm__ladder_poll(tm__engine *engine, uint64_t request_bytes);
TM_HIDDEN bool tm__ladder_emergency(tm__engine *engine, uint64_t need_bytes);

/* Asks the port and fills what tm_decide looks at. No lock held. */
TM_HIDDEN void tm__engine_look(tm__engine *engine, tm_inputs *in);
/* Puts a decided trip where the heap sees it. Lock held. */
TM_HIDDEN void tm__engine_publish(tm__engine *engine, const tm_decision *decision);
/* Latches reasons (0: the trip's own, iff footprint reached it), logs and notifies on the edge.
 * No lock held. */
TM_HIDDEN void tm__engine_latch(tm__engine *engine, unsigned reasons, uint64_t footprint_bytes);
/* Did a round fail within the last second, with the footprint not down by 5 % since? Lock held. */
TM_HIDDEN bool tm__engine_given_up(tm__engine *engine, const tm_inputs *in);
/* Calls notify. No lock held. */
TM_HIDDEN void tm__engine_notify(tm__engine *engine);

/* ---- Records. Lock held. ---- */

/* Everything that is not about an action. */
TM_HIDDEN void tm__record_fill(const tm__engine *engine, const tm_inputs *in, tm_record *record);
/* For what a host may cause in a loop: at most one record per 100 ms. */
TM_HIDDEN bool tm__record_due(uint64_t *last_ns, uint64_t now_ns);
/* Nothing was run: why. kind -1 = no rung. Counts it in the rung's row. */
TM_HIDDEN void tm__record_idle(tm__engine *engine, const tm_inputs *in, tm_verdict verdict,
                               int kind, unsigned reasons);
/* An action has ended: completes its record and writes it. Counts it in the rung's row. */
TM_HIDDEN void tm__record_action(tm__engine *engine, tm__action *action);

#endif
