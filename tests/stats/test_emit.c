/* What the emitter writes, what it counts, and that it never writes past the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stats/emit.h"

static void everything(tm__emit *e)
{
  bool first = true;
  tm__emit_key(e, &first, "a");
  tm__emit_u64(e, UINT64_MAX);
  tm__emit_key(e, &first, "b");
  tm__emit_i64(e, INT64_MIN);
  tm__emit_char(e, ' ');
  tm__emit_seconds(e, 1500000000);
  tm__emit_text(e, " <");
  tm__emit_html(e, "<&>");
  tm__emit_json_string(e, "q\"\n");
}

static const char everything_text[] =
    "\"a\":18446744073709551615,\"b\":-9223372036854775808 1.5 <&lt;&amp;&gt;\"q\\\"\\n\"";

/* Every capacity from 0 to more than enough: the length is the same, the text is its beginning. */
static void cuts_at_every_capacity(void **state)
{
  (void)state;
  size_t whole = strlen(everything_text);
  for (size_t capacity = 0; capacity < whole + 8; capacity++) {
    char buffer[256];
    tm__emit e;
    memset(buffer, '~', sizeof buffer);
    tm__emit_init(&e, capacity ? buffer : NULL, capacity);
    everything(&e);
    assert_int_equal(tm__emit_end(&e), whole);
    size_t kept = capacity == 0 ? 0 : capacity - 1 < whole ? capacity - 1 : whole;
    assert_memory_equal(buffer, everything_text, kept);
    if (capacity)
      assert_int_equal(buffer[kept], 0);
    for (size_t i = capacity > whole ? whole + 1 : capacity; i < sizeof buffer; i++)
      assert_int_equal(buffer[i], '~');
  }
}

/* What `escape` makes of text. */
static const char *escaped(void (*escape)(tm__emit *, const char *), const char *text)
{
  static char buffer[256];
  tm__emit e;
  tm__emit_init(&e, buffer, sizeof buffer);
  escape(&e, text);
  assert_true(tm__emit_end(&e) < sizeof buffer);
  return buffer;
}

static void json_strings(void **state)
{
  (void)state;
  assert_string_equal(escaped(tm__emit_json_string, ""), "\"\"");
  assert_string_equal(escaped(tm__emit_json_string, "a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\"");
  assert_string_equal(escaped(tm__emit_json_string, "\x01\x1f\x7f\t"),
                      "\"\\u0001\\u001f\\u007f\\u0009\"");
  assert_string_equal(escaped(tm__emit_json_string, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x8D"),
                      "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x8D\"");
}

/* Names are cut to a number of bytes and may come from anywhere: the text stays UTF-8. */
static void broken_utf8_is_replaced(void **state)
{
  static const struct {
    const char *broken, *shown;
  } cases[] = {
      {"a\xC3", "a\xEF\xBF\xBD"},                               /* cut */
      {"\xF0\x9F\x90", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* cut later */
      {"\x80", "\xEF\xBF\xBD"},                                 /* no lead byte */
      {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* overlong */
      {"\xE0\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* surrogate */
      {"\xF5\x80\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xFF", "\xEF\xBF\xBD"},
      {"\xEF\xBF\xBF", "\xEF\xBF\xBF"}, /* a character, if an odd one */
      {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(escaped(tm__emit_label_value, cases[i].broken), cases[i].shown);
}

static void label_values(void **state)
{
  (void)state;
  assert_string_equal(escaped(tm__emit_label_value, "a\"b\\c\nd\te"), "a\\\"b\\\\c\\nd\te");
}

static void html_text(void **state)
{
  (void)state;
  assert_string_equal(escaped(tm__emit_html, "<a href='x'>\"&\x02"),
                      "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\xEF\xBF\xBD");
}

static void seconds(void **state)
{
  static const struct {
    uint64_t ns;
    const char *text;
  } cases[] = {{0, "0"},
               {1, "0.000000001"},
               {10, "0.00000001"},
               {999999999, "0.999999999"},
               {1000000000, "1"},
               {1500000000, "1.5"},
               {60000000001, "60.000000001"},
               {UINT64_MAX, "18446744073.709551615"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char buffer[64];
    tm__emit e;
    tm__emit_init(&e, buffer, sizeof buffer);
    tm__emit_seconds(&e, cases[i].ns);
    (void)tm__emit_end(&e);
    assert_string_equal(buffer, cases[i].text);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cuts_at_every_capacity),
      cmocka_unit_test(json_strings),
      cmocka_unit_test(broken_utf8_is_replaced),
      cmocka_unit_test(label_values),
      cmocka_unit_test(html_text),
      cmocka_unit_test(seconds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
