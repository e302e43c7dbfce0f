/* similar.c - the distance of two short words, by the usual table. */
#include "cli/similar.h"

#include <string.h>

enum { MAX_LETTERS = 24, MAX_DISTANCE = 2 };

static size_t least(size_t a, size_t b)
{
  return a < b ? a : b;
}

/* Letters to change, add, leave out or swap until `a` is `b`. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
  size_t table[MAX_LETTERS + 1][MAX_LETTERS + 1];
  for (size_t i = 0; i <= a_length; i++)
    for (size_t j = 0; j <= b_length; j++) {
      if (i == 0 || j == 0) {
        table[i][j] = i + j;
        continue;
      }
      size_t changed = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      table[i][j] = least(changed, 1 + least(table[i - 1][j], table[i][j - 1]));
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped)
        table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1);
    }
  return table[a_length][b_length];
}

const char *tm__most_similar(const char *word, const char *const *words, size_t count)
{
  size_t length = strcspn(word, "="), nearest = MAX_DISTANCE + 1;
  const char *found = NULL;
  if (length > MAX_LETTERS)
    return NULL;
  for (size_t i = 0; i < count; i++) {
    size_t other = strlen(words[i]);
    if (other > MAX_LETTERS)
      continue;
    size_t d = distance(word, length, words[i], other);
    /* a word of which more than half was changed is another word */
    if (d < nearest && d * 2 < other) {
      nearest = d;
      found = words[i];
    }
  }
  return found;
}
