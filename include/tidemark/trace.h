/*
 * trace.h - recording what a heap's engine saw and did, for `tidemark replay`.
 *
 * A recording has the footprint and the bytes allocated over time, each action with its cost and
 * what it freed, and every change of limits, policy, hooks and pressure. With it one can ask what
 * another policy would have done to the same program: see docs/replay.md. `tidemark run --record
 * FILE` makes one of a program that is not changed; these functions are for embedders.
 *
 * While it runs, requests that have to ask the heap for credit anyway (one in 4 KiB to 1 MiB of
 * allocation) take a sample of some 10 bytes, at most every 100 us or when the footprint moved by
 * 1/64 of itself. Nothing is allocated from any heap. Samples get rarer with every 16 MiB of file;
 * no file is longer than 256 MiB.
 */
#ifndef TIDEMARK_TRACE_H
#define TIDEMARK_TRACE_H

#include <tidemark/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Records `heap` into the file at `path`, whose content is replaced. Start it when the heap is new:
 * what happened before is not known to a replay. The descriptor sits high, is closed by exec, and
 * is checked before each write: a program that closes it or puts another file under its number ends
 * the recording. A write that fails, or a slow pipe, ends it too; one sentence on standard error
 * says so, and the heap goes on as before. A forked child does not record.
 * 0; TM_EINVAL iff an argument is NULL, TM_EBUSY iff the heap is being recorded, TM_EIO and errno
 * iff the file cannot be opened or written, TM_ENOMEM iff there are no 68 KiB for its buffer. Any
 * thread, also inside a hook.
 */
TM_API int tm_trace_start(tm_heap *heap, const char *path);

/*
 * Ends the recording and closes the file; tm_heap_close does it as well. A recording that was not
 * ended (a killed program) lacks at most its last second and can be replayed.
 * 0; TM_EINVAL iff heap is NULL or not being recorded, TM_EIO iff the recording had ended by itself
 * before. Any thread, also inside a hook.
 */
TM_API int tm_trace_stop(tm_heap *heap);

#ifdef __cplusplus
}
#endif
#endif
