/* The date of an answer, made without libc's help, against libc. */
#include "monitor/client.h"

#include <time.h>

#include "monitor/answer.h"

static void assert_date(uint64_t seconds)
{
  char ours[64], theirs[64];
  time_t when = (time_t)seconds;
  struct tm parts;
  tm__emit e;
  tm__emit_init(&e, ours, sizeof ours);
  tm__answer_date(&e, seconds);
  assert_true(tm__emit_end(&e) < sizeof ours);
  strftime(theirs, sizeof theirs, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &parts));
  assert_string_equal(ours, theirs);
}

static void dates_agree_with_libc(void **state)
{
  (void)state;
  assert_date(0);
  assert_date(951782399);  /* 28 February 2000, the last second */
  assert_date(951782400);  /* 29 February 2000 */
  assert_date(951868800);  /* 1 March 2000 */
  assert_date(4107542399); /* 28 February 2100, no leap year */
  assert_date(4107542400);
  /* every day of 130 years, at changing times of the day */
  for (uint64_t day = 0; day < 130 * 366; day++)
    assert_date(day * 86400 + day * 7919 % 86400);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(dates_agree_with_libc)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
