/* test_similar.c - guesses at what a misspelt word meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/similar.h"

static const char *guess(const char *word)
{
  static const char *const words[] = {"--soft", "--hard", "--serve", "--report", "run", "help"};
  return tm__most_similar(word, words, TM_ARRAY_LEN(words));
}

static void slips_are_understood(void **state)
{
  (void)state;
  assert_string_equal(guess("--sotf"), "--soft");     /* swapped */
  assert_string_equal(guess("--serv"), "--serve");    /* left out */
  assert_string_equal(guess("--harrd=1G"), "--hard"); /* doubled, with a value */
  assert_string_equal(guess("--rapport"), "--report");
  assert_string_equal(guess("rnu"), "run");
  assert_string_equal(guess("hlep"), "help");
}

static void other_words_are_left_alone(void **state)
{
  (void)state;
  assert_null(guess("--quiet"));
  assert_null(guess("ls"));
  assert_null(guess(""));
  assert_null(guess("--a-very-long-option-that-nobody-has"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slips_are_understood),
      cmocka_unit_test(other_words_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
