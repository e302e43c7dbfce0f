/* test_sampler.c - distances and weights against what the formulas of sampler.h promise. */
#include "profile/sampler.h"

#include <math.h>

#include "support/check.h"

static void gaps_are_exponential(void **state)
{
  (void)state;
  enum { COUNT = 200000, MEAN = 10000 };
  uint64_t seed = 1, below = 0;
  double sum = 0, squares = 0;
  for (int i = 0; i < COUNT; i++) {
    uint64_t gap = tm__sampler_gap(&seed, MEAN);
    assert_true(gap >= 1);
    sum += (double)gap;
    squares += (double)gap * (double)gap;
    below += gap < MEAN;
  }
  double mean = sum / COUNT, deviation = sqrt(squares / COUNT - mean * mean);
  assert_true(fabs(mean - MEAN) < MEAN * 0.01);
  assert_true(fabs(deviation - MEAN) < MEAN * 0.02); /* of an exponential: the mean */
  assert_true(fabs((double)below / COUNT - 0.6321) < 0.005);
}

static void one_seed_one_sequence(void **state)
{
  (void)state;
  uint64_t a = 7, b = 7, c = 8;
  for (int i = 0; i < 100; i++)
    assert_int_equal(tm__sampler_gap(&a, 1000), tm__sampler_gap(&b, 1000));
  assert_true(tm__sampler_gap(&a, 1 << 20) != tm__sampler_gap(&c, 1 << 20));
}

static void a_weight_is_the_inverse_of_the_chance(void **state)
{
  (void)state;
  assert_true(fabs(tm__sampler_weight(1000, 1000) - 1.58198) < 1e-4); /* 1 / (1 - 1/e) */
  assert_true(fabs(tm__sampler_weight(64, 524288) - 8192.5) < 0.1);
  assert_true(fabs(tm__sampler_weight(1 << 30, 524288) - 1) < 1e-9);
  assert_true(tm__sampler_weight(16, 1) == 1); /* each block is sampled */
  assert_true(isfinite(tm__sampler_weight(0, 1000)));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gaps_are_exponential),
      cmocka_unit_test(one_seed_one_sequence),
      cmocka_unit_test(a_weight_is_the_inverse_of_the_chance),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
