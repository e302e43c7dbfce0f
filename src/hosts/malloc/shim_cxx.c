/*
 * shim_cxx.c - C++ new and delete, by their mangled names, so that no C++ compiler is needed. The
 * throwing forms call the new handler and throw through libstdc++ when that is in the process; a
 * program without it cannot ask for them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "base/assert.h"
#include "heap/fast.h"
#include "heap/pool.h"

#define SHIM TM_API

/* ---- Out of memory, the C++ way -------------------------------------------------------------- */

typedef void (*handler_fn)(void);
typedef handler_fn (*get_handler_fn)(void);
typedef void (*throw_fn)(void);

/* std::get_new_handler() and std::__throw_bad_alloc(), if libstdc++ is there. */
static handler_fn new_handler(void)
{
  get_handler_fn get;
  *(void **)&get = dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv");
  return get ? get() : NULL;
}

static _Noreturn void throw_bad_alloc(void)
{
  throw_fn raise;
  *(void **)&raise = dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv");
  if (raise)
    raise();
  tm__fatal("out of memory in operator new");
}

static void *allocate(size_t alignment, size_t n)
{
  return alignment <= 16 ? tm__default_malloc(TM_POOL_C, n)
                         : tm__aligned_alloc(&tm__default_heap, TM_POOL_C, alignment, n);
}

TM_SLOW static void *again(size_t alignment, size_t n, bool throwing)
{
  for (;;) {
    handler_fn handler = new_handler();
    if (!handler)
      break;
    handler();
    void *p = allocate(alignment, n);
    if (p)
      return p;
  }
  if (throwing)
    throw_bad_alloc();
  return NULL;
}

static void *new_block(size_t alignment, size_t n, bool throwing)
{
  void *p = allocate(alignment, n);
  return tm_likely(p != NULL) ? p : again(alignment, n, throwing);
}

/* ---- The twenty-two names -------------------------------------------------------------------- */

#define NEW(name) SHIM void *name(size_t n); void *name(size_t n) { return new_block(16, n, true); }
#define NEW_NOTHROW(name)                                                                          \
  SHIM void *name(size_t n, const void *tag);                                                      \
  void *name(size_t n, const void *tag) { (void)tag; return new_block(16, n, false); }
#define NEW_ALIGNED(name)                                                                          \
  SHIM void *name(size_t n, size_t alignment);                                                     \
  void *name(size_t n, size_t alignment) { return new_block(alignment, n, true); }
#define NEW_ALIGNED_NOTHROW(name)                                                                  \
  SHIM void *name(size_t n, size_t alignment, const void *tag);                                    \
  void *name(size_t n, size_t alignment, const void *tag)                                          \
  { (void)tag; return new_block(alignment, n, false); }

#define DELETE(name) SHIM void name(void *p); void name(void *p) { free(p); }
#define DELETE_2(name)                                                                             \
  SHIM void name(void *p, size_t a);                                                               \
  void name(void *p, size_t a) { (void)a; free(p); }
#define DELETE_3(name)                                                                             \
  SHIM void name(void *p, size_t a, size_t b);                                                     \
  void name(void *p, size_t a, size_t b) { (void)a; (void)b; free(p); }

NEW(_Znwm)                                     /* operator new(size_t) */
NEW(_Znam)                                     /* operator new[](size_t) */
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)
DELETE(_ZdlPv)                                 /* operator delete(void *) */
DELETE(_ZdaPv)                                 /* operator delete[](void *) */
DELETE_2(_ZdlPvm)                              /* with the size */
DELETE_2(_ZdaPvm)
DELETE_2(_ZdlPvSt11align_val_t)                /* with the alignment */
DELETE_2(_ZdaPvSt11align_val_t)
DELETE_2(_ZdlPvRKSt9nothrow_t)
DELETE_2(_ZdaPvRKSt9nothrow_t)
DELETE_3(_ZdlPvmSt11align_val_t)               /* with both */
DELETE_3(_ZdaPvmSt11align_val_t)
DELETE_3(_ZdlPvSt11align_val_tRKSt9nothrow_t)
DELETE_3(_ZdaPvSt11align_val_tRKSt9nothrow_t)
