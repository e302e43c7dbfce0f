/* html_check.h - whether a piece of HTML is well-formed, as far as we write it. */
#ifndef TESTS_MONITOR_HTML_CHECK_H
#define TESTS_MONITOR_HTML_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Every element that is opened is closed, in order. */
static inline void assert_nested(const char *html)
{
  static const char *const empty[] = {"meta", "polygon", "line", "!doctype"};
  char open[64][16];
  size_t depth = 0;
  for (const char *at = html; (at = strchr(at, '<')); at++) {
    char name[16];
    bool closes = at[1] == '/', is_empty = false;
    size_t length = strcspn(at + 1 + closes, " />\n");
    assert_true(length > 0 && length < sizeof name);
    snprintf(name, sizeof name, "%.*s", (int)length, at + 1 + closes);
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++)
      is_empty = is_empty || strcmp(name, empty[i]) == 0;
    if (is_empty)
      continue;
    if (!closes) {
      assert_true(depth < 64);
      strcpy(open[depth++], name);
    } else if (depth == 0 || strcmp(open[--depth], name) != 0) {
      fail_msg("</%s> closes <%s>", name, open[depth]);
    }
  }
  assert_int_equal(depth, 0);
}

#endif
