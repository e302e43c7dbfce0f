/* cgroup.h - the memory limits of the control group that this process is in, version 2 or 1. */
#ifndef TM_MONITOR_CGROUP_H
#define TM_MONITOR_CGROUP_H

#include "base/hints.h"

#define TM__CGROUP_UNKNOWN UINT64_MAX

/* Events that the kernel counts: X(name, its name in memory.events) */
#define TM__CGROUP_EVENTS(X)                                                                       \
  X(low)                                                                                           \
  X(high)                                                                                          \
  X(max)                                                                                           \
  X(oom)                                                                                           \
  X(oom_kill)

#define TM__CGROUP_MEMBER(name) uint64_t name;
typedef struct tm__cgroup {
  uint64_t limit_bytes;   /* the tightest memory.max from here to the root; UNKNOWN: none */
  uint64_t high_bytes;    /* the tightest memory.high; version 1 has no such thing */
  uint64_t current_bytes; /* of the group whose limit it is; without a limit, of our own */
  TM__CGROUP_EVENTS(TM__CGROUP_MEMBER) /* of our own group */
} tm__cgroup;
#undef TM__CGROUP_MEMBER

/* Reads it; what is not there is UNKNOWN. `root` is put before every path: "" except in tests. Some
 * small files; allocates nothing. */
TM_HIDDEN void tm__cgroup_read(const char *root, tm__cgroup *out);

#endif
