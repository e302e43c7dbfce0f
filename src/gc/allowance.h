/* allowance.h - what the control group allows, and the limits of a heap that follow from it. */
#ifndef TM_GC_ALLOWANCE_H
#define TM_GC_ALLOWANCE_H

#include "stats/memcg.h"

#define TM__NO_LIMIT UINT64_MAX

typedef struct tm__allowance {
  int version; /* 2 or 1 */
  /* the tightest from our group up; TM__NO_LIMIT: none */
  uint64_t max_bytes;  /* memory.max, memory.limit_in_bytes */
  uint64_t high_bytes; /* memory.high, memory.soft_limit_in_bytes */
  tm__memcg tightest;  /* whose max it is; without one, our own group */
  tm__memcg own;
} tm__allowance;

/* Reads it; false iff this process is in no control group of memory that can be seen. `root` as for
 * tm__memcg_find. Some small files a level; allocates nothing. */
TM_HIDDEN bool tm__allowance_read(const char *root, tm__allowance *out);

/*
 * The limits that follow: H = hard_percent of max, S = the tighter of high and soft_percent of max;
 * 0: none, and never below 1 MiB, in which no program starts. S <= H where both are. Pure.
 */
TM_HIDDEN void tm__allowance_limits(const tm__allowance *allowance, unsigned soft_percent,
                                    unsigned hard_percent, uint64_t *soft_bytes,
                                    uint64_t *hard_bytes);

#endif
