/*
 * domains.c - Python's raw, mem and obj blocks come from the default heap.
 *
 * The functions do not look at ctx: some interpreters swap the table without a lock, and a call may
 * pair our function with another's ctx. A block that is not ours was made before the take-over, or
 * while something else stood in our place: it goes back to the allocator that we found there.
 */
#include <string.h>

#include "heap/fast.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

enum { DOMAINS = PYMEM_DOMAIN_OBJ + 1 };

static PyMemAllocatorEx found[DOMAINS]; /* what stood there before us */

/* ---- Blocks that are not ours --------------------------------------------------------------- */

/* Python's own allocator takes what is large from the raw domain, which is ours by now: a small
 * block that grows comes back as a raw one of ours. It will be freed as what it was: it becomes
 * that. */
static TM_SLOW void *realloc_foreign(PyMemAllocatorDomain domain, unsigned pool, void *p, size_t n)
{
  void *grown = found[domain].realloc(found[domain].ctx, p, n);
  if (!grown || pool == TM_RAW || !tm__inside(grown))
    return grown;
  void *moved = tm__default_malloc(pool, n);
  if (!moved)
    return grown; /* its free will be reported: better than to lose what p had */
  memcpy(moved, grown, n);
  tm__default_free(TM_RAW, grown);
  return moved;
}

static TM_SLOW void free_foreign(PyMemAllocatorDomain domain, void *p)
{
  if (p)
    found[domain].free(found[domain].ctx, p);
}

/* ---- The domains: each call is the heap's own fast path ------------------------------------- */

#define DOMAIN(name, domain, pool)                                                                 \
  static void *name##_malloc(void *ctx, size_t n)                                                  \
  {                                                                                                \
    (void)ctx;                                                                                     \
    return tm__default_malloc(pool, n);                                                            \
  }                                                                                                \
  static void *name##_calloc(void *ctx, size_t count, size_t size)                                 \
  {                                                                                                \
    (void)ctx;                                                                                     \
    return tm__default_calloc(pool, count, size);                                                  \
  }                                                                                                \
  static void *name##_realloc(void *ctx, void *p, size_t n)                                        \
  {                                                                                                \
    (void)ctx;                                                                                     \
    if (tm_likely(!p || tm__inside(p)))                                                            \
      return tm__default_realloc(pool, p, n);                                                      \
    return realloc_foreign(domain, pool, p, n);                                                    \
  }                                                                                                \
  static void name##_free(void *ctx, void *p)                                                      \
  {                                                                                                \
    (void)ctx;                                                                                     \
    if (tm_likely(tm__inside(p)))                                                                  \
      tm__default_free(pool, p);                                                                   \
    else                                                                                           \
      free_foreign(domain, p);                                                                     \
  }

DOMAIN(raw, PYMEM_DOMAIN_RAW, TM_RAW)
DOMAIN(mem, PYMEM_DOMAIN_MEM, TM_MEM)
DOMAIN(obj, PYMEM_DOMAIN_OBJ, TM_OBJ)

/* mem_malloc while the arrival watch is on: afterwards it costs nothing. */
static void *mem_malloc_watched(void *ctx, size_t n)
{
  (void)ctx;
  tm__cpython_arrived();
  return tm__default_malloc(TM_MEM, n);
}

#define ALLOCATOR(name)                                                                            \
  {                                                                                                \
    NULL, name##_malloc, name##_calloc, name##_realloc, name##_free                                \
  }
static const PyMemAllocatorEx ours[DOMAINS] = {
    [PYMEM_DOMAIN_RAW] = ALLOCATOR(raw),
    [PYMEM_DOMAIN_MEM] = ALLOCATOR(mem),
    [PYMEM_DOMAIN_OBJ] = ALLOCATOR(obj),
};

/* ---- Taking over ---------------------------------------------------------------------------- */

/* Without a GIL, objects must stay with the allocator whose pages the collector can walk. */
bool tm__cpython_takes_obj(void)
{
  return !_Py_DecRefShared;
}

void tm__cpython_domains_take(void)
{
  for (PyMemAllocatorDomain domain = PYMEM_DOMAIN_RAW; domain <= PYMEM_DOMAIN_OBJ; domain++) {
    if (domain == PYMEM_DOMAIN_OBJ && !tm__cpython_takes_obj())
      continue;
    PyMemAllocatorEx allocator = ours[domain];
    if (domain == PYMEM_DOMAIN_MEM)
      allocator.malloc = mem_malloc_watched;
    PyMem_GetAllocator(domain, &found[domain]);
    PyMem_SetAllocator(domain, &allocator);
  }
}

bool tm__cpython_watch_set(bool on)
{
  PyMemAllocatorEx now;
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &now);
  if (now.malloc != mem_malloc && now.malloc != mem_malloc_watched)
    return false;
  now.malloc = on ? mem_malloc_watched : mem_malloc;
  PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &now);
  return true;
}

bool tm__cpython_on_top(void)
{
  PyMemAllocatorEx now;
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &now);
  if (now.malloc != mem_malloc && now.malloc != mem_malloc_watched)
    return false;
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &now);
  return !tm__cpython_takes_obj() || now.malloc == obj_malloc;
}
