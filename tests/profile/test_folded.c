/* test_folded.c - stacks as text, by hand-made views. */
#include "profile/render.h"

#include "support/check.h"

static tm__module module = {
    .begin = 0x1000, .end = 0x9000, .offset = 0x100, .path = "/lib/libx.so"};
static char text[512];

static const char *text_of(const tm__place *place)
{
  tm__place_text(place, text, sizeof text);
  return text;
}

static void a_place_has_the_best_name_there_is(void **state)
{
  (void)state;
  tm__place hosted = {.frame = tm__frame_of(0, 7), .name = "f", .file = "/a/b.py"};
  assert_string_equal(text_of(&hosted), "f (b.py:7)");
  assert_string_equal(text_of(&(tm__place){.frame = 1, .name = "g", .module = &module}), "g");
  assert_string_equal(text_of(&(tm__place){.frame = 0x1010, .module = &module}), "libx.so+0x110");
  assert_string_equal(text_of(&(tm__place){.frame = 0xabc}), "0xabc");
}

static void a_line_for_each_stack_that_holds_something(void **state)
{
  (void)state;
  assert_int_equal(tm__tables_start(1), 0);
  const tm__frame frames[] = {10, 20, 30};
  memcpy(tm__tables.rooms->frames, frames, sizeof frames);
  tm__place places[] = {{.frame = 10, .name = "leaf; or\nnot"},
                        {.frame = 20, .name = "middle"},
                        {.frame = 30, .name = "root"}};
  tm__site full = {.first = 0, .depth = 3}, part = {.first = 1, .depth = 1}, none = {.depth = 0};
  tm__view_row rows[] = {{.site = &full, .live_bytes = 4096.4},
                         {.site = &part, .live_bytes = 0, .bytes = 99},
                         {.site = &none, .live_bytes = 1.5}};
  tm__view view = {.row_count = 3, .place_count = 3, .rows = rows, .places = places};
  tm__emit e;
  tm__emit_init(&e, text, sizeof text);
  tm__folded_emit(&e, &view);
  (void)tm__emit_end(&e);
  assert_string_equal(text, "root;middle;leaf: or?not 4096\n(unknown) 2\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_place_has_the_best_name_there_is),
      cmocka_unit_test(a_line_for_each_stack_that_holds_something),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
