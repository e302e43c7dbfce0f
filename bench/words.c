/*
 * words.c - a table of words with counts, by chained hashing, with strings cut, joined and dropped.
 *
 * Stands for: text processing, symbol tables, caches keyed by strings, request routing: short
 * strings of many lengths, an entry and a key per insert, removals that leave holes.
 */
#include "bench.h"

enum { BUCKETS = 1 << 16, KEYS = 200000, LONGEST = 40 };

typedef struct entry {
  struct entry *next;
  char *key;
  uint64_t count;
} entry;

/* A word of 4 to 40 letters that depends on number only: short ones are more frequent. */
static char *new_word(uint64_t number)
{
  bench_rng rng = bench_rng_new(number);
  size_t length = 4 + bench_rng_below(&rng, 1 + bench_rng_below(&rng, LONGEST - 4));
  char *word = bench_malloc(length + 1);
  for (size_t i = 0; i < length; i++) {
    word[i] = (char)('a' + bench_rng_below(&rng, 26));
  }
  word[length] = '\0';
  return word;
}

static uint32_t hash_word(const char *word)
{
  uint32_t hash = UINT32_C(2166136261);
  for (; *word != '\0'; word++) {
    hash = (hash ^ (unsigned char)*word) * UINT32_C(16777619);
  }
  return hash ^ hash >> 16;
}

static entry **find_entry(entry **table, const char *key)
{
  entry **at = &table[hash_word(key) % BUCKETS];
  while (*at != NULL && strcmp((*at)->key, key) != 0) {
    at = &(*at)->next;
  }
  return at;
}

/* Counts the word; the table keeps it or drops it. */
static void count_word(entry **table, char *word)
{
  entry **at = find_entry(table, word);
  if (*at == NULL) {
    *at = bench_malloc(sizeof **at);
    **at = (entry){NULL, word, 1};
  } else {
    (*at)->count++;
    free(word);
  }
}

static void remove_word(entry **table, char *word)
{
  entry **at = find_entry(table, word);
  entry *found = *at;
  if (found != NULL) {
    *at = found->next;
    free(found->key);
    free(found);
  }
  free(word);
}

static uint64_t drop_table(entry **table)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < BUCKETS; i++) {
    while (table[i] != NULL) {
      entry *first = table[i];
      table[i] = first->next;
      sum += first->count;
      free(first->key);
      free(first);
    }
  }
  return sum;
}

int main(int argc, char **argv)
{
  static entry *table[BUCKETS];
  bench_option options[] = {{"words", 5000000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 1);
  bench_rng rng = bench_rng_new(7);
  for (uint64_t i = 0; i < options[0].value; i++) {
    uint64_t number = bench_rng_below(&rng, KEYS);
    if (i % 4 == 3) {
      remove_word(table, new_word(number));
    } else {
      count_word(table, new_word(number));
    }
  }
  return drop_table(table) == 0 ? BENCH_EXIT_FAILED : 0;
}
