/* A recording folded: levels per step, actions summed, the longest in their order. */
#include "cli/story.h"

#include "cli/made_tape.h"

#define MIB (UINT64_C(1) << 20)
#define S UINT64_C(1000000000)

static made_tape made;
static tm__tape tape;
static tm__story story;

static void limits(uint64_t time_ns, uint64_t soft, uint64_t hard)
{
  tm__trace_record r = {
      .kind = TM__TRACE_LIMITS, .time_ns = time_ns, .soft_bytes = soft, .hard_bytes = hard};
  made_add(&made, &r);
}

static const tm__story_step *step(uint64_t time_ns)
{
  return &story.steps[time_ns / story.step_ns];
}

static void levels_per_step(void **state)
{
  (void)state;
  made_start(&made);
  limits(0, 50 * MIB, 100 * MIB);
  made_sample(&made, 0, 1000 * MIB, 10 * MIB); /* what came before is not of this time */
  made_sample(&made, 10 * S, 1020 * MIB, 30 * MIB);
  made_sample(&made, 10 * S + 1, 1021 * MIB, 5 * MIB);
  made_sample(&made, 30 * S, 1031 * MIB, 12 * MIB);
  limits(35 * S, 60 * MIB, 0);
  tape = made_end(&made, 40 * S);
  tm__story_tell(&tape, &story);
  assert_int_equal(story.peak_bytes, 30 * MIB);
  assert_int_equal(story.peak_ns, 10 * S);
  assert_int_equal(story.committed_peak_bytes, 30 * MIB);
  assert_int_equal(story.allocated_bytes, 31 * MIB);
  assert_int_equal(story.soft_bytes, 60 * MIB);
  assert_int_equal(story.hard_bytes, 0);
  assert_int_equal(step(5 * S)->footprint_bytes, 10 * MIB);
  assert_int_equal(step(10 * S)->footprint_bytes, 30 * MIB); /* its highest */
  assert_int_equal(step(10 * S)->allocated_bytes, 21 * MIB);
  assert_int_equal(step(20 * S)->footprint_bytes, 5 * MIB);
  assert_int_equal(step(20 * S)->allocated_bytes, 0);
  assert_int_equal(story.steps[TM__STORY_STEPS - 1].footprint_bytes, 12 * MIB);
}

static void actions_are_summed(void **state)
{
  (void)state;
  made_start(&made);
  made_sample(&made, 0, 0, 0);
  for (uint64_t i = 0; i < 20; i++)
    made_action(&made, i % 2 ? TM_COLLECT : TM_COLLECT_MINOR, TM_HOOK_DONE, (i + 1) * S,
                (i * 7 % 20 + 1) * 1000, (i + 1) * MIB, 10 * MIB, (i % 2 ? 4 : 9) * MIB);
  tape = made_end(&made, 40 * S);
  tm__story_tell(&tape, &story);
  assert_int_equal(story.sums[TM_COLLECT].runs, 10);
  assert_int_equal(story.sums[TM_COLLECT].freed_bytes, 60 * MIB);
  assert_int_equal(story.sums[TM_COLLECT_MINOR].freed_bytes, 10 * MIB);
  assert_int_equal(story.sums[TM_COLLECT].duration_ns + story.sums[TM_COLLECT_MINOR].duration_ns,
                   210000);
  assert_int_equal(story.sums[TM_TRIM].runs, 0);
  assert_int_equal(step(2 * S)->runs[TM_COLLECT], 1);
  assert_int_equal(story.longest_count, TM__STORY_LONGEST);
  for (size_t i = 0; i < TM__STORY_LONGEST; i++)
    assert_int_equal(story.longest[i].action.duration_ns, (20 - i) * 1000);
}

/* Three seconds in steps of a tenth: no step is busier than it is long. */
static void a_long_action_is_spread(void **state)
{
  uint64_t busy_ns = 0;
  (void)state;
  made_start(&made);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, 10 * S, 3 * S, MIB, MIB, 0);
  tape = made_end(&made, 40 * S);
  tm__story_tell(&tape, &story);
  for (size_t i = 0; i < TM__STORY_STEPS; i++) {
    assert_true(story.steps[i].busy_ns <= story.step_ns);
    busy_ns += story.steps[i].busy_ns;
  }
  assert_int_equal(busy_ns, 3 * S);
  assert_int_equal(step(9 * S)->busy_ns, 0);
  assert_int_equal(step(11 * S)->busy_ns, story.step_ns);
}

static void trim_frees_what_the_system_got(void **state)
{
  tm__trace_record r = {.kind = TM__TRACE_ACTION,
                        .levels = {.footprint_bytes = 5},
                        .after = {.footprint_bytes = 9},
                        .action = {.kind = TM_TRIM, .returned_bytes = 77}};
  (void)state;
  assert_int_equal(tm__story_freed(&r), 77);
  r.action.kind = TM_COLLECT; /* it grew meanwhile */
  assert_int_equal(tm__story_freed(&r), 0);
}

static void an_empty_recording(void **state)
{
  char text[64];
  (void)state;
  made_start(&made);
  tape = made_end(&made, 0);
  tm__story_tell(&tape, &story);
  assert_int_equal(story.peak_bytes, 0);
  assert_string_equal(tm__story_when(&story, text), "recorded 2026-09-21 14:13:20 UTC");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(levels_per_step),         cmocka_unit_test(actions_are_summed),
      cmocka_unit_test(a_long_action_is_spread), cmocka_unit_test(trim_frees_what_the_system_got),
      cmocka_unit_test(an_empty_recording),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
