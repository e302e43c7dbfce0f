/* families.h - the three families as a table, and small readers of the books, for the tests. */
#ifndef TM_TESTS_PYMEM_FAMILIES_H
#define TM_TESTS_PYMEM_FAMILIES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidemark/pymem.h>
#include <tidemark/tidemark.h>

typedef struct family_api {
  const char *row;
  tm_family id;
  void *(*alloc)(size_t);
  void *(*zeroed)(size_t, size_t);
  void *(*resize)(void *, size_t);
  void (*release)(void *);
  const char *alloc_name, *release_name;
} family_api;

static const family_api families[] = {
    {"raw", TM_RAW, PyMem_RawMalloc, PyMem_RawCalloc, PyMem_RawRealloc, PyMem_RawFree,
     "PyMem_RawMalloc", "PyMem_RawFree"},
    {"mem", TM_MEM, PyMem_Malloc, PyMem_Calloc, PyMem_Realloc, PyMem_Free, "PyMem_Malloc",
     "PyMem_Free"},
    {"obj", TM_OBJ, PyObject_Malloc, PyObject_Calloc, PyObject_Realloc, PyObject_Free,
     "PyObject_Malloc", "PyObject_Free"},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

static inline tm_stats books_read(void)
{
  tm_stats books;
  tm_stats_init(&books);
  assert_int_equal(tm_stats_read(tm_heap_default(), &books), 0);
  return books;
}

/* true iff a row of this name exists; then *row is it. */
static inline bool books_row(const char *name, tm_pool_row *row)
{
  for (size_t i = 0; tm_pool_stats_read(tm_heap_default(), i, row) == 1; i++)
    if (strcmp(row->name, name) == 0)
      return true;
  return false;
}

/* All that a failed request may change is failures_total[reason], by one. */
static inline void books_expect_failure(tm_stats before, tm_fail reason)
{
  tm_stats after = books_read();
  before.failures_total[reason]++;
#define TM_FIELD(type, name, kind, pool, help)                                                     \
  if (before.name != after.name)                                                                   \
    fail_msg(#name " changed from %lld to %lld", (long long)before.name, (long long)after.name);
#define TM_FIELD_BY_REASON(name, help)                                                             \
  for (int r = 0; r < TM_FAIL_COUNT; r++)                                                          \
    if (before.name[r] != after.name[r])                                                           \
      fail_msg(#name "[%d] is %lld, not %lld", r, (long long)after.name[r],                        \
               (long long)before.name[r]);
#include <tidemark/fields.def>
#undef TM_FIELD
#undef TM_FIELD_BY_REASON
}

/* A pattern that depends on the place, so that a shifted copy is seen. */
static inline unsigned char pattern_at(size_t i, unsigned seed)
{
  return (unsigned char)((i * 131u + (i >> 8) * 17u + seed) & 0xff);
}

static inline void pattern_fill(void *p, size_t n, unsigned seed)
{
  unsigned char *bytes = p;
  for (size_t i = 0; i < n; i++)
    bytes[i] = pattern_at(i, seed);
}

static inline void pattern_expect(const void *p, size_t n, unsigned seed)
{
  const unsigned char *bytes = p;
  for (size_t i = 0; i < n; i++)
    if (bytes[i] != pattern_at(i, seed))
      fail_msg("byte %zu of %zu is %#x, not %#x", i, n, bytes[i], pattern_at(i, seed));
}

#endif
