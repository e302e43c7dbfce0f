/* sampler.c - see sampler.h. */
#include "profile/sampler.h"

#include <math.h>

/* splitmix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
 * 2014. */
static uint64_t next(uint64_t *seed)
{
  uint64_t z = *seed += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t tm__sampler_gap(uint64_t *seed, uint64_t mean_bytes)
{
  double u = ((double)(next(seed) >> 11) + 0.5) * 0x1p-53; /* in (0, 1), never at an end */
  double gap = -log(u) * (double)mean_bytes;
  return gap < 1 ? 1 : (uint64_t)gap; /* 37 means at most */
}

double tm__sampler_weight(uint64_t bytes, uint64_t mean_bytes)
{
  if (mean_bytes <= 1)
    return 1;
  double seen = -expm1(-(double)bytes / (double)mean_bytes);
  return seen > 0 ? 1 / seen : 1;
}
