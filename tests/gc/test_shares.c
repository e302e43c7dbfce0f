/* One budget for several heaps: parts by hand, and parts that add up whatever the members are. */
#include "gc/shares.h"

#include "gc/model.h"

#include "base/hints.h"

static uint64_t part(uint64_t budget_mib, const tm__share *members, size_t count, size_t index)
{
  return tm__share_headroom(budget_mib * MIB, members, count, index);
}

static tm__share member(uint64_t live_mib, double rate, double speed)
{
  return (tm__share){.live_bytes = live_mib * MIB, .growth_rate = rate, .collect_speed = speed};
}

static void by_hand(void **unused)
{
  (void)unused;
  /* sqrt(400) : sqrt(100) is 2 : 1 */
  tm__share sizes[] = {member(400, 1, 10), member(100, 1, 10)};
  assert_int_equal(part(800, sizes, 2, 0), 200 * MIB);
  assert_int_equal(part(800, sizes, 2, 1), 100 * MIB);
  /* a large quiet heap and a small busy one: 1000 * 1 and 10 * 100 weigh the same */
  tm__share rates[] = {member(1000, 1, 1), member(10, 100, 1)};
  assert_int_equal(part(1110, rates, 2, 0), 50 * MIB);
  assert_int_equal(part(1110, rates, 2, 1), 50 * MIB);
  /* four times the speed is half of the part */
  tm__share speeds[] = {member(100, 1, 1), member(100, 1, 4)};
  assert_int_equal(part(260, speeds, 2, 0), 40 * MIB);
  assert_int_equal(part(260, speeds, 2, 1), 20 * MIB);
  tm__share one[] = {member(100, 1, 1)};
  assert_int_equal(part(260, one, 1, 0), 160 * MIB);
}

static void members_without_samples(void **unused)
{
  (void)unused;
  /* 300 MiB are free: an even part for the new one, the rest 2 : 1 */
  tm__share mixed[] = {member(400, 1, 10), member(0, 0, 0), member(100, 1, 10)};
  assert_int_equal(part(800, mixed, 3, 1), 100 * MIB);
  assert_in_range(part(800, mixed, 3, 0), 400 * MIB / 3 - 1, 400 * MIB / 3 + 1);
  assert_in_range(part(800, mixed, 3, 2), 200 * MIB / 3 - 1, 200 * MIB / 3 + 1);
  tm__share fresh[] = {member(10, 0, 0), member(30, 5, 0), member(20, 0, 7)};
  for (size_t i = 0; i < TM_ARRAY_LEN(fresh); i++)
    assert_int_equal(part(120, fresh, 3, i), 20 * MIB);
  tm__share empty[] = {member(0, 1, 1), member(0, 5, 1)}; /* measured, but nothing lives */
  assert_int_equal(part(100, empty, 2, 0), 50 * MIB);
  assert_int_equal(part(100, empty, 2, 1), 50 * MIB);
}

static void nothing_left(void **unused)
{
  (void)unused;
  tm__share full[] = {member(400, 1, 10), member(100, 1, 10)};
  for (uint64_t budget = 0; budget <= 500; budget += 100)
    for (size_t i = 0; i < 2; i++)
      assert_int_equal(part(budget, full, 2, i), 0);
  assert_int_equal(part(800, full, 2, 2), 0); /* not a member */
  assert_int_equal(part(800, full, 0, 0), 0);
  tm__share huge[] = {{.live_bytes = UINT64_MAX}, {.live_bytes = UINT64_MAX}};
  assert_int_equal(tm__share_headroom(UINT64_MAX, huge, 2, 0), 0);
}

static uint64_t next(uint64_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

/* Numbers of every size, and such as a damaged table may hold. */
static double any_rate(uint64_t random)
{
  static const double odd[] = {0, -1, 1e-300, 1e300, (double)UINT64_MAX, 1};
  if (random % 8 < TM_ARRAY_LEN(odd))
    return odd[random % 8];
  return (double)(random >> (random >> 3) % 60);
}

static void parts_add_up(void **unused)
{
  (void)unused;
  enum { MOST = 33 };
  tm__share members[MOST];
  for (uint64_t start = 1; start <= 20000; start++) {
    uint64_t seed = start * 0x9E3779B97F4A7C15u, live = 0, sum = 0;
    size_t count = 1 + next(&seed) % MOST;
    for (size_t i = 0; i < count; i++) {
      members[i].live_bytes = next(&seed) >> (next(&seed) % 60 + 4);
      members[i].growth_rate = any_rate(next(&seed));
      members[i].collect_speed = any_rate(next(&seed));
      uint64_t with = live + members[i].live_bytes;
      live = with < live ? UINT64_MAX : with;
    }
    uint64_t budget = next(&seed) >> next(&seed) % 64;
    for (size_t i = 0; i < count; i++)
      sum += tm__share_headroom(budget, members, count, i);
    if (sum != (budget > live ? budget - live : 0))
      fail_msg("seed %llu: the parts of %zu members add up to %llu", (unsigned long long)start,
               count, (unsigned long long)sum);
  }
}

/* At an equal sum the rule costs a 25th of what headroom in proportion to what lives costs.
 * Collector time per second is L * g / (s * E). */
static void it_is_worth_it(void **unused)
{
  (void)unused;
  tm__share members[] = {member(1000, (double)MIB, 1000.0 * (double)MIB),
                         member(10, 100.0 * (double)MIB, 1000.0 * (double)MIB)};
  double by_rule = 0, by_size = 0;
  for (size_t i = 0; i < 2; i++) {
    double live = (double)members[i].live_bytes;
    double work = live * members[i].growth_rate / members[i].collect_speed;
    by_rule += work / (double)tm__share_headroom(2020 * MIB, members, 2, i);
    by_size += work / live;
  }
  assert_true(by_rule < 0.040 * by_size);
  assert_true(by_rule > 0.038 * by_size);
}

static void a_line_from_a_state(void **unused)
{
  (void)unused;
  tm_policy_state s;
  tm_policy_state_init(&s, NULL, 1);
  s.live_bytes = 77;
  s.alloc_rate = 1000;
  s.net_share = 0.5;
  s.collect_speed = 5000;
  tm__share line = tm__share_of(&s);
  assert_int_equal(line.live_bytes, 77);
  assert_true(line.growth_rate >= 500 && line.growth_rate <= 500);
  assert_true(line.collect_speed <= 0); /* not measured, whatever is in there */
  s.speed_samples = 1;
  line = tm__share_of(&s);
  assert_true(line.collect_speed >= 5000 && line.collect_speed <= 5000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_hand),        cmocka_unit_test(members_without_samples),
      cmocka_unit_test(nothing_left),   cmocka_unit_test(parts_add_up),
      cmocka_unit_test(it_is_worth_it), cmocka_unit_test(a_line_from_a_state),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
