/* test_policy_text.c - policies as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hints.h"
#include "gc/policy_text.h"

static tm_policy parsed(const char *text)
{
  tm_policy policy;
  char why[160] = "";
  assert_int_equal(tm__policy_parse(text, &policy, why, sizeof why), TM_OK);
  assert_string_equal(why, "");
  assert_int_equal(policy.size, sizeof policy);
  return policy;
}

static void growth_is_the_default_with_its_percentage(void **state)
{
  (void)state;
  tm_policy defaults;
  tm_policy_init(&defaults);
  tm_policy plain = parsed("growth");
  assert_int_equal(plain.kinds, defaults.kinds);
  assert_int_equal(plain.growth_percent, defaults.growth_percent);
  assert_int_equal(plain.young_bytes, defaults.young_bytes);
  assert_int_equal(parsed("growth=50").growth_percent, 50);
  assert_int_equal(parsed("growth=50").kinds, defaults.kinds);
  assert_int_equal(parsed("growth=75%").growth_percent, 75);
  assert_int_equal(parsed("growth=1").growth_percent, 1);
  assert_int_equal(parsed("growth=10000").growth_percent, 10000);
}

static void fixed_takes_a_size(void **state)
{
  (void)state;
  assert_int_equal(parsed("fixed=256M").fixed_bytes, 256u << 20);
  assert_int_equal(parsed("fixed=1M").kinds, TM_POLICY_FIXED);
}

static void debt_takes_a_size(void **state)
{
  (void)state;
  assert_int_equal(parsed("debt").kinds, TM_POLICY_DEBT | TM_POLICY_PRESSURE | TM_POLICY_YIELD);
  assert_int_equal(parsed("debt").debt_bytes, 16u << 20);
  assert_int_equal(parsed("debt=1M").debt_bytes, 1u << 20);
  assert_int_equal(parsed("debt:32M").debt_bytes, 32u << 20);
}

static void sqrt_takes_a_share(void **state)
{
  (void)state;
  assert_int_equal(parsed("sqrt").kinds, TM_POLICY_SQRT | TM_POLICY_PRESSURE | TM_POLICY_YIELD);
  assert_int_equal(parsed("sqrt").target_share_percent, 0);
  assert_int_equal(parsed("sqrt").collector_share_percent, 2);
  assert_int_equal(parsed("sqrt=1").target_share_percent, 1);
  assert_int_equal(parsed("sqrt:5%").target_share_percent, 5);
  assert_int_equal(parsed("sqrt=100").target_share_percent, 100);
}

static void shared_asks_the_group(void **state)
{
  (void)state;
  assert_int_equal(parsed("shared").kinds, TM_POLICY_SHARED | TM_POLICY_PRESSURE | TM_POLICY_YIELD);
}

/* Every name is in the sentence that a wrong one gets. */
static void the_sentence_knows_all_names(void **state)
{
  (void)state;
  static const char *const names[] = {"growth", "fixed", "debt", "sqrt", "shared", "off"};
  tm_policy policy;
  char why[128];
  assert_int_equal(tm__policy_parse("?", &policy, why, sizeof why), TM_EINVAL);
  for (size_t i = 0; i < TM_ARRAY_LEN(names); i++)
    assert_non_null(strstr(why, names[i]));
}

static void off_has_no_budget_at_all(void **state)
{
  (void)state;
  assert_int_equal(parsed("off").kinds, 0);
  assert_int_equal(parsed("off").young_bytes, 0);
}

static void what_cannot_be_used_is_said_and_changes_nothing(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int error;
    const char *says;
  } cases[] = {
      {"", TM_EINVAL, "policies are"},
      {"grow", TM_EINVAL, "policies are"},
      {"growth50", TM_EINVAL, "policies are"},
      {"GROWTH", TM_EINVAL, "policies are"},
      {"growth=", TM_EINVAL, "from 1 to 10000"},
      {"growth=0", TM_EINVAL, "from 1 to 10000"},
      {"growth=10001", TM_EINVAL, "from 1 to 10000"},
      {"growth=99999999999999999999", TM_EINVAL, "from 1 to 10000"},
      {"growth=-5", TM_EINVAL, "from 1 to 10000"},
      {"growth=5x", TM_EINVAL, "from 1 to 10000"},
      {"growth=%", TM_EINVAL, "from 1 to 10000"},
      {"fixed", TM_EINVAL, "takes a size"},
      {"fixed=", TM_EINVAL, "takes a size"},
      {"fixed=much", TM_EINVAL, "takes a size"},
      {"fixed=1000", TM_EINVAL, "1M or more"},
      {"fixed=16E", TM_EINVAL, "takes a size"},
      {"off=1", TM_EINVAL, "no value"},
      {"debt=", TM_EINVAL, "takes a size"},
      {"debt=1000", TM_EINVAL, "1M or more"},
      {"debt=16E", TM_EINVAL, "takes a size"},
      {"sqrt=", TM_EINVAL, "from 1 to 100"},
      {"sqrt=0", TM_EINVAL, "from 1 to 100"},
      {"sqrt=101", TM_EINVAL, "from 1 to 100"},
      {"sqrt=2.5", TM_EINVAL, "from 1 to 100"},
      {"sqrt:%", TM_EINVAL, "from 1 to 100"},
      {"shared=2G", TM_EINVAL, "the group's"},
      {"=", TM_EINVAL, "policies are"},
      {":5", TM_EINVAL, "policies are"},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    tm_policy policy, before;
    char why[160] = "";
    memset(&policy, 0x5a, sizeof policy);
    memset(&before, 0x5a, sizeof before);
    assert_int_equal(tm__policy_parse(cases[i].text, &policy, why, sizeof why), cases[i].error);
    assert_memory_equal(&policy, &before, sizeof policy);
    if (!strstr(why, cases[i].says))
      fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, why, cases[i].says);
  }
}

static void what_is_written_reads_back(void **state)
{
  (void)state;
  static const char *const texts[] = {"growth=100", "growth=50", "fixed=268435456", "debt=16777216",
                                      "sqrt",       "sqrt=5",    "shared",          "off"};
  for (size_t i = 0; i < TM_ARRAY_LEN(texts); i++) {
    tm_policy policy = parsed(texts[i]);
    char text[48];
    assert_int_equal(tm__policy_format(&policy, text, sizeof text), strlen(texts[i]));
    assert_string_equal(text, texts[i]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(growth_is_the_default_with_its_percentage),
      cmocka_unit_test(fixed_takes_a_size),
      cmocka_unit_test(debt_takes_a_size),
      cmocka_unit_test(sqrt_takes_a_share),
      cmocka_unit_test(shared_asks_the_group),
      cmocka_unit_test(the_sentence_knows_all_names),
      cmocka_unit_test(off_has_no_budget_at_all),
      cmocka_unit_test(what_cannot_be_used_is_said_and_changes_nothing),
      cmocka_unit_test(what_is_written_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
