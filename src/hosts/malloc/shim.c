/*
 * shim.c - the C library's allocation functions over the default heap, pool C: what a preloaded
 * program, its libraries and its C++ runtime take from malloc is in the books.
 *
 * The functions work before any constructor has run and after the last thread destructor. A block
 * that is not ours (the dynamic loader's own, or one that the C library made behind our back) is
 * given to the C library's function of the same name. What is made of these: shim_forms.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/assert.h"
#include "heap/fast.h"
#include "heap/pool.h"
#include "hosts/malloc/names.h"
#include "hosts/malloc/shim.h"

/* glibc's own names for its allocator; the only way to reach it once malloc is ours. */
extern void __libc_free(void *p);
extern void *__libc_realloc(void *p, size_t n);

/* ---- C -------------------------------------------------------------------------------------- */

TM_API TM_HOT void *malloc(size_t n)
{
  return tm__default_malloc(TM_POOL_C, n);
}

TM_API TM_HOT void *calloc(size_t count, size_t size)
{
  return tm__default_calloc(TM_POOL_C, count, size);
}

TM_HOT TM_NOINLINE void tm__shim_free_slow(void *p)
{
  if (tm_likely(tm__inside(p))) {
    if (tm_unlikely(!tm__free_far(tm__self, TM_POOL_C, p)))
      tm__free_slow(&tm__default_heap, TM_POOL_C, p);
  } else if (p) {
    __libc_free(p);
  }
}

TM_API TM_HOT void free(void *p)
{
  if (tm_unlikely(!tm__free_fast(tm__self, TM_POOL_C, p)))
    tm__shim_free_slow(p);
}

TM_API TM_HOT void *realloc(void *p, size_t n)
{
  if (tm_unlikely(p && !tm__inside(p)))
    return __libc_realloc(p, n);
  /* The C library's realloc frees at size 0; programs written for it rely on that. */
  if (tm_unlikely(p && n == 0)) {
    tm__shim_free_slow(p);
    return NULL;
  }
  return tm__default_realloc(TM_POOL_C, p, n);
}

/* ---- Aligned -------------------------------------------------------------------------------- */

static const size_t MOST_ALIGNMENT = (size_t)1 << 30;

static bool power_of_two(size_t n)
{
  return n && !(n & (n - 1));
}

void *tm__shim_aligned(size_t alignment, size_t n)
{
  if (!power_of_two(alignment) || alignment > MOST_ALIGNMENT) {
    errno = EINVAL;
    return NULL;
  }
  return tm__aligned_alloc(&tm__default_heap, TM_POOL_C, alignment, n);
}

TM_API void *aligned_alloc(size_t alignment, size_t n)
{
  return tm__shim_aligned(alignment, n);
}

/* glibc rounds a wild alignment up to a power of two; programs pass such. */
TM_API void *memalign(size_t alignment, size_t n)
{
  size_t power = 16;
  while (power < alignment && power <= MOST_ALIGNMENT) /* above it is refused, not cut */
    power *= 2;
  return tm__shim_aligned(power, n);
}

TM_API int posix_memalign(void **out, size_t alignment, size_t n)
{
  if (!power_of_two(alignment) || alignment % sizeof(void *))
    return EINVAL;
  int saved = errno;
  void *p = tm__shim_aligned(alignment, n);
  errno = saved;
  if (!p)
    return ENOMEM;
  *out = p;
  return 0;
}

TM_API void *valloc(size_t n)
{
  return tm__shim_aligned(TM_OS_PAGE, n);
}

TM_API void *pvalloc(size_t n)
{
  if (n > PTRDIFF_MAX)
    return tm__heap_fail(&tm__default_heap, TM_FAIL_OVERFLOW);
  return tm__shim_aligned(TM_OS_PAGE, (n + TM_OS_PAGE - 1) & ~(size_t)(TM_OS_PAGE - 1));
}

/* ---- Questions ------------------------------------------------------------------------------ */

TM_API size_t malloc_usable_size(void *p)
{
  return tm__inside(p) ? tm_usable_size(p) : tm__names_libc_usable_size(p);
}

/* systemd, GLib and others call this when memory is short. 1 iff memory went back. */
TM_API int malloc_trim(size_t pad)
{
  (void)pad;
  return tm_trim(tm_heap_default()) > 0;
}

TM_API struct mallinfo2 mallinfo2(void)
{
  tm_stats s;
  tm_stats_init(&s);
  (void)tm_stats_read(tm_heap_default(), &s);
  return (struct mallinfo2){.arena = s.committed_bytes,
                            .ordblks = s.pages,
                            .uordblks = s.live_bytes,
                            .fordblks = s.free_bytes + s.dirty_bytes,
                            .keepcost = s.dirty_bytes};
}

static int clip(size_t n)
{
  return n > INT32_MAX ? INT32_MAX : (int)n;
}

TM_API struct mallinfo mallinfo(void)
{
  struct mallinfo2 m = mallinfo2();
  return (struct mallinfo){.arena = clip(m.arena),
                           .ordblks = clip(m.ordblks),
                           .uordblks = clip(m.uordblks),
                           .fordblks = clip(m.fordblks),
                           .keepcost = clip(m.keepcost)};
}

TM_API void malloc_stats(void)
{
  tm_stats s;
  tm_stats_init(&s);
  (void)tm_stats_read(tm_heap_default(), &s);
  tm__report("live %lu bytes in %lu blocks, committed %lu, dirty %lu, peak footprint %lu",
             s.live_bytes, s.live_blocks, s.committed_bytes, s.dirty_bytes, s.footprint_peak_bytes);
}

/* The heap as JSON would surprise who expects glibc's XML, so it is XML, of our own numbers. */
TM_API int malloc_info(int options, FILE *stream)
{
  if (options != 0)
    return EINVAL;
  tm_stats s;
  tm_stats_init(&s);
  (void)tm_stats_read(tm_heap_default(), &s);
  (void)fprintf(stream,
                "<malloc version=\"1\">\n<heap name=\"default\">\n"
                "<total type=\"live\" count=\"%llu\" size=\"%llu\"/>\n"
                "<total type=\"free\" size=\"%llu\"/>\n<total type=\"dirty\" size=\"%llu\"/>\n"
                "<system type=\"current\" size=\"%llu\"/>\n</heap>\n</malloc>\n",
                (unsigned long long)s.live_blocks, (unsigned long long)s.live_bytes,
                (unsigned long long)s.free_bytes, (unsigned long long)s.dirty_bytes,
                (unsigned long long)s.committed_bytes);
  return 0;
}

/* The tunables of another allocator: accepted, and without effect. */
TM_API int mallopt(int parameter, int value)
{
  (void)parameter;
  (void)value;
  return 1;
}
