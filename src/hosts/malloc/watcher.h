/*
 * watcher.h - the thread that listens to the system on behalf of a program that does not.
 *
 * It waits for what MEMORY_PRESSURE_WATCH names and, when limits come from the control group, for
 * the group's own events; it looks at the limits again now and then. What it hears it posts to the
 * heap; acting on that is the business of the trimmer or of Python's safe points.
 *
 * It has a table of file descriptors of its own: the program does not see its descriptors, cannot
 * close them, and its children do not inherit them. It starts with the first crossing of a trip,
 * because a program that never had 4 MiB has nothing to give, and again so in a forked child.
 */
#ifndef TM_HOSTS_MALLOC_WATCHER_H
#define TM_HOSTS_MALLOC_WATCHER_H

#include <tidemark/pressure.h>

#include "base/hints.h"

typedef struct tm__watcher_wishes {
  tm_heap *heap;
  bool systemd;      /* what MEMORY_PRESSURE_WATCH names */
  tm_limits *limits; /* kept up to date, with the group's events; NULL = none */
  int kept_fd;       /* where reports go, taken along; -1 = nowhere */
  bool speaks;       /* says in a sentence what cannot be watched */
} tm__watcher_wishes;

/* Once per process, before the program has threads. Starts nothing. */
TM_HIDDEN void tm__watcher_set(const tm__watcher_wishes *wishes);

/* From notify: starts the thread unless it was or there is nothing to watch. Any thread; with no
 * lock of ours held. */
TM_HIDDEN void tm__watcher_need(void);

/* In a forked child the thread is not there. A FIFO or a socket stays the parent's alone. */
TM_HIDDEN void tm__watcher_forget(void);

#endif
