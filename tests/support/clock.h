/* clock.h - time that stands still until the test moves it. */
#ifndef TM_TESTS_SUPPORT_CLOCK_H
#define TM_TESTS_SUPPORT_CLOCK_H

#include "base/atomics.h"
#include "base/os.h"

typedef struct test_clock {
  _Atomic(uint64_t) now_ns;
} test_clock;

static inline uint64_t test_clock_now(void *ctx)
{
  test_clock *clock = ctx;
  return atomic_load(&clock->now_ns);
}

/* Puts the clock in, at the next multiple of 10 s: what was stamped before lies in the past, and
 * the phase of anything periodic is the same in every run. */
static inline void test_clock_start(test_clock *clock)
{
  tm__os_clock_set(NULL, NULL);
  atomic_store(&clock->now_ns, (tm__os_now_ns() / 10000000000u + 1) * 10000000000u);
  tm__os_clock_set(test_clock_now, clock);
}

static inline void test_clock_move_ms(test_clock *clock, uint64_t ms)
{
  atomic_fetch_add(&clock->now_ns, ms * 1000000);
}

static inline void test_clock_stop(void)
{
  tm__os_clock_set(NULL, NULL);
}

#endif
