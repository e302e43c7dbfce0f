/* report.h - what is told at the end: facts, collected without allocating, and their two texts. */
#ifndef TM_HOSTS_MALLOC_REPORT_H
#define TM_HOSTS_MALLOC_REPORT_H

#include <tidemark/gc.h>
#include <tidemark/stats.h>

#include "base/hints.h"

enum { TM__FACTS_POOLS = 8 };

typedef struct tm__facts {
  char command[80]; /* the beginning of the command line; "" = not known */
  uint64_t pid;
  uint64_t elapsed_ns;     /* since the library was loaded */
  uint64_t peak_rss_bytes; /* of the process, as the kernel counted; 0 = not known */
  const char *policy;      /* as asked for; NULL = the default */
  tm_stats stats;
  tm_action_row actions[TM_HOOK_KIND_COUNT];
  tm_pool_row pools[TM__FACTS_POOLS]; /* those with the most live, then allocated, bytes */
  size_t pool_count;                  /* of them */
  size_t pools_left_out;              /* used, but not in `pools` */
} tm__facts;

/* Reads what heap and kernel know now. start_ns is of tm__os_now_ns. Allocates nothing. */
TM_HIDDEN void tm__facts_read(tm__facts *facts, const tm_heap *heap, uint64_t start_ns);

/* Peak resident bytes in the text of /proc/PID/status; 0 iff it is not there. */
TM_HIDDEN uint64_t tm__facts_peak_rss(const char *status);

/* The report for people, a few dozen lines. Buffer rule of tm_stats_json. Pure. */
TM_HIDDEN size_t tm__facts_text(const tm__facts *facts, char *buffer, size_t capacity);

/* The report for scripts: {"command", "pid", "elapsed_seconds", "peak_rss_bytes", "policy", "heap":
 * what tm_stats_json writes}. The same rule. */
TM_HIDDEN size_t tm__facts_json(const tm__facts *facts, const tm_heap *heap, char *buffer,
                                size_t capacity);

#endif
