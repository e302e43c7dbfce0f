/* books.c - see books.h. */
#include "support/books.h"

#include "stats/fields.h"

void books_read(tm_heap *heap, test_books *books)
{
  memset(books, 0, sizeof *books);
  books->stats = books_stats(heap);
  while (books->row_count < 8 &&
         tm_pool_stats_read(heap, books->row_count, &books->rows[books->row_count]))
    books->row_count++;
}

void books_must_balance(tm_heap *heap)
{
  tm_stats s = books_stats(heap);
  books_must_be_sane(&s);
  must_equal(s.footprint_bytes, s.live_bytes + (uint64_t)s.informed_bytes);
  must_equal(s.live_bytes, s.allocated_bytes_total - s.freed_bytes_total);
  must_equal(s.live_blocks, s.allocs_total - s.frees_total);
  must_equal(s.committed_bytes,
             s.live_bytes + s.free_bytes + s.waste_bytes + s.dirty_bytes + s.meta_bytes);
  uint64_t bytes = 0, blocks = 0;
  tm_pool_row row;
  for (size_t i = 0; tm_pool_stats_read(heap, i, &row); i++) {
    must_equal(row.live_bytes, row.allocated_bytes_total - row.freed_bytes_total);
    must_equal(row.live_blocks, row.allocs_total - row.frees_total);
    bytes += row.live_bytes;
    blocks += row.live_blocks;
  }
  must_equal(s.live_bytes, bytes);
  must_equal(s.live_blocks, blocks);
  must_equal(tm_heap_check(heap), 0);
}

void books_must_be_sane(const tm_stats *s)
{
  static const uint64_t huge = (uint64_t)1 << 48;
  for (const tm__field *field = tm__fields; field->name; field++) {
    if (field->kind == TM__FIELD_REASONS || field->is_signed)
      continue;
    uint64_t value = tm__field_value(s, field->offset);
    if (value >= huge)
      (void)fprintf(stderr, "%s is %llu\n", field->name, (unsigned long long)value);
    must(value < huge);
  }
  must(s->footprint_bytes <= s->footprint_peak_bytes);
  must(s->live_bytes <= s->committed_bytes);
  must(s->committed_bytes <= s->reserved_bytes);
}

static void field_must_equal(const char *name, uint64_t before, uint64_t after)
{
  if (before != after)
    (void)fprintf(stderr, "%s was %llu, is %llu\n", name, (unsigned long long)before,
                  (unsigned long long)after);
  must(before == after);
}

void books_must_equal(const test_books *before, const test_books *after)
{
  for (const tm__field *field = tm__fields; field->name; field++) {
    /* the promise in force follows the room that is left, and a failure makes an action due */
    bool follows = strcmp(field->name, "slack_bytes") == 0 ||
                   strcmp(field->name, "crossings_total") == 0 ||
                   strcmp(field->name, "pending_since") == 0;
    if (field->kind == TM__FIELD_REASONS || follows)
      continue;
    field_must_equal(field->name, tm__field_value(&before->stats, field->offset),
                     tm__field_value(&after->stats, field->offset));
  }
  must_equal(before->row_count, after->row_count);
  for (size_t i = 0; i < before->row_count; i++)
    for (const tm__field *field = tm__fields; field->name; field++)
      if (field->in_pools)
        field_must_equal(field->name, tm__field_value(&before->rows[i], field->pool_offset),
                         tm__field_value(&after->rows[i], field->pool_offset));
}

uint64_t books_failures(const tm_stats *stats)
{
  uint64_t sum = 0;
  for (int i = 0; i < TM_FAIL_COUNT; i++)
    sum += stats->failures_total[i];
  return sum;
}
