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

/* As far as any clock of this program was moved: time never runs back, also between two tests. */
static _Atomic(uint64_t) test_clock_furthest_ns;

/* Puts the clock in, at the next but one multiple of 10 s: what was stamped before lies a decay
 * window or more in the past, and the phase of anything periodic is the same in every run. */
static inline void test_clock_start(test_clock *clock)
{
  tm__os_clock_set(NULL, NULL);
  uint64_t now = tm__os_now_ns(), furthest = atomic_load(&test_clock_furthest_ns);
  now = now > furthest ? now : furthest;
  atomic_store(&clock->now_ns, (now / 10000000000u + 2) * 10000000000u);
  tm__os_clock_set(test_clock_now, clock);
}

static inline void test_clock_move_ms(test_clock *clock, uint64_t ms)
{
  uint64_t now = atomic_fetch_add(&clock->now_ns, ms * 1000000) + ms * 1000000;
  if (now > atomic_load(&test_clock_furthest_ns))
    atomic_store(&test_clock_furthest_ns, now);
}

static inline void test_clock_stop(void)
{
  tm__os_clock_set(NULL, NULL);
}

#endif
