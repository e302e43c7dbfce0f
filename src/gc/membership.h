/*
 * membership.h - one heap's place in a group: joining, telling and reading, leaving. What it tells
 * comes from the engine's state and from numbers of the caller's; it never sees a heap.
 *
 * Threads: `busy` is a lock that a refresh only tries: who finds it taken uses the part of the last
 * one. Joining and leaving wait for it, and are one at a time in the whole process. No other lock
 * is taken under either, so a forked child just forgets them.
 */
#ifndef TM_GC_MEMBERSHIP_H
#define TM_GC_MEMBERSHIP_H

#include "base/atomics.h"
#include "base/os.h"
#include "gc/group_file.h"
#include "gc/group_scan.h"

#define TM__GROUP_TICK_NS UINT64_C(100000000) /* between two looks that nobody asked for */

typedef struct tm__membership {
  _Atomic(bool) joined;
  _Atomic(bool) busy;
  tm__counter next_ns;        /* when a tick is due */
  tm__counter headroom_bytes; /* of the last refresh; 0 = in no group */
  tm__counter applied_bytes;  /* what the trips were set from */

  /* guarded by busy */
  tm__group_place place;
  struct tm__membership_memory *memory; /* peers, and room for a scan: own mapping */
  struct tm__membership *next;          /* of the process: guarded by the lock of joining */
  tm__process_id me;
  int pid;
  int slot; /* -1 = none: a child that has not claimed one yet */
  uint64_t refreshed_ns, claim_ns;
  uint64_t live_bytes; /* L that was told last */
  tm_group_info info;
} tm__membership;

/* As tm_group_join; `state` and `now_ns` are the engine's. */
TM_HIDDEN int tm__membership_join(tm__membership *m, const char *name, uint64_t budget_bytes,
                                  const tm_policy_state *state, uint64_t now_ns);
/* 0, or TM_EINVAL iff it has not joined. */
TM_HIDDEN int tm__membership_leave(tm__membership *m);

/* What a member tells. */
typedef struct tm__membership_news {
  const tm_policy_state *state;
  uint64_t footprint_bytes, soft_limit_bytes, now_ns;
} tm__membership_news;

/* Writes the own line, reads the others', and returns the own part: at least 1; 0 iff it has not
 * joined or has no line: then the policy SHARED paces as GROWTH does. At most once per millisecond
 * unless L has moved. A forked child claims its line here; while none is free it asks once a
 * second. */
TM_HIDDEN uint64_t tm__membership_refresh(tm__membership *m, const tm__membership_news *news);

/* Is it in a group? One load. */
TM_INLINE bool tm__membership_joined(const tm__membership *m)
{
  return atomic_load_explicit(&m->joined, memory_order_acquire);
}
/* In a group, and time for a look that nobody asked for? */
TM_INLINE bool tm__membership_due(const tm__membership *m, uint64_t now_ns)
{
  return tm__membership_joined(m) && now_ns >= tm__counter_read(&m->next_ns);
}
/* Has the part moved so far from what the trips were set from that they should be set again? */
TM_HIDDEN bool tm__membership_moved(const tm__membership *m);

/* As tm_group_get; *info is whole. false iff it has not joined. */
TM_HIDDEN bool tm__membership_info(const tm__membership *m, tm_group_info *info);

/* In a forked child, for each: no line, no lock. */
TM_HIDDEN void tm__membership_fork_child(tm__membership *m);

#endif
