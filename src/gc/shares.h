/*
 * shares.h - one budget for several heaps: which part of what is not live each may fill.
 *
 *   E_i = (B - sum L) * sqrt(L_i g_i / s_i) / sum_j sqrt(L_j g_j / s_j)
 *   sum E_i == max(B - sum L, 0), to the byte, whoever computes which of them
 *
 * The rule is that of MemBalancer (see policy.c) with the sum given instead of c. Each member can
 * compute its own part from a copy of the table that all have: nobody is in charge.
 */
#ifndef TM_GC_SHARES_H
#define TM_GC_SHARES_H

#include <tidemark/gc.h>

#include "base/hints.h"

/* A member's line: what the policy SHARED has to know of it. */
typedef struct tm__share {
  uint64_t live_bytes;  /* L */
  double growth_rate;   /* g, bytes per second; 0 = not measured yet */
  double collect_speed; /* s, live bytes per collector second; 0 = not measured yet */
} tm__share;

/* The line of a heap, from what its engine remembers. */
TM_HIDDEN tm__share tm__share_of(const tm_policy_state *state);

/*
 * E of member `index` < `count`, in bytes; 0 iff nothing is left or its part is below one byte. A
 * member that was not measured yet gets an even part, (B - sum L) / count; so do all if none was,
 * or nothing is live in any that was. Pure, any thread, O(count), allocates nothing.
 */
TM_HIDDEN uint64_t tm__share_headroom(uint64_t budget_bytes, const tm__share *members, size_t count,
                                      size_t index);

#endif
