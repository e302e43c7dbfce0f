/* test_stack.c - stacks, cut at their depth, and what a host does to them. */
#include "profile/stack.h"

#include "support/check.h"
#include "support/threads.h"

static tm__stack taken;
static volatile int depth_sink;

__attribute__((noinline)) static void take_at(int depth)
{
  if (depth == 0)
    tm__stack_take(&taken);
  else
    take_at(depth - 1);
  depth_sink = depth; /* no tail call */
}

static uint32_t depth_after(int depth)
{
  take_at(depth);
  return taken.depth;
}

static void each_call_is_a_frame(void **state)
{
  (void)state;
  tm__stack_prepare();
  uint32_t shallow = depth_after(1), deep = depth_after(11);
  assert_int_equal(deep, shallow + 10);
  for (uint32_t i = 2; i < 9; i++) /* a sanitizer has a frame before ours */
    assert_int_equal(taken.frames[i + 1], taken.frames[i]); /* the recursive call */
  assert_false(taken.cut);
}

static void deep_ones_are_cut(void **state)
{
  (void)state;
  assert_int_equal(depth_after(500), TM__STACK_FRAMES);
  assert_true(taken.cut);
}

static void add_two(tm__stack *stack)
{
  stack->depth = 1;
  tm__stack_push(stack, tm__frame_of(5, 42));
  tm__stack_push(stack, tm__frame_of(70000, 1 << 20));
}

static void a_host_has_the_last_word(void **state)
{
  (void)state;
  tm__stack_host_set(add_two);
  assert_int_equal(depth_after(3), 3);
  tm__stack_host_set(NULL);
  assert_false(tm__frame_is_hosted(taken.frames[0]));
  assert_true(tm__frame_is_hosted(taken.frames[1]));
  assert_int_equal(tm__frame_function(taken.frames[1]), 5);
  assert_int_equal(tm__frame_line(taken.frames[1]), 42);
  assert_int_equal(tm__frame_function(taken.frames[2]), 70000);
  assert_int_equal(tm__frame_line(taken.frames[2]), 1 << 20);
}

static void take_some(void *unused, unsigned index)
{
  (void)unused, (void)index;
  tm__stack mine;
  for (int i = 0; i < 200; i++) {
    tm__stack_take(&mine);
    must(mine.depth > 1);
  }
}

static void many_threads_take(void **state)
{
  (void)state;
  threads_run(4, take_some, NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_call_is_a_frame),
      cmocka_unit_test(deep_ones_are_cut),
      cmocka_unit_test(a_host_has_the_last_word),
      cmocka_unit_test(many_threads_take),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
