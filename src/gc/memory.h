/* memory.h - how much memory this process may have: what "75%" is a part of. */
#ifndef TM_GC_MEMORY_H
#define TM_GC_MEMORY_H

#include "base/hints.h"

/*
 * The tightest of the physical memory and the memory limits of this process's control groups and
 * of all their ancestors, version 2 and 1; bytes. 0 iff none could be read. `root` is put before
 * the paths of /proc and /sys: "" for the real ones, another directory for tests.
 */
TM_HIDDEN uint64_t tm__memory_whole(const char *root);

/*
 * A limit as people write it: what tm__size_parse reads, or a percentage above 0 and up to 100,
 * with at most one decimal point, of `whole_bytes`.
 * 0 and *bytes; TM_EINVAL iff it is neither, TM_ERANGE iff the result is above INT64_MAX; *bytes is
 * untouched on error.
 */
TM_HIDDEN int tm__limit_parse(const char *text, uint64_t whole_bytes, uint64_t *bytes);

#endif
