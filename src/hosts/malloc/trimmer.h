/*
 * trimmer.h - the safe point of programs that have none.
 *
 * A deferred heap only acts in tm_poll, and a plain C program never calls it. Where limits or a
 * policy were asked for, the first crossing starts a thread that does: the built-in trim may run
 * on any thread. No crossing, no thread; it holds no descriptor and takes no signal.
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
