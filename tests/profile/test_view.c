/* test_view.c - a profile at one moment: sums, places in order, names, what is skipped. */
#include "profile/view.h"

#include "support/check.h"

static tm__view view;

static void add(uint64_t address, uint64_t bytes, const tm__stack *stack)
{
  static const tm__owner owner = {"heap", "pool"};
  tm__sample sample = {.address = (const void *)(uintptr_t)address, .bytes = bytes};
  sample.charged = bytes;
  must(tm__tables_enter(sample.address));
  tm__tables_describe(&sample, &owner, stack);
}

static void nothing_was_started(void **state)
{
  (void)state;
  assert_int_equal(tm__view_take(&view), 0);
  assert_int_equal(view.row_count, 0);
  assert_int_equal(view.place_count, 0);
  tm__view_drop(&view);
}

static void live_and_total(void **state)
{
  (void)state;
  tm__stack a = {.depth = 2, .frames = {500, 100}}, b = {.depth = 2, .frames = {500, 300}};
  assert_int_equal(tm__tables_start(1), 0);
  add(0x10, 16, &a);
  add(0x20, 32, &a);
  add(0x30, 64, &b);
  assert_true(tm__tables_remove((const void *)0x10));
  assert_int_equal(tm__view_take(&view), 0);
  assert_int_equal(view.row_count, 2);
  assert_true(view.rows[0].bytes == 48 && view.rows[0].blocks == 2);
  assert_true(view.rows[0].live_bytes == 32 && view.rows[0].live_blocks == 1);
  assert_true(view.rows[1].live_bytes == 64);
  /* each frame once, in order */
  assert_int_equal(view.place_count, 3);
  assert_int_equal(view.places[0].frame, 100);
  assert_int_equal(view.places[2].frame, 500);
  assert_int_equal(tm__view_place(&view, 300), 1);
  tm__view_drop(&view);
}

static void many_places_are_in_order(void **state)
{
  (void)state;
  assert_int_equal(tm__tables_start(1), 0);
  for (uint64_t i = 0; i < 3000; i++) {
    tm__stack stack = {.depth = 3, .frames = {i * 7919 % 4001 + 1, i * 31 % 997 + 5000, 9000}};
    add(0x1000 + 16 * i, 16, &stack);
  }
  assert_int_equal(tm__view_take(&view), 0);
  for (uint32_t i = 1; i < view.place_count; i++)
    assert_true(view.places[i - 1].frame < view.places[i].frame);
  assert_int_equal(view.places[view.place_count - 1].frame, 9000);
  tm__view_drop(&view);
}

__attribute__((noinline)) static void named_function(tm__stack *stack)
{
  tm__stack_take(stack);
  stack->frames[0] += 0; /* no tail call */
}

static void frames_have_their_names(void **state)
{
  (void)state;
  tm__stack stack;
  tm__stack_prepare();
  assert_int_equal(tm__tables_start(1), 0);
  named_function(&stack);
  int64_t function = tm__tables_function("handler", "/app/views.py");
  tm__stack_push(&stack, tm__frame_of((uint32_t)function, 12));
  add(0x99990, 16, &stack);
  assert_int_equal(tm__view_take(&view), 0);
  const tm__place *inner = &view.places[tm__view_place(&view, stack.frames[0])];
  assert_string_equal(inner->name, "named_function");
  assert_non_null(inner->module);
  assert_true(*inner->module->build_id || inner->module->file);
  const tm__place *hosted = &view.places[tm__view_place(&view, stack.frames[stack.depth - 1])];
  assert_string_equal(hosted->name, "handler");
  assert_string_equal(hosted->file, "/app/views.py");
  assert_int_equal(tm__view_skip(&view, view.rows[0].site), 0);
  tm__view_drop(&view);
}

/* Named as ours are, in a program that is linked with the archive. */
__attribute__((noinline)) static void tm_like_ours(tm__stack *stack)
{
  named_function(stack);
  stack->frames[0] += 0;
}

static void our_own_frames_are_skipped(void **state)
{
  (void)state;
  tm__stack stack;
  assert_int_equal(tm__tables_start(1), 0);
  tm_like_ours(&stack);
  add(0x88880, 16, &stack);
  assert_int_equal(tm__view_take(&view), 0);
  assert_int_equal(tm__view_skip(&view, view.rows[0].site), 2); /* up to the outermost of ours */
  tm__view_drop(&view);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_was_started),        cmocka_unit_test(live_and_total),
      cmocka_unit_test(many_places_are_in_order),   cmocka_unit_test(frames_have_their_names),
      cmocka_unit_test(our_own_frames_are_skipped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
