/*
 * simulate.h - a recorded program under another policy: the engine that every heap has, over a heap
 * that is only the numbers of world.h, with a clock that moves when the program works or an action
 * takes its time. No clock, no randomness, no thread: equal arguments give equal results, to the
 * bit.
 *
 * Every action is run by the real ladder: floors, cooldowns, the CPU cap, postponement and the log
 * are what they are in a running program. Crossings are served at once, as by a host that polls
 * often. Requests beyond a hard limit are counted, and granted all the same: what the program would
 * have done without them is not known.
 */
#ifndef TM_CLI_SIMULATE_H
#define TM_CLI_SIMULATE_H

#include "cli/world.h"

typedef struct tm__scenario {
  const tm_policy *policy;         /* NULL: as recorded, with its changes */
  bool own_soft, own_hard;         /* the limits below instead of the recorded ones */
  uint64_t soft_bytes, hard_bytes; /* 0 = none */
} tm__scenario;

/*
 * 0 and *tally. TM_ENOMEM; TM_ENOTSUP iff the recorded policy is one that this version does not
 * have; TM_EINVAL iff the limits do not go together (a soft one of ours above a recorded hard one).
 */
TM_HIDDEN int tm__simulate(const tm__tape *tape, const tm__world *world,
                           const tm__scenario *scenario, tm__tally *tally);

#endif
