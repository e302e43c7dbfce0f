/*
 * shim_cxx.c - C++ new and delete, by their mangled names, so that no C++ compiler is needed. What
 * is made in C++ only, throwing, is left to the C++ library. The other forms: shim.h.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "base/assert.h"
#include "heap/fast.h"
#include "hosts/malloc/image.h"
#include "hosts/malloc/shim.h"

void *tm__cxx_library(const char *name)
{
  tm__image image;
  if (!tm__image_with("_ZSt17__throw_bad_allocv", &image))
    return NULL;
  const ElfW(Sym) *symbol = tm__image_symbol(&image, name);
  return symbol ? tm__image_address(&image, symbol) : NULL;
}

/* ---- Out of memory, the C++ way -------------------------------------------------------------- */

typedef void (*handler_fn)(void);
typedef handler_fn (*get_handler_fn)(void);
typedef void (*throw_fn)(void);

static handler_fn new_handler(void)
{
  get_handler_fn get;
  *(void **)&get = tm__cxx_library("_ZSt15get_new_handlerv");
  return get ? get() : NULL;
}

static _Noreturn void throw_bad_alloc(void)
{
  throw_fn raise;
  *(void **)&raise = tm__cxx_library("_ZSt17__throw_bad_allocv");
  if (raise)
    raise();
  tm__fatal("out of memory in operator new");
}

static void *allocate(size_t alignment, size_t n)
{
  return alignment == 16 ? tm__default_malloc(TM_POOL_C, n) : tm__shim_aligned(alignment, n);
}

TM_SLOW static void *try_again(size_t alignment, size_t n)
{
  handler_fn handler;
  while ((handler = new_handler()) != NULL) {
    handler();
    void *p = allocate(alignment, n);
    if (p)
      return p;
  }
  throw_bad_alloc();
}

static void *new_block(size_t alignment, size_t n)
{
  void *p = allocate(alignment, n);
  return tm_likely(p != NULL) ? p : try_again(alignment, n);
}

/* ---- The four that the others are made of ---------------------------------------------------- */

void *_Znwm(size_t n)
{
  return new_block(16, n);
}

void *_ZnwmSt11align_val_t(size_t n, size_t alignment)
{
  return new_block(alignment > 16 ? alignment : 16, n);
}

/* Not by the name free: a program with its own malloc still gets its new from us. */
static void release(void *p)
{
  if (tm_unlikely(!tm__free_fast(tm__self, TM_POOL_C, p)))
    tm__shim_free_slow(p);
}

void _ZdlPv(void *p)
{
  release(p);
}

void _ZdlPvSt11align_val_t(void *p, size_t alignment)
{
  (void)alignment;
  release(p);
}

/* ---- The same by names that nobody can replace ----------------------------------------------- */

#define OWN(name) __attribute__((alias(name)))
OWN("_Znwm") extern void *tm__own_new(size_t n);
OWN("_ZnwmSt11align_val_t") extern void *tm__own_new_aligned(size_t n, size_t alignment);
