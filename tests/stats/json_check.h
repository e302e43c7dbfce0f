/* json_check.h - whether a text is one JSON value, and the numbers in it by their path. */
#ifndef TESTS_STATS_JSON_CHECK_H
#define TESTS_STATS_JSON_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *json_value(const char *at);

static inline const char *json_string(const char *at)
{
  if (!at || *at++ != '"')
    return NULL;
  for (; *at != '"'; at++) {
    if ((unsigned char)*at < 0x20)
      return NULL;
    if (*at == '\\' && !strchr("\"\\/bfnrtu", *++at))
      return NULL;
  }
  return at + 1;
}

/* Items up to `end`; with_keys: "key": before each. */
static inline const char *json_items(const char *at, char end, bool with_keys)
{
  if (*++at == end)
    return at + 1;
  for (;;) {
    if (with_keys) {
      at = json_string(at);
      if (!at || *at++ != ':')
        return NULL;
    }
    at = json_value(at);
    if (!at)
      return NULL;
    if (*at == end)
      return at + 1;
    if (*at++ != ',')
      return NULL;
    at += *at == '\n';
  }
}

/* Behind the value at `at`, or NULL when there is none. */
static inline const char *json_value(const char *at)
{
  if (!at)
    return NULL;
  at += *at == '\n';
  if (*at == '{')
    return json_items(at, '}', true);
  if (*at == '[') {
    at = json_items(at + (at[1] == '\n'), ']', false);
    return at;
  }
  if (*at == '"')
    return json_string(at);
  if (strncmp(at, "null", 4) == 0 || strncmp(at, "true", 4) == 0)
    return at + 4;
  if (strncmp(at, "false", 5) == 0)
    return at + 5;
  const char *first = at;
  at += *at == '-';
  while (isdigit((unsigned char)*at))
    at++;
  return at > first ? at : NULL;
}

/* true iff the text is exactly one value, with a line feed behind it or not. */
static inline bool json_is_sound(const char *text)
{
  const char *end = json_value(text);
  return end && (*end == 0 || strcmp(end, "\n") == 0);
}

/* The text behind the first "key": at or after `from`; NULL when there is none. */
static inline const char *json_at(const char *from, const char *key)
{
  char quoted[128];
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  const char *at = from ? strstr(from, quoted) : NULL;
  return at ? at + strlen(quoted) : NULL;
}

#endif
