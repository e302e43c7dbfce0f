/* A look, and the time between two. */
#include "support/check.h"
#include "view/frame.h"

static json_t *stats_of(const char *text)
{
  json_error_t error;
  json_t *value = json_loads(text, 0, &error);
  assert_non_null(value);
  return value;
}

static void spans(void **state)
{
  tm__look none = {0}, before = {.mono_ns = 5, .clock_ns = 100},
           now = {.mono_ns = 9, .clock_ns = 200};
  (void)state;
  before.stats = stats_of("{}");
  now.stats = stats_of("{\"process\":{\"start_time_ns\":150}}");
  assert_int_equal(tm__look_span(&before, &now), 4);
  assert_int_equal(tm__look_span(&none, &now), 50); /* since the start */
  now.clock_ns = 149;                               /* a clock that was set back */
  assert_int_equal(tm__look_span(&none, &now), 0);
  assert_int_equal(tm__look_span(&none, &before), 0); /* not known */
  tm__look_drop(&before);
  tm__look_drop(&now);
  assert_null(now.stats);
  assert_int_equal(now.mono_ns, 0);
}

static void nobody_there(void **state)
{
  tm__source source = {.local = true};
  tm__complaint complaint;
  tm__look look;
  (void)state;
  tm__place_tcp("127.0.0.1", 1, &source.place);
  assert_int_equal(tm__look_take(&source, &look, &complaint), TM_EXIT_FAILED);
  assert_null(look.stats);
  tm__look_stamp(&look);
  assert_true(look.mono_ns > 0 && look.clock_ns > look.mono_ns);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spans),
      cmocka_unit_test(nobody_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
