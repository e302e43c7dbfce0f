/*
 * shim.h - what the files of the shim share.
 *
 *   shim.c            malloc, free, ...
 *   shim_cxx.c        new, delete, and both aligned
 *   shim_forms.c      reallocarray, ..., new[], delete[]: each made of one of those
 *   shim_cxx_forms.c  nothrow, sized: made of all of these
 *
 * A program may have its own realloc, or its own new and delete, and counts on the other forms
 * being made of what it has. So a form calls by name, and stands in another file than what it
 * calls: there the compiler cannot know better, and the loader finds the program's.
 */
#ifndef TM_HOSTS_MALLOC_SHIM_H
#define TM_HOSTS_MALLOC_SHIM_H

#include <tidemark/version.h>

#include "base/hints.h"

/* free for what tm__free_fast left: NULL, a block of another thread, one of the C library. */
TM_HIDDEN void tm__shim_free_slow(void *p);
/* NULL with EINVAL iff alignment is no power of two up to 1 GiB, with ENOMEM iff out of memory. */
TM_HIDDEN void *tm__shim_aligned(size_t alignment, size_t n);

/* A function of the C++ library, wherever it was loaded to: a C program that opens a C++ plugin
 * has it out of the reach of dlsym. NULL iff there is none. */
TM_HIDDEN void *tm__cxx_library(const char *name);

TM_API void *_Znwm(size_t n);                                  /* new */
TM_API void *_Znam(size_t n);                                  /* new[] */
TM_API void *_ZnwmSt11align_val_t(size_t n, size_t alignment); /* new, aligned */
TM_API void *_ZnamSt11align_val_t(size_t n, size_t alignment);
TM_API void _ZdlPv(void *p);                                  /* delete */
TM_API void _ZdaPv(void *p);                                  /* delete[] */
TM_API void _ZdlPvSt11align_val_t(void *p, size_t alignment); /* delete, aligned */
TM_API void _ZdaPvSt11align_val_t(void *p, size_t alignment);

/* Our own new and new[], whatever the program has. */
TM_HIDDEN void *tm__own_new(size_t n);
TM_HIDDEN void *tm__own_new_array(size_t n);
TM_HIDDEN void *tm__own_new_aligned(size_t n, size_t alignment);
TM_HIDDEN void *tm__own_new_aligned_array(size_t n, size_t alignment);

#endif
