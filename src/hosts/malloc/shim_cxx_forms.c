/* shim_cxx_forms.c - the forms of C++ new and delete that are made of two others; see shim.h. */
#include "heap/fast.h"
#include "hosts/malloc/shim.h"

typedef void *(*nothrow_fn)(size_t n, const void *tag);
typedef void *(*nothrow_aligned_fn)(size_t n, size_t alignment, const void *tag);

/* ---- The nothrow forms of new ---------------------------------------------------------------- */

/* They call the throwing ones and catch, which only C++ can. While those are ours a block comes
 * straight from the heap; else, and to ask the new handler, which may throw, the C++ library's own
 * form is called: it calls the throwing form of the process. */
#define NOTHROW(name, ours)                                                                        \
  TM_API void *name(size_t n, const void *tag);                                                    \
  void *name(size_t n, const void *tag)                                                            \
  {                                                                                                \
    void *p = ours() ? tm__default_malloc(TM_POOL_C, n) : NULL;                                    \
    static _Atomic(void *) found;                                                                  \
    if (tm_unlikely(!p && !found))                                                                 \
      found = tm__cxx_library(#name);                                                              \
    nothrow_fn form;                                                                               \
    *(void **)&form = found;                                                                       \
    return tm_likely(p != NULL) || !form ? p : form(n, tag);                                       \
  }
#define NOTHROW_ALIGNED(name, ours)                                                                \
  TM_API void *name(size_t n, size_t alignment, const void *tag);                                  \
  void *name(size_t n, size_t alignment, const void *tag)                                          \
  {                                                                                                \
    void *p = ours() ? tm__shim_aligned(alignment, n) : NULL;                                      \
    static _Atomic(void *) found;                                                                  \
    if (tm_unlikely(!p && !found))                                                                 \
      found = tm__cxx_library(#name);                                                              \
    nothrow_aligned_fn form;                                                                       \
    *(void **)&form = found;                                                                       \
    return tm_likely(p != NULL) || !form ? p : form(n, alignment, tag);                            \
  }

/* The compiler takes two names for two functions and would answer by itself. */
static bool same(uintptr_t a, uintptr_t b)
{
  __asm__("" : "+r"(a));
  return a == b;
}

static bool new_is_ours(void)
{
  return same((uintptr_t)_Znwm, (uintptr_t)tm__own_new);
}

static bool new_array_is_ours(void)
{
  return new_is_ours() && same((uintptr_t)_Znam, (uintptr_t)tm__own_new_array);
}

static bool new_aligned_is_ours(void)
{
  return same((uintptr_t)_ZnwmSt11align_val_t, (uintptr_t)tm__own_new_aligned);
}

static bool new_aligned_array_is_ours(void)
{
  return new_aligned_is_ours() &&
         same((uintptr_t)_ZnamSt11align_val_t, (uintptr_t)tm__own_new_aligned_array);
}

NOTHROW(_ZnwmRKSt9nothrow_t, new_is_ours)
NOTHROW(_ZnamRKSt9nothrow_t, new_array_is_ours)
NOTHROW_ALIGNED(_ZnwmSt11align_val_tRKSt9nothrow_t, new_aligned_is_ours)
NOTHROW_ALIGNED(_ZnamSt11align_val_tRKSt9nothrow_t, new_aligned_array_is_ours)

/* ---- Delete with a size, an alignment, a tag ------------------------------------------------- */

#define DELETE(name, call)                                                                         \
  TM_API void name(void *p, size_t size_or_tag);                                                   \
  void name(void *p, size_t size_or_tag)                                                           \
  {                                                                                                \
    (void)size_or_tag;                                                                             \
    call(p);                                                                                       \
  }
#define DELETE_SIZED_ALIGNED(name, call)                                                           \
  TM_API void name(void *p, size_t n, size_t alignment);                                           \
  void name(void *p, size_t n, size_t alignment)                                                   \
  {                                                                                                \
    (void)n;                                                                                       \
    call(p, alignment);                                                                            \
  }
#define DELETE_ALIGNED_NOTHROW(name, call)                                                         \
  TM_API void name(void *p, size_t alignment, const void *tag);                                    \
  void name(void *p, size_t alignment, const void *tag)                                            \
  {                                                                                                \
    (void)tag;                                                                                     \
    call(p, alignment);                                                                            \
  }

DELETE(_ZdlPvm, _ZdlPv)
DELETE(_ZdaPvm, _ZdaPv)
DELETE(_ZdlPvRKSt9nothrow_t, _ZdlPv)
DELETE(_ZdaPvRKSt9nothrow_t, _ZdaPv)
DELETE_SIZED_ALIGNED(_ZdlPvmSt11align_val_t, _ZdlPvSt11align_val_t)
DELETE_SIZED_ALIGNED(_ZdaPvmSt11align_val_t, _ZdaPvSt11align_val_t)
DELETE_ALIGNED_NOTHROW(_ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdlPvSt11align_val_t)
DELETE_ALIGNED_NOTHROW(_ZdaPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_t)
