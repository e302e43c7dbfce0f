/* The elements of drawings. */
#include "cli/svg.h"
#include "support/check.h"

static char text[256];
static tm__emit e;

static int begin(void **state)
{
  (void)state;
  tm__emit_init(&e, text, sizeof text);
  return 0;
}

static void elements(void **state)
{
  (void)state;
  tm__svg_line(&e, "grid", 1, 2.25, 3.04, -4);
  (void)tm__emit_end(&e);
  assert_string_equal(text, "<line class=\"grid\" x1=\"1.0\" y1=\"2.3\" x2=\"3.0\" y2=\"0.0\"/>\n");
  begin(state);
  tm__svg_words(&e, "tick end", 5, 6, "a<b");
  (void)tm__emit_end(&e);
  assert_string_equal(text, "<text class=\"tick end\" x=\"5.0\" y=\"6.0\">a&lt;b</text>\n");
}

static void zeros_are_dropped(void **state)
{
  static const char *const cases[][2] = {{"20.0 ms", "20 ms"},       {"1.50 MiB", "1.5 MiB"},
                                         {"100 MiB", "100 MiB"},     {"1.00 GiB", "1 GiB"},
                                         {"2 min 5 s", "2 min 5 s"}, {"0 B", "0 B"}};
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    strcpy(text, cases[i][0]);
    tm__svg_drop_zeros(text);
    assert_string_equal(text, cases[i][1]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(elements, begin),
      cmocka_unit_test(zeros_are_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
