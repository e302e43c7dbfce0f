/* Rows of a given width: cutting, colours, and bytes that a terminal would obey. */
#include "support/check.h"
#include "view/screen.h"

static tm__screen s;

static int plain(void **state)
{
  (void)state;
  tm__screen_clear(&s, 20, false, true);
  return 0;
}

static void assert_row(int row, const char *text)
{
  assert_true(row < s.count);
  assert_string_equal(s.rows[row].bytes, text);
}

static void rows_are_cut_at_the_edge(void **state)
{
  (void)state;
  tm__screen_add(&s, TM__BOLD, "0123456789");
  tm__screen_addf(&s, TM__PLAIN, "%s-%d", "abc", 5);
  assert_int_equal(tm__screen_room(&s), 5);
  tm__screen_add(&s, TM__PLAIN, "vwxyz more");
  assert_row(0, "0123456789abc-5vwxyz");
  assert_int_equal(tm__screen_room(&s), 0);
  tm__screen_clear(&s, 3, false, true);
  assert_int_equal(s.width, 20);
}

static void a_character_is_a_column(void **state)
{
  (void)state;
  for (int i = 0; i < 30; i++)
    tm__screen_add(&s, TM__PLAIN, "\xC3\xA9");
  assert_int_equal(s.rows[0].columns, 20);
  assert_int_equal(s.rows[0].length, 40);
  tm__screen_clear(&s, 20, false, false);
  tm__screen_add(&s, TM__PLAIN, "caf\xC3\xA9!");
  assert_row(0, "caf?!");
}

static void nothing_commands_the_terminal(void **state)
{
  (void)state;
  tm__screen_add(&s, TM__PLAIN,
                 "a\033[2Jb\r\n\x7F\xC2\x9B"
                 "c\xC2\xA0");
  assert_row(0, "a?[2Jb????c\xC2\xA0");
}

static void colours_end_where_the_text_does(void **state)
{
  (void)state;
  tm__screen_clear(&s, 20, true, true);
  tm__screen_add(&s, TM__BAD, "0123456789012345678901234567890");
  assert_row(0, "\033[31m01234567890123456789\033[0m");
  tm__screen_row_begin(&s);
  tm__screen_add(&s, TM__PLAIN, "x");
  tm__screen_add(&s, TM__GOOD, "");
  assert_row(1, "x");
}

static void columns(void **state)
{
  (void)state;
  tm__screen_left(&s, TM__PLAIN, "name", 6);
  tm__screen_right(&s, TM__PLAIN, "12", 5);
  tm__screen_left(&s, TM__PLAIN, "toolong", 4);
  assert_row(0, "name     12tool");
}

static void pairs_flow_into_the_next_row(void **state)
{
  (void)state;
  tm__screen_row_begin(&s);
  tm__screen_pair(&s, "one", TM__PLAIN, "11");
  tm__screen_pair(&s, "two", TM__PLAIN, "22");
  tm__screen_pair(&s, "three", TM__PLAIN, "33");
  assert_row(0, "  one 11  two 22");
  assert_row(1, "  three 33");
}

static void words_wrap(void **state)
{
  (void)state;
  tm__screen_wrap(&s, TM__PLAIN, 2, "It was the best of times, and so on.");
  assert_row(0, "  It was the best of");
  assert_row(1, "  times, and so on.");
  assert_int_equal(s.count, 2);
}

static void bars(void **state)
{
  (void)state;
  tm__screen_clear(&s, 20, false, false);
  tm__screen_bar(&s, TM__GOOD, 8, 3, 4);
  tm__screen_bar(&s, TM__GOOD, 4, 9, 4);
  tm__screen_bar(&s, TM__GOOD, 4, 9, 0);
  assert_row(0, "######..####....");
}

/* However much is added: memory ends, the program does not. */
static void there_is_an_end(void **state)
{
  (void)state;
  tm__screen_clear(&s, 100000, true, true);
  for (int i = 0; i < 5000; i++)
    tm__screen_add(&s, TM__BAD, "\xE2\x96\x88");
  assert_true(s.rows[0].length < sizeof s.rows[0].bytes);
  for (int i = 0; i < TM__ROWS + 5; i++)
    tm__screen_row_begin(&s);
  assert_int_equal(s.count, TM__ROWS);
}

#define PLAIN(name) cmocka_unit_test_setup(name, plain)

int main(void)
{
  const struct CMUnitTest tests[] = {
      PLAIN(rows_are_cut_at_the_edge),
      PLAIN(a_character_is_a_column),
      PLAIN(nothing_commands_the_terminal),
      PLAIN(colours_end_where_the_text_does),
      PLAIN(columns),
      PLAIN(pairs_flow_into_the_next_row),
      PLAIN(words_wrap),
      PLAIN(bars),
      PLAIN(there_is_an_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
