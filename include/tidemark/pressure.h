/*
 * pressure.h - what the system wants: limits from the control group, and news of memory pressure.
 *
 * A program in a container, or a service under systemd, has its limits outside. Two things make a
 * heap respect them; both are asked for, nothing here happens by itself:
 *
 *   tm_limits *limits;                                 limits from the control group
 *   tm_limits_from_environment(heap, NULL, &limits);   now, and
 *   tm_limits_poll(limits);                            whenever you poll: looks again now and then
 *
 *   tm_pressure_options options;                       pressure, told by a descriptor
 *   tm_pressure_options_init(&options);
 *   options.heap = heap;
 *   tm_pressure_open(TM_WATCH_SYSTEMD, &options, &watch, why, sizeof why);
 *   ... poll tm_pressure_fd(watch) for tm_pressure_events(watch) ...
 *   tm_pressure_read(watch);                           posts it to the heap
 *
 * Nothing here allocates from a heap or from malloc: each object is a mapping of its own. An object
 * belongs to one thread at a time, except where said; heaps outlive what refers to them.
 *
 * After fork the child's watches are closed (their descriptors would share events with the
 * parent's); limits go on in the child as they were, and can be polled there.
 */
#ifndef TIDEMARK_PRESSURE_H
#define TIDEMARK_PRESSURE_H

#include <tidemark/gc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Limits from the environment ------------------------------------------------------------ */

typedef struct tm_limits tm_limits;

/* Fill it with tm_limits_options_init, change what you need. */
typedef struct tm_limits_options {
  size_t size;           /* of this struct, stamped by tm_limits_options_init */
  const char *root;      /* put before /proc and the mount points: for tests. Copied, at most 511
                            bytes. Default "" */
  unsigned hard_percent; /* H, of the group's maximum: 1 to 100. The rest is for what is not in the
                            heap: code, stacks, page cache. Default 90 */
  unsigned soft_percent; /* S, of the maximum: 1 to hard_percent. Default 75 */
  uint64_t interval_ms;  /* between two looks of tm_limits_poll, 100 to 3,600,000. Default 10000 */
} tm_limits_options;

TM_API void tm_limits_options_init(tm_limits_options *options);

/*
 * Takes limits from the control group from now on, version 2 or 1:
 *
 *   H = 90 % of memory.max (memory.limit_in_bytes)
 *   S = the tighter of memory.high (memory.soft_limit_in_bytes) and 75 % of the maximum
 *
 * each at the tightest ancestor; "max" and numbers of 2^62 and more mean none. They stand beside
 * the limits of tm_limit_set, before or after: of both the tighter one is in force, so that a limit
 * that was set is never loosened, and comes back when the group's goes. Each change is a record
 * of the log (TM_LIMITS_CHANGED); tm_stats has both as environment_*_bytes.
 * Found by /proc/self/cgroup and /proc/self/mountinfo.
 * 0 (also while the group has no limit), TM_EINVAL iff heap or out is NULL or an option is out of
 * its range, TM_ENOTSUP iff no control group of memory is in sight, TM_EBUSY iff the heap has such
 * limits already, TM_ENOMEM. Close it before the heap.
 */
TM_API int tm_limits_from_environment(tm_heap *heap, const tm_limits_options *options,
                                      tm_limits **out);

/* Looks again iff the interval is over. 1 = the limits changed and are in force, 0 = they did not,
 * or another thread is looking, TM_EINVAL iff NULL. A look reads some small files (tens of
 * microseconds); other calls read the clock. Any thread. */
TM_API int tm_limits_poll(tm_limits *limits);
/* The same now, whatever the interval. */
TM_API int tm_limits_refresh(tm_limits *limits);

/* What was found. */
typedef struct tm_limits_found {
  int version;         /* of the control groups: 2 or 1 */
  uint64_t max_bytes;  /* tightest maximum, 0 = none */
  uint64_t high_bytes; /* tightest memory.high or soft limit, 0 = none */
  uint64_t soft_bytes; /* S and H that follow, 0 = none */
  uint64_t hard_bytes;
  uint64_t looks_total;   /* times that it was read */
  uint64_t changes_total; /* times that S or H was another */
} tm_limits_found;

/* 0, TM_EINVAL iff an argument is NULL, TM_EBUSY iff another thread is looking. Any thread. */
TM_API int tm_limits_read(tm_limits *limits, tm_limits_found *out);

/* Ends it: the limits of tm_limit_set alone are in force again. 0, TM_EINVAL iff NULL. */
TM_API int tm_limits_close(tm_limits *limits);

/* ---- Sources of pressure -------------------------------------------------------------------- */

