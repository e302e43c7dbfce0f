/*
 * trimmer.h - the safe point of programs that have none, and their memory's way back.
 *
 * A deferred heap only acts in tm_poll, and a plain C program never calls it. Free memory goes back
 * to the system while a program allocates; one that has grown and then sits idle would keep it.
 * Where limits or a policy were asked for, the first crossing starts a thread that sees to both:
 * the built-in trim and the decay of dirty memory may run on any thread.
 *
 * No crossing, no thread; it holds no descriptor and takes no signal. With nothing to give back it
 * wakes every ten seconds, because a free that makes memory dirty tells nobody.
 */
#ifndef TM_HOSTS_MALLOC_TRIMMER_H
#define TM_HOSTS_MALLOC_TRIMMER_H

#include <tidemark/gc.h>

#include "base/hints.h"

/* Takes heap's notify. Once per process, before the program has threads. */
TM_HIDDEN void tm__trimmer_install(tm_heap *heap);

/* In a forked child the thread is not there: the next crossing starts another. */
TM_HIDDEN void tm__trimmer_forget(void);

#endif
