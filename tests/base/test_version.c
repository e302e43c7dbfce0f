/* test_version.c - the version and the sentences of the errors. */
#include <tidemark/version.h>

#include "support/check.h"

typedef struct named_error {
  const char *name;
  int value;
  const char *sentence;
} named_error;

#define ROW(name, value, sentence) {#name, name, sentence},
static const named_error errors[] = {TM_ERRORS(ROW)};
enum { ERRORS = sizeof errors / sizeof errors[0] };

static void each_error_has_its_sentence(void **state)
{
  (void)state;
  for (int i = 0; i < ERRORS; i++) {
    assert_string_equal(tm_strerror(errors[i].value), errors[i].sentence);
    assert_true(strlen(errors[i].sentence) > 5);
  }
}

static void errors_are_negative_and_distinct(void **state)
{
  (void)state;
  for (int i = 0; i < ERRORS; i++) {
    assert_true(errors[i].value < 0);
    for (int j = 0; j < i; j++) {
      assert_int_not_equal(errors[i].value, errors[j].value);
      assert_string_not_equal(errors[i].sentence, errors[j].sentence);
    }
  }
}

/* Programs are compiled against these numbers. */
static void the_values_never_change(void **state)
{
  (void)state;
  static const int values[] = {TM_EINVAL, TM_ENOMEM, TM_EBUSY,  TM_ENOTSUP,
                               TM_ERANGE, TM_EIO,    TM_EAGAIN, TM_ECORRUPT};
  for (int i = 0; i < (int)(sizeof values / sizeof values[0]); i++)
    assert_int_equal(values[i], -1 - i);
  assert_int_equal(TM_OK, 0);
}

static void other_numbers_are_unknown(void **state)
{
  (void)state;
  static const int others[] = {1, -9, -1000, 2147483647, -2147483647 - 1};
  assert_string_equal(tm_strerror(0), "ok");
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    assert_string_equal(tm_strerror(others[i]), "unknown error");
}

static void the_version_is_the_headers(void **state)
{
  (void)state;
  char built[32];
  (void)snprintf(built, sizeof built, "%d.%d.%d", TM_VERSION_MAJOR, TM_VERSION_MINOR,
                 TM_VERSION_PATCH);
  assert_string_equal(TM_VERSION_STRING, built);
  assert_string_equal(tm_version(), built);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_error_has_its_sentence),
      cmocka_unit_test(errors_are_negative_and_distinct),
      cmocka_unit_test(the_values_never_change),
      cmocka_unit_test(other_numbers_are_unknown),
      cmocka_unit_test(the_version_is_the_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
