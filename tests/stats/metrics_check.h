/*
 * metrics_check.h - the grammar of both metrics formats, as far as we write it: families stand
 * together and are described before their samples, no sample comes twice, names and types fit.
 */
#ifndef TESTS_STATS_METRICS_CHECK_H
#define TESTS_STATS_METRICS_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct metrics_check {
  bool open; /* OpenMetrics */
  char family[128], type[256];
  size_t families, samples;
  char names[256][128]; /* families so far */
  char **seen;          /* samples so far: name and labels */
} metrics_check;

static inline bool ends_in(const char *text, const char *end)
{
  size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

static inline void check_name(const char *name)
{
  if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") != strlen(name))
    fail_msg("'%s' is no name for a metric", name);
}

/* A new family: nobody had its name before. */
static inline void check_family(metrics_check *c, const char *name)
{
  check_name(name);
  for (size_t i = 0; i < c->families; i++)
    if (strcmp(c->names[i], name) == 0)
      fail_msg("family %s is in two parts, or two families have its name", name);
  snprintf(c->names[c->families++], sizeof c->names[0], "%s", name);
  snprintf(c->family, sizeof c->family, "%s", name);
  c->type[0] = 0;
}

static inline void check_comment(metrics_check *c, const char *line)
{
  char what[8], name[128], rest[256];
  if (sscanf(line, "# %7s %127s %255[^\n]", what, name, rest) != 3)
    fail_msg("'%s' describes nothing", line);
  if (strcmp(what, "HELP") == 0)
    check_family(c, name);
  if (strcmp(name, c->family) != 0)
    fail_msg("'%s' stands in family %s", line, c->family);
  if (strcmp(what, "TYPE") == 0)
    snprintf(c->type, sizeof c->type, "%s", rest);
  if (strcmp(what, "UNIT") == 0 && !ends_in(name, rest))
    fail_msg("%s does not end in its unit %s", name, rest);
  if (strcmp(what, "TYPE") == 0 && strcmp(rest, "counter") == 0 &&
      c->open == ends_in(name, "_total"))
    fail_msg("counter %s has the wrong end for this format", name);
  if (strcmp(what, "UNIT") == 0 && !c->open)
    fail_msg("the older format knows no UNIT");
}

/* Does a sample of this name belong to the family that is open? */
static inline bool belongs(const metrics_check *c, const char *name)
{
  size_t n = strlen(c->family);
  if (strncmp(name, c->family, n) != 0)
    return false;
  const char *suffix = name + n;
  if (strcmp(c->type, "histogram") == 0)
    return !strcmp(suffix, "_bucket") || !strcmp(suffix, "_sum") || !strcmp(suffix, "_count");
  if (c->open && strcmp(c->type, "counter") == 0)
    return strcmp(suffix, "_total") == 0;
  if (c->open && strcmp(c->type, "info") == 0)
    return strcmp(suffix, "_info") == 0;
  return *suffix == 0;
}

static inline void check_sample(metrics_check *c, char *line)
{
  char name[128], *end;
  char *value = strrchr(line, ' ');
  assert_non_null(value);
  (void)strtod(value + 1, &end);
  if (end == value + 1 || *end)
    fail_msg("'%s' has no value", line);
  if (strstr(value, "nan") || strstr(value, "NaN") || strstr(value, "inf"))
    fail_msg("'%s': what is not known is left out", line);
  *value = 0;
  snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "{"), line);
  check_name(name);
  if (!c->type[0] || !belongs(c, name))
    fail_msg("%s does not belong to family %s of type %s", name, c->family, c->type);
  c->seen = realloc(c->seen, (c->samples + 1) * sizeof *c->seen);
  c->seen[c->samples++] = line;
}

static inline int by_text(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Fails the test unless the text is sound. Cuts it into lines. Returns the number of samples. */
static inline size_t metrics_check_text(char *text, bool open)
{
  metrics_check *c = calloc(1, sizeof *c);
  c->open = open;
  size_t length = strlen(text);
  assert_true(length > 0 && text[length - 1] == '\n');
  if (open) {
    assert_true(length > 6 && strcmp(text + length - 6, "# EOF\n") == 0);
    text[length - 6] = 0;
  }
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
    if (*line == '#')
      check_comment(c, line);
    else
      check_sample(c, line);
  qsort(c->seen, c->samples, sizeof *c->seen, by_text);
  for (size_t i = 1; i < c->samples; i++)
    if (strcmp(c->seen[i - 1], c->seen[i]) == 0)
      fail_msg("%s comes twice", c->seen[i]);
  size_t samples = c->samples;
  free(c->seen);
  free(c);
  return samples;
}

#endif
