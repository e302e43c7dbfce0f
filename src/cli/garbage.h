/*
 * garbage.h - how much garbage a recorded program made, and who could have found it: learned from
 * what recorded collections freed. By bytes allocated, which no policy changes.
 *
 *   YOUNG   found by minor runs, except for what floats: a minor run always leaves some of it,
 *           because it died in an older generation, but that does not become more
 *   OLD     found by full runs only: it leaks into the old generation
 *   CACHE   given up when caches are dropped
 *
 * How much was ever made is known where it was found, and lies on a straight line in between. At a
 * full run, after all minor runs since the full run before:
 *
 *   freed == since the last run, at the rate of the minor runs: YOUNG
 *          + what was left: OLD as far as the footprint after the minor runs rose, else it floated
 *
 * where the footprint is taken less the live bytes, and these lie on a straight line between the
 * two full runs. Where they clearly do not, or few minor runs lie in between, other intervals tell
 * how fast it leaks. After the last knot each kind goes on at its last rate.
 */
#ifndef TM_CLI_GARBAGE_H
#define TM_CLI_GARBAGE_H

#include "base/hints.h"

typedef enum { TM__YOUNG, TM__OLD, TM__CACHE, TM__GARBAGE_KINDS } tm__garbage_kind;
typedef enum { TM__BY_MINOR, TM__BY_FULL, TM__BY_DROPPING } tm__finder;

/* What one recorded run found. */
typedef struct tm__found {
  tm__finder by;
  uint64_t allocated_bytes; /* then */
  uint64_t freed_bytes;
  uint64_t after_bytes; /* footprint after it */
} tm__found;

typedef struct tm__knot {
  uint64_t allocated_bytes, bytes;
} tm__knot;

typedef struct tm__knots {
  tm__knot *at;
  size_t count, capacity;
} tm__knots;

typedef struct tm__garbage {
  tm__knots made[TM__GARBAGE_KINDS]; /* ever, at that point */
  tm__knots floats;                  /* up to that point */
} tm__garbage;

/* From the runs of a whole recording, in their order; it starts at `allocated` and `footprint`.
 * 0 or TM_ENOMEM; tm__garbage_free in either case. */
TM_HIDDEN int tm__garbage_learn(tm__garbage *garbage, uint64_t allocated, uint64_t footprint,
                                const tm__found *found, size_t count);
TM_HIDDEN void tm__garbage_free(tm__garbage *garbage);

/* Ever made when so much had been allocated. Never falls. */
TM_HIDDEN uint64_t tm__garbage_made(const tm__garbage *garbage, tm__garbage_kind kind,
                                    uint64_t allocated_bytes);

/*
 * What a minor run there leaves of `there` bytes of YOUNG, when the run before left `left`: half of
 * it, or what was left before, but no more than floats there. 0 after a full run.
 */
TM_HIDDEN uint64_t tm__garbage_left(const tm__garbage *garbage, uint64_t allocated_bytes,
                                    uint64_t there_bytes, uint64_t left_bytes);

#endif
