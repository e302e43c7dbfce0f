/* Addresses, taken apart. */
#include "support/check.h"
#include "view/place.h"

static tm__place place;
static tm__complaint complaint;

static void addresses(void **state)
{
  static const struct {
    const char *text, *host, *port, *path, *name;
  } cases[] = {
      {"http://127.0.0.1:9464/", "127.0.0.1", "9464", "", "http://127.0.0.1:9464/"},
      {"http://db1.example:80", "db1.example", "80", "", "http://db1.example:80/"},
      {"localhost:1", "localhost", "1", "", "http://localhost:1/"},
      {":65535", "127.0.0.1", "65535", "", "http://127.0.0.1:65535/"},
      {"[::1]:9464", "::1", "9464", "", "http://[::1]:9464/"},
      {"http://[fe80::1]:9/", "fe80::1", "9", "", "http://[fe80::1]:9/"},
      {"unix:/run/app.sock", "", "", "/run/app.sock", "unix:/run/app.sock"},
      {"unix:app.sock", "", "", "app.sock", "unix:app.sock"},
  };
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    assert_int_equal(tm__place_parse(cases[i].text, &place, &complaint), 0);
    assert_string_equal(place.host, cases[i].host);
    assert_string_equal(place.port, cases[i].port);
    assert_string_equal(place.path, cases[i].path);
    assert_string_equal(place.name, cases[i].name);
  }
}

static void no_addresses(void **state)
{
  static const char *const cases[] = {
      "",      ":",          "localhost",   "localhost:",  "localhost:0", ":65536",  ":123456",
      ":1x",   ":1/metrics", "http://:1//", "https://a:1", "a b:1",       "a?b:1",   "u@h:1",
      "[::1]", "[::1:5",     "[::1]5",      "unix:",       "http://",     "[a%b]:1", "a\r\nb:1"};
  char longest[400];
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++)
    if (tm__place_parse(cases[i], &place, &complaint) != TM_EXIT_USAGE)
      fail_msg("'%s' was taken", cases[i]);
  memset(longest, 'a', sizeof longest);
  memcpy(longest + 300, ":1", 3);
  assert_int_equal(tm__place_parse(longest, &place, &complaint), TM_EXIT_USAGE);
  memcpy(longest, "unix:", 5);
  assert_int_equal(tm__place_parse(longest, &place, &complaint), TM_EXIT_USAGE);
}

static void numbers_of_processes(void **state)
{
  (void)state;
  assert_true(tm__place_is_pid("1234"));
  assert_false(tm__place_is_pid(""));
  assert_false(tm__place_is_pid(":1234"));
  assert_false(tm__place_is_pid("12a"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses),
      cmocka_unit_test(no_addresses),
      cmocka_unit_test(numbers_of_processes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
