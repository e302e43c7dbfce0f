/* The drawings over time: what is where on the paper. */
#include "cli/story_chart.h"

#include "cli/made_tape.h"

#define MIB (UINT64_C(1) << 20)
#define S UINT64_C(1000000000)

static made_tape made;
static tm__tape tape;
static tm__story story;
static char svg[1 << 17];

typedef void (*chart_fn)(tm__emit *e, const tm__story *story);

static const char *draw(chart_fn fn)
{
  tm__emit e;
  tm__emit_init(&e, svg, sizeof svg);
  fn(&e, &story);
  assert_true(tm__emit_end(&e) < sizeof svg);
  assert_ptr_equal(strstr(svg, "<svg role=\"img\" viewBox=\"0 0 480 "), svg);
  assert_string_equal(svg + strlen(svg) - 7, "</svg>\n");
  assert_null(strstr(svg, "nan"));
  return svg;
}

static size_t count(const char *text, const char *part)
{
  size_t n = 0;
  for (; (text = strstr(text, part)); text++)
    n++;
  return n;
}

static int tell(void **state)
{
  tm__trace_record limits = {
      .kind = TM__TRACE_LIMITS, .soft_bytes = 90 * MIB, .hard_bytes = 100 * MIB};
  (void)state;
  made_start(&made);
  made_add(&made, &limits);
  made_sample(&made, 0, 0, 0);
  made_sample(&made, 20 * S, 100 * MIB, 80 * MIB);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, 30 * S, S, 100 * MIB, 80 * MIB, 40 * MIB);
  tape = made_end(&made, 40 * S);
  tm__story_tell(&tape, &story);
  return 0;
}

static void memory(void **state)
{
  (void)state;
  const char *text = draw(tm__story_chart_memory);
  assert_non_null(strstr(text, ">100 MiB</text>"));
  assert_non_null(strstr(text, ">0 B</text>"));
  assert_non_null(strstr(text, ">20 s</text>"));
  assert_int_equal(count(text, "class=\"soft\""), 1);
  assert_int_equal(count(text, "class=\"hard\""), 1);
  assert_int_equal(count(text, "class=\"mark\""), 1);
  const char *line = strstr(text, "class=\"line\"");
  assert_non_null(line);
  assert_int_equal(count(line, "H"), TM__STORY_STEPS);
  /* empty at first, at the axis; then 80 of 120 MiB of the paper's 248 pixels */
  assert_ptr_equal(strstr(line, "d=\"M76.0 258.0V258.0H"), line + strlen("class=\"line\" "));
  assert_non_null(strstr(line, "V92.7H"));
}

static void limits_that_are_far_away(void **state)
{
  (void)state;
  story.soft_bytes = 400 * MIB;
  story.hard_bytes = 0;
  const char *text = draw(tm__story_chart_memory);
  assert_int_equal(count(text, "class=\"soft\"") + count(text, "class=\"hard\""), 0);
  assert_non_null(strstr(text, ">80 MiB</text>"));
  assert_null(strstr(text, ">400 MiB</text>"));
}

static void time_and_allocation(void **state)
{
  (void)state;
  const char *text = draw(tm__story_chart_time);
  assert_non_null(strstr(text, ">80 %</text>"));
  assert_null(strstr(text, ">120 %</text>"));
  assert_int_equal(count(text, "class=\"mark\""), 0);
  text = draw(tm__story_chart_allocation);
  assert_non_null(strstr(text, "MiB</text>"));
}

static void nothing_to_draw(void **state)
{
  (void)state;
  made_start(&made);
  tape = made_end(&made, 0);
  tm__story_tell(&tape, &story);
  (void)draw(tm__story_chart_memory);
  (void)draw(tm__story_chart_time);
  (void)draw(tm__story_chart_allocation);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(memory, tell),
      cmocka_unit_test_setup(limits_that_are_far_away, tell),
      cmocka_unit_test_setup(time_and_allocation, tell),
      cmocka_unit_test(nothing_to_draw),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