/* Where news come from. X(enumerator, name) */
#define TM_WATCHES(X)                                                                              \
  X(TM_WATCH_SYSTEMD, "systemd")                                                                   \
  X(TM_WATCH_PSI, "psi")                                                                           \
  X(TM_WATCH_GROUP_PSI, "group_psi")                                                               \
  X(TM_WATCH_EVENTS, "events")                                                                     \
  X(TM_WATCH_LEVEL, "level")                                                                       \
  X(TM_WATCH_USAGE, "usage")
#define TM__WATCH_ENUM(name, text) name,
/*
 * SYSTEMD    what $MEMORY_PRESSURE_WATCH names: a PSI file, a FIFO, a listening unix stream socket;
 *            $MEMORY_PRESSURE_WRITE (base64) is written to it first. Not set, or /dev/null: off
 * PSI        /proc/pressure/memory, the whole machine
 * GROUP_PSI  memory.pressure of our control group (version 2)
 * EVENTS     memory.events of the tightest ancestor (version 2): low and high tell LOW, max MEDIUM,
 *            oom and oom_kill CRITICAL
 * LEVEL      memory.pressure_level of our group (version 1): low, medium, critical; and its
 *            oom_control, CRITICAL
 * USAGE      thresholds of memory.usage_in_bytes of the tightest ancestor (version 1): LOW from
 *            80 % of its limit, MEDIUM from 90 %, CRITICAL from 95 %; without its inactive file
 *            pages, which the kernel takes first
 *
 * A PSI event is LOW; MEDIUM from 20 % of the last ten seconds in which some task waited for memory
 * or 5 % in which all did; CRITICAL from 20 % in which all did. An event that carries no level (a
 * FIFO's, a socket's, one of a file that is not PSI's) is options.level.
 */
typedef enum { TM_WATCHES(TM__WATCH_ENUM) TM_WATCH_COUNT } tm_watch_kind;
#undef TM__WATCH_ENUM

typedef struct tm_pressure_watch tm_pressure_watch;

/* Fill it with tm_pressure_options_init, change what you need. */
typedef struct tm_pressure_options {
  size_t size;        /* of this struct, stamped by tm_pressure_options_init */
  tm_heap *heap;      /* tm_pressure_read posts to it; NULL: it only returns the level. NULL */
  tm_limits *limits;  /* looked at again with each event, e.g. memory.events. NULL */
  tm_pressure level;  /* of an event that carries none: LOW to CRITICAL. MEDIUM */
  unsigned stall_us;  /* PSI and GROUP_PSI: tell when tasks waited for memory that long, */
  unsigned window_us; /* within a window of this length. Without CAP_SYS_RESOURCE the kernel takes
                         multiples of 2 s only. 150000 of 2000000 */
  const char *root;   /* as in tm_limits_options, but not before MEMORY_PRESSURE_WATCH. "" */
} tm_pressure_options;

TM_API void tm_pressure_options_init(tm_pressure_options *options);

/*
 * Opens a source; NULL options are the defaults. Its descriptors do not block and close on exec.
 * 0, TM_EINVAL iff an argument is out of its range or the variables cannot be used, TM_ENOTSUP iff
 * the source is not there (variable not set or /dev/null, no such file, no control group),
 * TM_EIO iff it is there and the system refused it, TM_ENOMEM. Then *out is NULL and `why` (may be
 * NULL) has the sentence for people.
 */
TM_API int tm_pressure_open(tm_watch_kind kind, const tm_pressure_options *options,
                            tm_pressure_watch **out, char *why, size_t capacity);

/* The descriptor to wait for, and the events of poll(2) to wait for it with: POLLPRI or POLLIN.
 * POLLPRI comes with POLLERR for some of the kernel's files, which means nothing. -1 after fork. */
TM_API int tm_pressure_fd(const tm_pressure_watch *watch);
TM_API int tm_pressure_events(const tm_pressure_watch *watch);

/*
 * Call it when poll reported anything at all of the descriptor. Takes what is there, posts it to
 * options.heap and returns the level: TM_PRESSURE_NONE (nothing came, or nothing that matters) to
 * TM_PRESSURE_CRITICAL. Never waits. TM_EAGAIN: the other side of a FIFO ended, it was opened anew
 * under the same number; register the descriptor again where registering is needed (epoll, libuv).
 * TM_EIO: the source is broken for good, close it; tm_pressure_error has the sentence. A host that
 * does so never spins. TM_EINVAL iff NULL.
 */
TM_API int tm_pressure_read(tm_pressure_watch *watch);

/* Why the last read failed, for people; "" when it did not. Valid until the next read or close. */
TM_API const char *tm_pressure_error(const tm_pressure_watch *watch);

/* The kind's name, "systemd", "psi", ...; NULL iff there is no such kind. */
TM_API const char *tm_watch_name(tm_watch_kind kind);

/* Closes descriptors and gives the memory back. Does nothing for NULL. */
TM_API void tm_pressure_close(tm_pressure_watch *watch);

#ifdef __cplusplus
}
#endif
#endif
