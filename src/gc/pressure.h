/*
 * pressure.h - one source of memory pressure, as its kinds' files see it.
 *
 *   pressure.c           life, fork, the public functions
 *   pressure_systemd.c   what MEMORY_PRESSURE_WATCH names: FIFO, socket, PSI file
 *   pressure_psi.c       PSI files and what their numbers mean
 *   pressure_group.c     events of control groups, version 2 and 1
 */
#ifndef TM_GC_PRESSURE_H
#define TM_GC_PRESSURE_H

#include <sys/types.h>
#include <tidemark/pressure.h>

#include "gc/allowance.h"

enum {
  TM__WATCH_FDS = 5,     /* descriptors of one watch, at most */
  TM__WATCH_WRITE = 1024 /* bytes of a decoded MEMORY_PRESSURE_WRITE, at most */
};

/* What the kernel counts in memory.events. */
typedef struct tm__memcg_counts {
  uint64_t low, high, max, oom;
} tm__memcg_counts;

struct tm_pressure_watch {
  tm_watch_kind kind;
  tm_pressure_options options;
  pid_t pid;                             /* who opened it */
  int fd;                                /* the one to wait for; one of fds */
  short events;                          /* of poll(2) */
  int fds[TM__WATCH_FDS];                /* all that is open, -1 = none */
  int (*read)(tm_pressure_watch *watch); /* as tm_pressure_read, without posting */

  bool is_fifo;                /* end of file is no end: another writer may come */
  uint64_t stalled_us;         /* PSI: total when it was read last */
  tm__memcg_counts counts;     /* EVENTS: likewise */
  size_t echo_at, echo_length; /* of `written`, what a FIFO gives back to us */
  uint64_t limit_bytes;        /* USAGE: what the thresholds were set from */
  char path[TM__MEMCG_PATH];   /* of the file; of the group's folder */
  char why[256];               /* the last failure, for people */
  char written[TM__WATCH_WRITE];

  bool apart;                         /* its descriptors are in a table that a fork does not copy */
  tm_pressure_watch *next, *previous; /* all that a forked child must close */
};

/* As tm_pressure_open, but for a thread with a table of descriptors of its own: a forked child has
 * none of them, and closing their numbers would hit what is the program's. */
TM_HIDDEN int tm__pressure_open_apart(tm_watch_kind kind, const tm_pressure_options *options,
                                      tm_pressure_watch **out, char *why, size_t capacity);

/* Fill a watch whose kind, options and fds (all -1) are set: descriptors, fd, events, read. On
 * failure why is set; the caller closes. As tm_pressure_open. */
TM_HIDDEN int tm__watch_systemd(tm_pressure_watch *watch);
TM_HIDDEN int tm__watch_psi(tm_pressure_watch *watch);
TM_HIDDEN int tm__watch_events(tm_pressure_watch *watch);
TM_HIDDEN int tm__watch_level(tm_pressure_watch *watch);
TM_HIDDEN int tm__watch_usage(tm_pressure_watch *watch);

/* true iff MEMORY_PRESSURE_WATCH names something to watch: it is set and not /dev/null. */
TM_HIDDEN bool tm__pressure_is_asked(void);
/* true iff several processes may watch what it names, each for itself: not a FIFO or a socket,
 * whose every event goes to one reader. */
TM_HIDDEN bool tm__pressure_is_shared(void);

/* Sets why to "PATH: SENTENCE (errno)" and returns TM_ENOTSUP if the errno says that nothing is
 * there, else TM_EIO. */
TM_HIDDEN int tm__watch_failed(tm_pressure_watch *watch, const char *what, int error);
/* Puts a descriptor into fds; the descriptor. */
TM_HIDDEN int tm__watch_keep(tm_pressure_watch *watch, int fd);

/* Base64 with or without padding; the bytes, or -1 iff it is not that or does not fit. Pure. */
TM_HIDDEN ssize_t tm__base64_read(const char *text, char *out, size_t capacity);

/* A PSI file that is open: the level of an event, by its numbers. NONE iff no task waited since it
 * was read last; options.level iff it is not PSI's; TM_EIO iff it cannot be read any more. */
TM_HIDDEN int tm__psi_read(tm_pressure_watch *watch);

/* What a PSI file says, as its text; false iff it is none. Averages in hundredths of a percent.
 * Pure. */
typedef struct tm__psi {
  uint64_t some_avg10, full_avg10, some_total_us;
} tm__psi;
TM_HIDDEN bool tm__psi_parse(const char *text, tm__psi *out);
TM_HIDDEN tm_pressure tm__psi_level(const tm__psi *psi);

/* Pure. What the counts say that are new in `now`. */
TM_HIDDEN tm_pressure tm__events_level(const tm__memcg_counts *before, const tm__memcg_counts *now);
/* Pure. Where a use of `used` of `limit` bytes stands. */
TM_HIDDEN tm_pressure tm__usage_level(uint64_t used, uint64_t limit);

#endif
