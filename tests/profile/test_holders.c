/* test_holders.c - the stacks that hold most as JSON, by hand-made views. */
#include "profile/render.h"

#include "stats/json_check.h"
#include "support/check.h"

enum { DEEP = 14 };

static tm__place places[DEEP + 1]; /* frames 1 to DEEP, the last one hosted */
static char names[DEEP][8], text[1 << 16];

static const char *told(const tm__view *view)
{
  tm__emit e;
  tm__emit_init(&e, text, sizeof text);
  tm__holders_emit(&e, view);
  size_t length = tm__emit_end(&e);
  assert_in_range(length, 1, sizeof text - 1);
  assert_true(json_is_sound(text));
  char cut[16];
  tm__emit_init(&e, cut, sizeof cut);
  tm__holders_emit(&e, view);
  assert_int_equal(tm__emit_end(&e), length);
  assert_memory_equal(cut, text, sizeof cut - 1);
  return text;
}

static unsigned count_of(const char *part)
{
  unsigned count = 0;
  for (const char *at = text; (at = strstr(at, part)); at++)
    count++;
  return count;
}

/* Frame i of the tables is the place i, called "f1" and so on; frame DEEP is a line of a script. */
static int prepare(void **state)
{
  (void)state;
  assert_int_equal(tm__tables_start(1), 0);
  for (unsigned i = 0; i < DEEP; i++) {
    (void)snprintf(names[i], sizeof names[i], "f%u", i + 1);
    places[i] = (tm__place){.frame = i + 1, .name = names[i]};
    tm__tables.rooms->frames[i] = i + 1;
  }
  places[DEEP] = (tm__place){.frame = tm__frame_of(0, 19), .name = "handle", .file = "/a/shop.py"};
  tm__tables.rooms->frames[DEEP] = places[DEEP].frame;
  tm__tables.rooms->owners[0] = (tm__owner){.heap = "default", .pool = "obj"};
  tm__tables.rooms->owners[1] = (tm__owner){.heap = "o\"dd", .pool = "a\nb"};
  return 0;
}

static tm__view view_of(tm__view_row *rows, uint32_t count)
{
  return (tm__view){.row_count = count, .rows = rows, .place_count = DEEP + 1, .places = places};
}

static void nothing_is_an_empty_list(void **state)
{
  (void)state;
  tm__view none = {.row_count = 0};
  assert_string_equal(told(&none), "{\"mean_bytes\":0,\"running\":false,\"samples_live\":0,"
                                   "\"live_bytes\":0,\"holders\":[]}\n");
}

static void the_largest_first_with_all_that_is_known(void **state)
{
  (void)state;
  tm__site small = {.first = 0, .depth = 2}, large = {.first = 2, .depth = 1, .owner = 1},
           none = {.depth = 0}, freed = {.first = 4, .depth = 1};
  tm__view_row rows[] = {{.site = &small, .live_bytes = 99.6, .live_blocks = 2.4},
                         {.site = &freed, .bytes = 1e6},
                         {.site = &none, .live_bytes = 1, .live_blocks = 1},
                         {.site = &large, .live_bytes = 5000, .live_blocks = 7}};
  tm__view view = view_of(rows, 4);
  view.mean_bytes = 4096;
  view.live = 3;
  view.running = true;
  assert_string_equal(
      told(&view),
      "{\"mean_bytes\":4096,\"running\":true,\"samples_live\":3,\"live_bytes\":5101,\"holders\":["
      "{\"bytes\":5000,\"blocks\":7,\"heap\":\"o\\\"dd\",\"pool\":\"a\\nb\",\"who\":\"f3\","
      "\"frames\":[\"f3\"],\"more\":false},"
      "{\"bytes\":100,\"blocks\":2,\"heap\":\"default\",\"pool\":\"obj\",\"who\":\"f1\","
      "\"frames\":[\"f1\",\"f2\"],\"more\":false},"
      "{\"bytes\":1,\"blocks\":1,\"heap\":\"default\",\"pool\":\"obj\",\"who\":\"(unknown)\","
      "\"frames\":[],\"more\":false}]}\n");
}

/* An interpreter's allocator holds nothing: the script's line does, however deep it is. */
static void it_is_called_by_the_innermost_frame_with_a_file(void **state)
{
  (void)state;
  tm__site deep = {.first = 0, .depth = DEEP + 1}, fits = {.first = DEEP - 11, .depth = 12};
  tm__view_row rows[] = {{.site = &deep, .live_bytes = 2}, {.site = &fits, .live_bytes = 1}};
  tm__view view = view_of(rows, 2);
  (void)told(&view);
  assert_int_equal(count_of("\"who\":\"handle (shop.py:19)\""), 2);
  assert_non_null(strstr(text, "\"frames\":[\"f1\",\"f2\","));
  assert_non_null(strstr(text, "\"f12\"],\"more\":true}"));
  assert_non_null(strstr(text, "\"f14\",\"handle (shop.py:19)\"],\"more\":false}"));
}

static void our_own_frames_are_left_out(void **state)
{
  (void)state;
  places[1].ours = true;
  tm__site site = {.first = 0, .depth = 4};
  tm__view_row row = {.site = &site, .live_bytes = 1};
  tm__view view = view_of(&row, 1);
  assert_non_null(strstr(told(&view), "\"who\":\"f3\",\"frames\":[\"f3\",\"f4\"],\"more\":false"));
}

/* Equal ones are told once each, and no more than twelve; all of them are in the sum. */
static void twelve_of_many_equal_ones(void **state)
{
  (void)state;
  tm__site sites[DEEP];
  tm__view_row rows[DEEP];
  for (unsigned i = 0; i < DEEP; i++) {
    sites[i] = (tm__site){.first = i, .depth = 1};
    rows[i] = (tm__view_row){.site = &sites[i], .live_bytes = 10};
  }
  tm__view view = view_of(rows, DEEP);
  (void)told(&view);
  assert_int_equal(count_of("\"who\":"), 12);
  assert_int_equal(count_of("\"who\":\"f1\""), 1);
  assert_int_equal(count_of("\"who\":\"f12\""), 1);
  assert_non_null(strstr(text, "\"live_bytes\":140,"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(nothing_is_an_empty_list, prepare),
      cmocka_unit_test_setup(the_largest_first_with_all_that_is_known, prepare),
      cmocka_unit_test_setup(it_is_called_by_the_innermost_frame_with_a_file, prepare),
      cmocka_unit_test_setup(our_own_frames_are_left_out, prepare),
      cmocka_unit_test_setup(twelve_of_many_equal_ones, prepare),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
