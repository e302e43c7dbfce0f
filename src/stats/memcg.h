/*
 * memcg.h - which folder shows the control group that this process is in.
 *
 *   /proc/self/cgroup     0::/a/b            our group, from the root of our namespace
 *   /proc/self/mountinfo  ... /a /sys/fs/cgroup ... - cgroup2
 *                                            what of the hierarchy is mounted where
 *
 *   our folder = mount point + (our group without the mount's root)
 *
 * A container may see only a part: the mount's root is then a group of its own, or lies above the
 * namespace ("/../.."), so that the names on the way to us are not known and only ancestors can be
 * seen. A mount that shows neither us nor an ancestor is not ours and is left out.
 */
#ifndef TM_STATS_MEMCG_H
#define TM_STATS_MEMCG_H

#include "base/hints.h"

enum { TM__MEMCG_PATH = 1024 };

/* A group whose files can be read: ours, or the nearest ancestor that is there. */
typedef struct tm__memcg {
  int version;                 /* 2 or 1 */
  size_t top;                  /* length of the part of folder that is the topmost group in sight */
  char folder[TM__MEMCG_PATH]; /* without a slash at its end */
} tm__memcg;

/* Finds it: version 2, or version 1's memory hierarchy. `root` is put before every path: "" for the
 * real ones. false iff there is none, or a path is too long. Reads two files, allocates nothing. */
TM_HIDDEN bool tm__memcg_find(const char *root, int version, tm__memcg *out);

/* To the parent; false iff this is the topmost one in sight. */
TM_HIDDEN bool tm__memcg_up(tm__memcg *group);

/* The name of a file of the group; false iff it is too long. */
TM_HIDDEN bool tm__memcg_file(const tm__memcg *group, const char *name, char *path,
                              size_t capacity);

/* As tm__file_read, of a file of the group. */
TM_HIDDEN size_t tm__memcg_read(const tm__memcg *group, const char *name, char *buffer,
                                size_t capacity);

/* The one number in a file of the group. UINT64_MAX: none, which is what "max" says, a number that
 * is as good as none (2^62 and more), a file that is not there, or holds anything else. */
TM_HIDDEN uint64_t tm__memcg_number(const tm__memcg *group, const char *name);

/* The number behind `key` at the start of a line of text, or UINT64_MAX. Pure. */
TM_HIDDEN uint64_t tm__memcg_value(const char *text, const char *key);

#endif
