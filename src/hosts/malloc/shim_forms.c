/* shim_forms.c - what is made of one other function of the process; see shim.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "heap/heap.h"
#include "hosts/malloc/shim.h"

/* ---- C --------------------------------------------------------------------------------------- */

/* C23, and what glibc had before; its headers do not name them (any more). */
TM_API void cfree(void *p);
TM_API void free_sized(void *p, size_t n);
TM_API void free_aligned_sized(void *p, size_t alignment, size_t n);

TM_API void *reallocarray(void *p, size_t count, size_t size)
{
  size_t n;
  if (__builtin_mul_overflow(count, size, &n))
    return tm__heap_fail(&tm__default_heap, TM_FAIL_OVERFLOW);
  return realloc(p, n);
}

void cfree(void *p)
{
  free(p);
}

void free_sized(void *p, size_t n)
{
  (void)n;
  free(p);
}

void free_aligned_sized(void *p, size_t alignment, size_t n)
{
  (void)alignment;
  (void)n;
  free(p);
}

/* ---- C++ ------------------------------------------------------------------------------------- */

void *_Znam(size_t n)
{
  return _Znwm(n);
}

void *_ZnamSt11align_val_t(size_t n, size_t alignment)
{
  return _ZnwmSt11align_val_t(n, alignment);
}

void _ZdaPv(void *p)
{
  _ZdlPv(p);
}

void _ZdaPvSt11align_val_t(void *p, size_t alignment)
{
  _ZdlPvSt11align_val_t(p, alignment);
}

#define OWN(name) __attribute__((alias(name)))
OWN("_Znam") extern void *tm__own_new_array(size_t n);
OWN("_ZnamSt11align_val_t") extern void *tm__own_new_aligned_array(size_t n, size_t alignment);
