/*
 * host.h - an unmodified CPython, 3.8 to 3.13, whose collector listens to bytes.
 *
 *   domains.c    raw, mem and obj blocks come from the default heap
 *   life.c       start-up, finalize, fork: when may Python be called at all
 *   ask.c        the engine's notify -> a request -> a pending call or the collector thread
 *   collector.c  the thread that steps in when the main thread is away
 *   hooks.c      what is done at a safe point: gc.collect, and the count-based trigger stretched
 *   frames.c     Python's functions in the stacks of a heap profile
 *   displaced.c  noticing, and saying once, that something undid the take-over
 *   takeover.c   tidemark/python.h: for embedding programs and for the module
 *   events.c     the log, told to Python at safe points
 *   finder.c     `import tidemark` under `tidemark run`
 *
 * Life of the process:
 *
 *   ABSENT -install-> START -first mem block once initialised-> READY -interpreter ends-> START
 *                       ^                                          |
 *                       +------------- in a forked child ----------+
 */
#ifndef TM_HOSTS_CPYTHON_HOST_H
#define TM_HOSTS_CPYTHON_HOST_H

#include "base/hints.h"

/*
 * For the preload library's constructor. Takes over Python's three domains and registers minor and
 * full collection with the default heap. false iff this process has no Python, or one that already
 * runs. A few microseconds; allocates nothing; calls nothing of Python but the allocator setters.
 * Call it after the heap registered its own fork handlers.
 */
TM_HIDDEN bool tm__cpython_install(void);

/* The package `tidemark` stands beside the library that this is in: let it be imported. Before the
 * first safe point. */
TM_HIDDEN void tm__cpython_finder_offer(void);

/* For a process with a heap profile: stacks get Python's own frames where the interpreter is known
 * well enough (3.11), and at_end is called when the program has ended, before the interpreter takes
 * its objects apart. */
TM_HIDDEN void tm__cpython_profile(void (*at_end)(void));

#endif
