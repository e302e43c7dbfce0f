/* A finding's words and its JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tidemark/doctor.h>

#include "base/hints.h"
#include "stats/json_check.h"

static void as_json(void **state)
{
  tm_finding f = {TM_FINDING_TAG_GROWS, TM_LEVEL_WARNING, "a \"heap\"", "It\ngrows.", "Free \xFF."};
  char text[256];
  (void)state;
  size_t length = tm_finding_json(&f, text, sizeof text);
  assert_true(json_is_sound(text));
  assert_int_equal(strlen(text), length);
  assert_string_equal(text,
                      "{\"id\":\"tag-grows\",\"level\":\"warning\",\"heap\":\"a \\\"heap\\\"\","
                      "\"what\":\"It\\ngrows.\",\"do\":\"Free \xEF\xBF\xBD.\"}");
  assert_int_equal(tm_finding_json(&f, text, 10), length);
  assert_string_equal(text, "{\"id\":\"ta");
}

static void names(void **state)
{
  (void)state;
  assert_string_equal(tm_finding_level_name(TM_LEVEL_NOTE), "note");
  assert_string_equal(tm_finding_level_name(TM_LEVEL_ALARM), "alarm");
  assert_string_equal(tm_finding_level_name((tm_finding_level)3), "?");
  assert_string_equal(tm_finding_name(TM_FINDING_NEAR_LIMIT), "near-limit");
  assert_string_equal(tm_finding_name(TM_FINDING_ABOVE_GROUP), "limit-above-cgroup");
  assert_string_equal(tm_finding_name(TM_FINDING_COUNT), "?");
  assert_string_equal(tm_finding_name((tm_finding_id)-1), "?");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_json),
      cmocka_unit_test(names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
