/*
 * recorder.h - the watcher that writes a recording (trace.h) to a file while a program runs.
 *
 *   quantum   a sample is taken when the footprint moved by 256 KiB or 1/64 of itself, or after
 *             100 us in which something was allocated; both double with every 16 MiB of file,
 *             so that a file never reaches 256 MiB
 *
 * The recorder's memory is mapped, not allocated. Blocks are written when they are full, or a
 * second old at the next event: that is what a killed program loses. A write that fails, a file
 * that the program closed, or 256 MiB ends the recording with one sentence.
 */
#ifndef TM_GC_RECORDER_H
#define TM_GC_RECORDER_H

#include "gc/engine.h"

/*
 * Starts recording to the file at `path`, whose content is cut. 0; TM_EIO and errno iff it cannot
 * be opened or written, TM_ENOMEM iff there is no memory, TM_EBUSY iff the engine is watched.
 */
TM_HIDDEN int tm__recorder_start(tm__engine *engine, const char *path);
/* Ends it. 0; TM_EINVAL iff nothing is recorded, TM_EIO iff the recording had ended before: not
 * all of it is in the file. */
TM_HIDDEN int tm__recorder_stop(tm__engine *engine);

#endif
