/*
 * python.h - CPython over the default heap: for programs that embed it, and for what runs inside.
 *
 *   Py_PreInitialize(&preconfig);          Python has chosen its allocators, and
 *   tm_python_install();                   the default heap takes their place;
 *   Py_InitializeFromConfig(&config);      from here on collections follow the bytes
 *
 * Nothing of Python is needed to build or to link: its functions are found in the process, and a
 * program without Python gets TM_ENOTSUP. CPython 3.8 to 3.13. What Python then does differently
 * is told in docs/cpython.md; the module `tidemark` (docs/python.md) has all of this for Python.
 *
 * All of it is about the default heap and the main interpreter.
 */
#ifndef TIDEMARK_PYTHON_H
#define TIDEMARK_PYTHON_H

#include <tidemark/gc.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Puts the default heap under Python's raw, mem and obj blocks, and Python's collector under the
 * heap's engine. Call it between Py_PreInitialize and Py_InitializeFromConfig: Python's own choice
 * (PYTHONMALLOC, development mode) is made in the first, the second keeps what it finds. Blocks
 * that exist already go back to where they came from. It stays for the life of the process, also
 * when the interpreter ends and another one starts.
 * TM_OK, also when it was done before; TM_ENOTSUP iff this process has no Python, TM_EBUSY iff it
 * has one that runs (then tm_python_take_over). Before the program has threads. Allocates nothing.
 */
TM_API int tm_python_install(void);

/*
 * The same in an interpreter that runs. Every block that was made before is recognised by its
 * address and given to the allocator that made it. Where that cannot be promised nothing is changed
 * and `why` (may be NULL) gets the reason, cut to `capacity`: 160 bytes are enough.
 * TM_OK, also when it was done before. TM_ENOTSUP iff there is no Python, it is not initialised, or
 * this is not its main interpreter. TM_EBUSY iff something stands around its allocators that knows
 * its blocks by itself: tracemalloc, the debug hooks of PYTHONMALLOC=debug and -X dev, an allocator
 * of the program's own; or iff Python's own allocators were put back in our place. TM_ENOMEM.
 * Mixed families are reported from then on and do not abort, unless TM_MISMATCH says otherwise.
 * With the GIL held; other threads may run.
 */
TM_API int tm_python_take_over(char *why, size_t capacity);

/* 1 iff Python's blocks come from the default heap now, else 0. With the GIL held, or before there
 * is an interpreter. */
TM_API int tm_python_installed(void);

/* A safe point, here and now: runs what is due and tells of it (tm_python_on_event). Does nothing
 * where Python was not taken over. With the GIL held, where a collection may run: not inside an
 * allocation, a destructor or a traverse function. An exception that is set stays set. */
TM_API void tm_python_poll(void);

/* Who collects when containers were made: TM_PYTHON_BYTES stretches Python's own trigger into a
 * safety net, full collections are the engine's; TM_PYTHON_ASSIST leaves it as the interpreter has
 * it, collections on bytes come on top. Thresholds that the program set itself stay in both. */
typedef enum { TM_PYTHON_BYTES, TM_PYTHON_ASSIST } tm_python_mode;

/* Default TM_PYTHON_BYTES. 0, TM_EINVAL iff it is neither. Before there is an interpreter, or with
 * the GIL held. */
TM_API int tm_python_mode_set(tm_python_mode mode);
TM_API tm_python_mode tm_python_mode_get(void);

/*
 * fn is told of every record of the default heap's log that is written from now on, in order, one
 * at a time, at a safe point: with the GIL held, never inside an allocation, in whichever thread
 * serves (the collector thread as well). It may call Python and allocate; what it raises must be
 * handled. Records that were overwritten before the next safe point are counted in record->lost.
 * NULL ends it. In a forked child it goes on. With the GIL held, or before there is an interpreter.
 */
typedef void (*tm_python_event_fn)(void *ctx, const tm_record *record);
TM_API void tm_python_on_event(tm_python_event_fn fn, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
