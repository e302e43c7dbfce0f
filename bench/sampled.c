/* sampled.c - what a pair of malloc and free takes, for profiled.py: with TM_PROFILE_INTERVAL=1 a
 * pair is a sample that is taken and forgotten. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PAIRS = 10000, ROUNDS = 30 };

static double now_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
  double best = 1e18;
  for (int round = 0; round < ROUNDS; round++) {
    double start = now_ns();
    for (int i = 0; i < PAIRS; i++) {
      void *volatile p = malloc(64);
      free(p);
    }
    double ns = (now_ns() - start) / PAIRS;
    best = ns < best ? ns : best;
  }
  (void)printf("pair_ns=%.1f\n", best);
  return 0;
}
