/*
 * assert.h - three tiers by cost, and reports that need nothing.
 *
 *   tm_require(x)  always on: a broken promise would corrupt the books or user data.
 *   tm_assert(x)   on in debug and sanitizer builds (TM_ASSERTS): cheap checks of our own logic.
 *   tm_expensive(x) on with TM_ASSERTS >= 2 (stress builds): walks lists.
 *
 * A report is built in a fixed buffer and written by write(2): no heap, no stdio, no lock; then
 * SIGABRT, also when stderr is closed.
 */
#ifndef TM_BASE_ASSERT_H
#define TM_BASE_ASSERT_H

#include "base/hints.h"

#ifndef TM_ASSERTS
#define TM_ASSERTS 0
#endif

/* "tidemark: fatal: <format...>\n" to the report descriptor, then abort(). */
TM_HIDDEN TM_PRINTF(1, 2) _Noreturn void tm__fatal(const char *format, ...);
/* "tidemark: <format...>\n", and on. */
TM_HIDDEN TM_PRINTF(1, 2) void tm__report(const char *format, ...);
/* Formats %s %d %u %zu %lu %llu %p %c %x %% into buffer; cuts; always ends it; returns its length.
 * Allocates nothing, takes no lock: snprintf may do both. */
TM_HIDDEN TM_PRINTF(3, 4) size_t tm__format(char *buffer, size_t capacity, const char *format, ...);
/* Where reports go; 2 at the start. Once set, only the file that fd is now is written to, under its
 * number or as standard error, never what the program opened under that number later. */
TM_HIDDEN void tm__report_fd_set(int fd);

#define tm_require(x)                                                                              \
  (tm_likely(x) ? (void)0 : tm__fatal("broken promise: %s (%s:%d)", #x, __FILE__, __LINE__))
#if TM_ASSERTS >= 1
#define tm_assert(x) tm_require(x)
#else
#define tm_assert(x) ((void)sizeof(x))
#endif
#if TM_ASSERTS >= 2
#define tm_expensive(x) tm_require(x)
#else
#define tm_expensive(x) ((void)sizeof(x))
#endif

#endif
