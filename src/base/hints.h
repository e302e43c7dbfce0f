/* hints.h - what the compiler should know. Each mark says why it may be used. */
#ifndef TM_BASE_HINTS_H
#define TM_BASE_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define tm_likely(x) __builtin_expect(!!(x), 1)
#define tm_unlikely(x) __builtin_expect(!!(x), 0)

/* Across files inside the library, never exported. */
#define TM_HIDDEN __attribute__((visibility("hidden")))

/* The slow twin of a fast path: kept out of its cache lines and its register allocation. */
#define TM_SLOW __attribute__((noinline, cold))
/* A function that is called a billion times: on a cache line of its own. */
#define TM_HOT __attribute__((hot, aligned(64)))
#define TM_NOINLINE __attribute__((noinline))
#define TM_INLINE static inline __attribute__((always_inline))

/* Thread-local that is one load from the thread pointer. The library may be preloaded or linked,
 * and dlopen finds room in the static TLS surplus because we use a few words only. */
#define TM_TLS _Thread_local __attribute__((tls_model("initial-exec")))

#define TM_CACHE_LINE 64
#define TM_ALIGNED(n) __attribute__((aligned(n)))
#define TM_PRINTF(text, first) __attribute__((format(__printf__, text, first)))

#define TM_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__SANITIZE_THREAD__)
#define TM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TM_TSAN 1
#endif
#endif
#ifndef TM_TSAN
#define TM_TSAN 0
#endif

#endif
