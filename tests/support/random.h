/* random.h - numbers that are the same in every run: a red test can be run again. */
#ifndef TM_TESTS_SUPPORT_RANDOM_H
#define TM_TESTS_SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct test_random {
  uint64_t state;
} test_random;

/* splitmix64 */
static inline uint64_t random_next(test_random *r)
{
  uint64_t z = r->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* 0 <= result < n */
static inline uint64_t random_below(test_random *r, uint64_t n)
{
  return random_next(r) % n;
}

/* Sizes as programs ask for them: mostly small, now and then medium, seldom large; also zero, and
 * the sizes next to every border. */
static inline size_t random_size(test_random *r)
{
  static const size_t borders[] = {0,    1,    15,   16,    17,    128,   129,   4096,  4097,
                                   8191, 8192, 8193, 65535, 65536, 65537, 69632, 131072};
  uint64_t kind = random_below(r, 1000);
  if (kind < 700)
    return random_below(r, 512);
  if (kind < 900)
    return random_below(r, 8192);
  if (kind < 960)
    return random_below(r, 65536);
  if (kind < 990)
    return borders[random_below(r, sizeof borders / sizeof borders[0])];
  return 65536 + random_below(r, 400000);
}

#endif
