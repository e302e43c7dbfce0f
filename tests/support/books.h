/* books.h - snapshots of a heap's books: taking, comparing, and the laws that each must obey. */
#ifndef TM_TESTS_SUPPORT_BOOKS_H
#define TM_TESTS_SUPPORT_BOOKS_H

#include <tidemark/stats.h>

#include "support/check.h"

/* All that a heap's readers show. */
typedef struct test_books {
  tm_stats stats;
  tm_pool_row rows[8];
  size_t row_count;
} test_books;

void books_read(tm_heap *heap, test_books *books);
static inline tm_stats books_stats(const tm_heap *heap)
{
  tm_stats stats;
  tm_stats_init(&stats);
  must(tm_stats_read(heap, &stats) == 0);
  return stats;
}

/* The laws of a quiet heap, as stats.h has them; and tm_heap_check. */
void books_must_balance(tm_heap *heap);
/* The laws that hold even while other threads work. */
void books_must_be_sane(const tm_stats *stats);
/* Nothing differs but failures_total (and what a clock may move: the bound in force). */
void books_must_equal(const test_books *before, const test_books *after);
uint64_t books_failures(const tm_stats *stats);

#endif
