/* words.c - see words.h. */
#include "view/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stats/units.h"
#include "view/source.h"

const char *tm__size_word(char text[TM__WORD], uint64_t bytes)
{
  (void)tm__size_format(bytes, text, TM__WORD);
  return text;
}

const char *tm__time_word(char text[TM__WORD], uint64_t ns)
{
  (void)tm__time_format(ns, text, TM__WORD);
  return text;
}

const char *tm__count_word(char text[TM__WORD], uint64_t count)
{
  char digits[24];
  int length = snprintf(digits, sizeof digits, "%" PRIu64, count), out = 0;
  for (int i = 0; i < length; i++) {
    if (i && (length - i) % 3 == 0)
      text[out++] = ',';
    text[out++] = digits[i];
  }
  text[out] = 0;
  return text;
}

/* Per second; false iff it cannot be told. */
static bool rate_of(uint64_t before, uint64_t now, uint64_t ns, uint64_t *out)
{
  if (!ns || now < before)
    return false;
  *out = (uint64_t)((double)(now - before) * 1e9 / (double)ns + 0.5);
  return true;
}

const char *tm__size_rate(char text[TM__WORD], uint64_t before, uint64_t now, uint64_t ns)
{
  uint64_t rate;
  if (!rate_of(before, now, ns, &rate))
    return "-";
  (void)snprintf(text + tm__size_format(rate, text, TM__WORD - 3), 3, "/s");
  return text;
}

const char *tm__count_rate(char text[TM__WORD], uint64_t before, uint64_t now, uint64_t ns)
{
  uint64_t rate;
  if (!rate_of(before, now, ns, &rate))
    return "-";
  tm__count_word(text, rate);
  (void)strcat(text, "/s");
  return text;
}

static void join(const json_t *names, char *text, size_t capacity)
{
  text[0] = 0;
  for (size_t i = 0; i < json_array_size(names); i++) {
    size_t used = strlen(text);
    const char *name = json_string_value(json_array_get(names, i));
    (void)snprintf(text + used, capacity - used, "%s%s", i ? "," : "", name ? name : "?");
  }
}

void tm__record_words(const json_t *record, char *text, size_t capacity)
{
  char why[128], before[TM__WORD], after[TM__WORD], took[TM__WORD];
  const char *verdict = tm__string(record, "verdict"), *kind = tm__string(record, "kind");
  join(json_object_get(record, "reasons"), why, sizeof why);
  tm__size_word(before, tm__number(record, "footprint_before_bytes"));
  tm__size_word(after, tm__number(record, "footprint_after_bytes"));
  tm__time_word(took, tm__number(record, "duration_ns"));
  uint64_t returned = tm__number(record, "returned_bytes");
  if (strcmp(verdict, "fired") == 0 && returned)
    (void)snprintf(text, capacity, "%-11s %-12s gave back %s in %s", kind, why,
                   tm__size_word(after, returned), took);
  else if (strcmp(verdict, "fired") == 0)
    (void)snprintf(text, capacity, "%-11s %-12s %s -> %s in %s", kind, why, before, after, took);
  else
    (void)snprintf(text, capacity, "%-11s %-12s at %s: %s", *kind ? kind : "-", why, before,
                   verdict);
}
