/*
 * world.h - what a recorded program would do under any policy: the model behind `tidemark replay`.
 *
 *   host time    recorded time less the time of recorded actions
 *   W            footprint if nothing had ever been collected: recorded footprint + all that
 *                recorded actions had freed by then. It does not depend on the policy
 *   garbage      see garbage.h
 *
 *   simulated footprint = W - what simulated actions freed
 *
 * The time of an action follows from its work (cost.h): the footprint for a full run, what grew
 * since the last run for a minor one, nothing for others.
 */
#ifndef TM_CLI_WORLD_H
#define TM_CLI_WORLD_H

#include "cli/cost.h"
#include "cli/garbage.h"
#include "cli/tape.h"

/* What happened in a run, recorded or simulated. The steps of an action that returned MORE are one
 * run. */
typedef struct tm__tally {
  uint64_t runs[TM_HOOK_KIND_COUNT], busy_ns[TM_HOOK_KIND_COUNT], freed_bytes[TM_HOOK_KIND_COUNT];
  uint64_t elapsed_ns, peak_bytes, above_soft_ns;
  uint64_t refused, refused_first_ns; /* simulated: requests beyond the hard limit, the first */
} tm__tally;

typedef struct tm__world {
  tm__garbage garbage;
  tm__cost cost[TM_HOOK_KIND_COUNT];
  tm__tally recorded;
  tm_policy policy; /* the last that was recorded */
  uint64_t soft_bytes, hard_bytes;
} tm__world;

/* 0, or TM_ENOMEM. Call tm__world_free in either case. */
TM_HIDDEN int tm__world_build(const tm__tape *tape, tm__world *world);
TM_HIDDEN void tm__world_free(tm__world *world);

/* Actions that collect. */
TM_INLINE uint64_t tm__tally_collections(const tm__tally *tally)
{
  return tally->runs[TM_COLLECT_MINOR] + tally->runs[TM_COLLECT];
}
TM_HIDDEN uint64_t tm__tally_busy_ns(const tm__tally *tally);

#endif
