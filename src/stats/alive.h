/* alive.h - which process a number means: a pid comes again, a pid with its start does not. */
#ifndef TM_STATS_ALIVE_H
#define TM_STATS_ALIVE_H

#include "base/hints.h"

/*
 * A process as one word: its start in clock ticks since boot (40 bits, 348 years) above its pid
 * (24 bits; Linux has 22). Where /proc does not tell, the start is 0. Never 0 as a whole.
 */
typedef uint64_t tm__process_id;
enum { TM__PID_BITS = 24 };

/* This process: two or three system calls; allocates nothing, keeps errno. */
TM_HIDDEN tm__process_id tm__process_self(void);

/* Does it run? Also false for a zombie: its memory is gone. Without a start in the word, or without
 * /proc, the pid alone decides. A few microseconds; allocates nothing, keeps errno. */
TM_HIDDEN bool tm__process_alive(tm__process_id id);

TM_INLINE uint32_t tm__process_pid(tm__process_id id)
{
  return (uint32_t)(id & ((1u << TM__PID_BITS) - 1));
}

/* The state letter and the start in the text of /proc/PID/stat; false iff it is no such text. The
 * name in it may hold blanks, parentheses and digits. Pure. */
TM_HIDDEN bool tm__stat_parse(const char *text, char *state, uint64_t *start_ticks);

/* The inode of the pid namespace: pids of another one mean nothing here. 0 = not known. */
TM_HIDDEN uint64_t tm__pid_namespace(void);

#endif
