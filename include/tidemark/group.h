/*
 * group.h - one memory budget for several heaps: of one process, or of many worker processes.
 *
 * A group is a small file in shared memory with a line for each member. Each member writes how much
 * it must keep, how fast it grows and how fast it collects into its own line, reads the lines of
 * the others, and takes its own part of what the budget leaves:
 *
 *   E_i = (B - SUM L_j) * sqrt(L_i g_i / s_i) / SUM_j sqrt(L_j g_j / s_j)
 *
 * Nobody is in charge and nothing runs beside the members. The line of a process that died expires
 * by its pid and start time; what it had is the others' again in less than 2 s, at their next slow
 * path. A member that crashes or is stopped in the middle of a write harms nobody.
 *
 * A heap is paced by its part iff its policy has TM_POLICY_SHARED; without it the heap is only
 * counted. Policies combine by the smallest trip, so take TM_POLICY_GROWTH out, and
 * TM_POLICY_YIELD, which may postpone a collection beyond the part:
 *
 *   policy.kinds = TM_POLICY_SHARED | TM_POLICY_PRESSURE;
 *   tm_policy_set(heap, &policy);
 *   tm_group_join(heap, "web", 2ull << 30);
 *
 * The budget is a target for the sum of footprints, not a wall: a member acts at its next safe
 * point, and memory that forked processes still share is counted in each of them. Lines are brought
 * up to date on slow paths and in polls, at most every 100 ms, without allocating; malloc and free
 * do not know of groups.
 *
 * A member that has asked for no memory for 10 s sleeps, one that never collected from 2 s on:
 * what it holds is taken off the budget, and the rest of its part is of use to the others until it
 * wakes. One without samples, awake, has an even part.
 *
 * A forked child leaves its parent's line alone and claims one at its first slow path. Where none
 * is free it is paced as by TM_POLICY_GROWTH, and asks again once a second.
 */
#ifndef TIDEMARK_GROUP_H
#define TIDEMARK_GROUP_H

#include <tidemark/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Members of a group at a time. */
enum { TM_GROUP_MEMBERS = 255 };

/*
 * Makes `heap` a member of the group `name`, which is made if it is not there (mode 0600).
 *
 * name: 1 to 48 of A-Z a-z 0-9 . _ -, not starting with a dot: the file is tidemark-NAME in
 * /dev/shm, or in $XDG_RUNTIME_DIR where there is no /dev/shm. An absolute path whose last part is
 * such a name puts it into that directory, which must be a local file system.
 * budget_bytes: above 0; all members give the same. 0 takes that of a group which is there. A file
 * whose members have all died takes a new one.
 *
 * 0, or an error, after which the heap is as it was:
 *   TM_EINVAL   heap is NULL or in a group already, the name or the budget is out of range, or the
 *               budget is 0 and there is no such group
 *   TM_ERANGE   living members have another budget
 *   TM_EBUSY    all lines belong to living members
 *   TM_ENOTSUP  the file is of another version, of another pid namespace, or no group at all
 *   TM_EIO      the file cannot be made or opened, or belongs to somebody else
 *   TM_ENOMEM   the system has no memory for the mapping
 *
 * Any thread; some system calls. The file stays when its last member leaves.
 */
TM_API int tm_group_join(tm_heap *heap, const char *name, uint64_t budget_bytes);

/* Gives the line back at once. 0, TM_EINVAL iff heap is NULL or in no group. Any thread. Closing a
 * heap leaves its group. */
TM_API int tm_group_leave(tm_heap *heap);

/* What a heap knows of its group, as of its last look. tm_group_info_init stamps it. */
typedef struct tm_group_info {
  size_t size;              /* stamped by the caller */
  char name[64];            /* without its directory */
  uint64_t budget_bytes;    /* B */
  uint64_t members;         /* living, this one included */
  uint64_t live_bytes;      /* SUM L; of members that sleep, what they hold */
  uint64_t footprint_bytes; /* SUM U */
  uint64_t share_bytes;     /* E of this heap */
  int is_member;            /* 0: a forked child that found no free line. It tries again */
} tm_group_info;

TM_API void tm_group_info_init(tm_group_info *info);

/* 1 = *info written, 0 = the heap is in no group, TM_EINVAL iff an argument is NULL or not stamped.
 * Any thread; no system call. */
TM_API int tm_group_get(const tm_heap *heap, tm_group_info *info);

/* One member, for who watches. */
typedef struct tm_group_row {
  uint64_t pid;
  uint64_t age_ns;            /* since it wrote last */
  uint64_t live_bytes;        /* L */
  uint64_t footprint_bytes;   /* U */
  uint64_t soft_limit_bytes;  /* S, 0 = none */
  double growth_bytes_per_s;  /* g, 0 = no sample yet */
  double collect_bytes_per_s; /* s, 0 = no sample yet */
  uint64_t share_bytes;       /* E */
} tm_group_row;

/*
 * Reads a group from outside: up to `capacity` rows of living members into rows (which may be NULL
 * when capacity is 0), those last that sleep; *budget_bytes (may be NULL) gets B. Returns how many
 * living members there are, also when rows were too few, or TM_EINVAL iff the name is out of range
 * or there is no such group, TM_ENOTSUP, TM_EIO or TM_ENOMEM as above. Changes nothing. Any thread;
 * opens, maps and unmaps the file, and asks /proc for each member.
 */
TM_API int tm_group_read(const char *name, uint64_t *budget_bytes, tm_group_row *rows,
                         size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
