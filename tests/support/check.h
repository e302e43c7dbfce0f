/*
 * check.h - cmocka with what it wants included first, and `must` for the places where its own
 * asserts cannot be used: other threads and forked children.
 */
#ifndef TM_TESTS_SUPPORT_CHECK_H
#define TM_TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Ends the whole process by SIGABRT with a line that names the place. */
#define must(x) ((x) ? (void)0 : must_failed(#x, __FILE__, __LINE__))
/* The same for two numbers, which are shown. */
#define must_equal(a, b)                                                                           \
  must_equal_at((uint64_t)(a), (uint64_t)(b), #a " == " #b, __FILE__, __LINE__)

static inline _Noreturn void must_failed(const char *what, const char *file, int line)
{
  (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
  abort();
}

static inline void must_equal_at(uint64_t a, uint64_t b, const char *what, const char *file,
                                 int line)
{
  if (a == b)
    return;
  (void)fprintf(stderr, "%s:%d: not so: %s (%llu, %llu)\n", file, line, what, (unsigned long long)a,
                (unsigned long long)b);
  abort();
}

#ifndef TM_STRESS_TRIP
#define TM_STRESS_TRIP 0
#endif
#ifndef TM_STRESS_OOM
#define TM_STRESS_OOM 0
#endif

/* Sanitizers replace malloc, keep memory of their own and make everything slower. */
#if defined(__has_feature)
#define TEST_FEATURE(x) __has_feature(x)
#else
#define TEST_FEATURE(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || TEST_FEATURE(thread_sanitizer)
#define TEST_TSAN 1
#else
#define TEST_TSAN 0
#endif
#if TEST_TSAN || defined(__SANITIZE_ADDRESS__) || TEST_FEATURE(address_sanitizer)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif

#endif
