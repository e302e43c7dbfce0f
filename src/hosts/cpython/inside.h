/* inside.h - what the files of this host share. See host.h for the map. */
#ifndef TM_HOSTS_CPYTHON_INSIDE_H
#define TM_HOSTS_CPYTHON_INSIDE_H

#include <tidemark/tidemark.h>

#include "base/hints.h"

/* ---- domains.c ------------------------------------------------------------------------------ */

/* Puts our functions under the three domains (under two where objects need another allocator),
 * with the arrival watch in place. The functions found there serve what we do not own. */
TM_HIDDEN void tm__cpython_domains_take(void);
/* The arrival watch: the next mem block calls tm__cpython_arrived. Set and lifted only where our
 * own functions stand, so that a wrapper (tracemalloc) is never cut out. true iff they stand. */
TM_HIDDEN bool tm__cpython_watch_set(bool on);
/* true iff our functions are the ones that Python calls first. */
TM_HIDDEN bool tm__cpython_on_top(void);
/* true iff object blocks are ours as well: not in an interpreter without a GIL. */
TM_HIDDEN bool tm__cpython_takes_obj(void);

/* ---- life.c --------------------------------------------------------------------------------- */

/* Called at the entry of a mem request, with the GIL held, while the watch is on. */
TM_HIDDEN void tm__cpython_arrived(void);
/* May Python be called from now on, by who holds the GIL? */
TM_HIDDEN bool tm__cpython_ready(void);
/* Something else took our place before we ever arrived: true iff Python can be called anyway. */
TM_HIDDEN bool tm__cpython_arrived_displaced(void);
/* The take-over was done in this process. */
TM_HIDDEN bool tm__cpython_installed(void);
/* READY was ever reached in this process. */
TM_HIDDEN bool tm__cpython_was_ready(void);
/* Ties the end of the interpreter to ours: needs the GIL and an interpreter at work. */
TM_HIDDEN bool tm__cpython_bind_end(void);

/* The take-over of an interpreter that runs: READY at once. After tm__cpython_hooks_prepare, with
 * the GIL held. */
TM_HIDDEN void tm__cpython_join(void);

/* ---- ask.c ---------------------------------------------------------------------------------- */

TM_HIDDEN void tm__cpython_notify(void *ctx, tm_heap *heap);
/* Asks for a safe point, with the GIL held and outside of any allocation. */
TM_HIDDEN void tm__cpython_ask(void);
/* A request waits. */
TM_HIDDEN bool tm__cpython_asked(void);
/* The safe point: runs what is due. With the GIL held. */
TM_HIDDEN void tm__cpython_serve(void);
/* Nothing is asked any more: in a forked child, which inherits Python's queue, and when an
 * interpreter ends, which takes the queue with it. */
TM_HIDDEN void tm__cpython_ask_reset(bool queue_is_gone);

/* ---- collector.c ---------------------------------------------------------------------------- */

/* A request was made: lets the thread watch it, which is started if there are other threads. */
TM_HIDDEN void tm__cpython_collector_wake(void);
/* The main thread served a request itself. */
TM_HIDDEN void tm__cpython_collector_main_is_back(void);
/* Ends the thread unless it is inside Python; true iff there is none afterwards. */
TM_HIDDEN bool tm__cpython_collector_stop(void);
/* The interpreter ends, the GIL is held: the thread leaves Python for good. */
TM_HIDDEN void tm__cpython_collector_expel(void);
/* There is no thread: at the start, and again in a forked child. */
TM_HIDDEN void tm__cpython_collector_init(void);

/* ---- hooks.c -------------------------------------------------------------------------------- */

/* Registers the hooks; calls nothing of Python. */
TM_HIDDEN void tm__cpython_hooks_add(void);
/* With the GIL held, at each safe point: fetches the functions of gc once. false: there is none. */
TM_HIDDEN bool tm__cpython_hooks_prepare(void);
/* Stretches the count-based trigger once, or puts it back where we see only half of the bytes.
 * What the program set itself is left alone. */
TM_HIDDEN void tm__cpython_thresholds_keep(bool displaced);
/* The take-over came into a running program: thresholds that it set itself are left alone. */
TM_HIDDEN void tm__cpython_thresholds_found(void);
/* Whether Python's own trigger stays as it is, see tm_python_mode. */
TM_HIDDEN void tm__cpython_assist_set(bool on);
TM_HIDDEN bool tm__cpython_assists(void);
/* The interpreter ends: lets go of its objects. */
TM_HIDDEN void tm__cpython_hooks_drop(void);

/* ---- events.c ------------------------------------------------------------------------------- */

/* At a safe point, with the GIL held: tells of what the log has since the last time. */
TM_HIDDEN void tm__cpython_events_deliver(void);
/* In a forked child. */
TM_HIDDEN void tm__cpython_events_forked(void);

/* ---- finder.c ------------------------------------------------------------------------------- */

/* At the first safe point of an interpreter, with the GIL held: `import tidemark` works, where it
 * was offered. */
TM_HIDDEN void tm__cpython_finder_add(void);
/* The interpreter ends; another one starts without it. */
TM_HIDDEN void tm__cpython_finder_drop(void);

/* ---- frames.c ------------------------------------------------------------------------------- */

/* With the GIL held, at each safe point: does what a profile needs, once in an interpreter. */
TM_HIDDEN void tm__cpython_frames_prepare(void);
/* The interpreter ends. */
TM_HIDDEN void tm__cpython_frames_forget(void);

/* ---- displaced.c ---------------------------------------------------------------------------- */

/* With the GIL held, at each safe point: one comparison while all is well. true iff Python's
 * blocks do not come to us any more; said once. */
TM_HIDDEN bool tm__cpython_displaced(void);
/* A forked child does not repeat what its parent may say. */
TM_HIDDEN void tm__cpython_displaced_forget(void);

#endif
