/* Defaults one by one, what policies are refused, older structs, a new state. */
#include "gc/policy.h"

#include "gc/model.h"

/* ---- The struct ------------------------------------------------------------------------------ */

static void each_default(void **unused)
{
  (void)unused;
  tm_policy p;
  memset(&p, 0xEE, sizeof p);
  tm_policy_init(&p);
  assert_int_equal(p.size, sizeof p);
  assert_int_equal(p.kinds, TM_POLICY_GROWTH | TM_POLICY_PRESSURE | TM_POLICY_YIELD);
  assert_int_equal(p.fixed_bytes, 64 * MIB);
  assert_int_equal(p.growth_percent, 100);
  assert_int_equal(p.growth_floor_bytes, 4 * MIB);
  assert_int_equal(p.debt_bytes, 16 * MIB);
  assert_int_equal(p.collector_share_percent, 2);
  assert_int_equal(p.young_bytes, 8 * MIB);
  assert_int_equal(p.min_interval_ms, 0);
  assert_int_equal(p.cpu_cap_percent, 50);
  assert_int_equal(p.end, TM_END_FAIL);
  assert_int_equal(p.reserve_bytes, 64 * KIB);
  assert_int_equal(p.target_share_percent, 0);
}

static int checked(void (*change)(tm_policy *))
{
  tm_policy p, out;
  tm_policy_init(&p);
  change(&p);
  return tm__policy_check(&p, &out);
}

#define CHANGE(name, statement)                                                                    \
  static void name(tm_policy *p)                                                                   \
  {                                                                                                \
    statement;                                                                                     \
  }
CHANGE(nothing, (void)p)
CHANGE(unstamped, p->size = 0)
CHANGE(too_new, p->size++)
CHANGE(without_kinds, p->size = offsetof(tm_policy, kinds))
CHANGE(no_kinds, p->kinds = 0)
CHANGE(unknown_kind, p->kinds |= 1u << 7)
CHANGE(no_growth, p->growth_percent = 0)
CHANGE(no_growth_needed, p->growth_percent = 0; p->kinds = TM_POLICY_FIXED)
CHANGE(fixed_zero, p->fixed_bytes = 0; p->kinds = TM_POLICY_FIXED)
CHANGE(cap_100, p->cpu_cap_percent = 100)
CHANGE(cap_101, p->cpu_cap_percent = 101)
CHANGE(share_101, p->collector_share_percent = 101)
CHANGE(end_ask, p->end = TM_END_ASK)
CHANGE(end_unknown, p->end = (tm_end)3)
CHANGE(young_zero, p->young_bytes = 0)
CHANGE(all_kinds, p->kinds = (1u << 7) - 1)
CHANGE(debt_zero, p->debt_bytes = 0; p->kinds = TM_POLICY_DEBT)
CHANGE(debt_zero_not_needed, p->debt_bytes = 0)
CHANGE(sqrt_zero, p->collector_share_percent = 0; p->kinds = TM_POLICY_SQRT)
CHANGE(sqrt_zero_not_needed, p->collector_share_percent = 0)
CHANGE(sqrt_no_growth, p->growth_percent = 0; p->kinds = TM_POLICY_SQRT)
CHANGE(shared_no_growth, p->growth_percent = 0; p->kinds = TM_POLICY_SHARED)
CHANGE(target_100, p->target_share_percent = 100)
CHANGE(target_101, p->target_share_percent = 101)
CHANGE(shared_and_unknown, p->kinds |= TM_POLICY_SHARED | 1u << 9)

static void what_is_refused(void **unused)
{
  (void)unused;
  static const struct {
    void (*change)(tm_policy *);
    int answer;
  } table[] = {
      {nothing, 0},
      {unstamped, TM_EINVAL},
      {too_new, TM_EINVAL},
      {without_kinds, TM_EINVAL},
      {no_kinds, 0},
      {unknown_kind, TM_EINVAL},
      {no_growth, TM_EINVAL},
      {no_growth_needed, 0},
      {fixed_zero, TM_EINVAL},
      {cap_100, 0},
      {cap_101, TM_EINVAL},
      {share_101, TM_EINVAL},
      {end_ask, 0},
      {end_unknown, TM_EINVAL},
      {young_zero, 0},
      {all_kinds, 0},
      {shared_and_unknown, TM_EINVAL},
      {debt_zero, TM_EINVAL},
      {debt_zero_not_needed, 0},
      {sqrt_zero, TM_EINVAL},
      {sqrt_zero_not_needed, 0},
      {sqrt_no_growth, TM_EINVAL},
      {shared_no_growth, TM_EINVAL},
      {target_100, 0},
      {target_101, TM_EINVAL},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++)
    assert_int_equal(checked(table[i].change), table[i].answer);
  tm_policy out;
  assert_int_equal(tm__policy_check(NULL, &out), TM_EINVAL);
}

/* A program built against a header that ended after fixed_bytes: the rest are defaults. */
static void an_older_struct(void **unused)
{
  (void)unused;
  tm_policy p, out;
  memset(&p, 0xEE, sizeof p);
  p.size = offsetof(tm_policy, growth_percent);
  p.kinds = TM_POLICY_FIXED | TM_POLICY_GROWTH;
  p.fixed_bytes = 123 * MIB;
  assert_int_equal(tm__policy_check(&p, &out), 0);
  assert_int_equal(out.size, sizeof out);
  assert_int_equal(out.fixed_bytes, 123 * MIB);
  assert_int_equal(out.growth_percent, 100);
  assert_int_equal(out.reserve_bytes, 64 * KIB);
}

static void a_new_state(void **unused)
{
  (void)unused;
  tm_policy_state s;
  tm_policy odd;
  tm_policy_state_init(&s, NULL, 77);
  assert_int_equal(s.size, sizeof s);
  assert_int_equal(s.started_ns, 77);
  assert_int_equal(s.policy.growth_percent, 100);
  assert_int_equal(s.young_bytes, 8 * MIB);
  assert_true(s.old_headroom >= 1.0 && s.old_headroom <= 1.0);
  assert_int_equal(s.trip_bytes, NO_TRIP);
  assert_int_equal(s.live_bytes, 0);
  tm_policy_init(&odd);
  odd.young_bytes = MIB;
  tm_policy_state_init(&s, &odd, 1);
  assert_int_equal(s.young_bytes, MIB);
  odd.cpu_cap_percent = 101; /* refused: the defaults */
  tm_policy_state_init(&s, &odd, 1);
  assert_int_equal(s.young_bytes, 8 * MIB);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_default),
      cmocka_unit_test(what_is_refused),
      cmocka_unit_test(an_older_struct),
      cmocka_unit_test(a_new_state),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
