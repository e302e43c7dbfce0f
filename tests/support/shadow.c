/* shadow.c - see shadow.h. */
#include "support/shadow.h"

#include "support/books.h"

/* ---- The pattern ---------------------------------------------------------------------------- */

enum { EDGE = 64, STRIDE = 4096 };

static unsigned char byte_at(unsigned seed, size_t i)
{
  return (unsigned char)(seed * 167 + i * 31 + (i >> 8) * 7 + 1);
}

/* The next place that the pattern covers: both edges whole, one byte a page between them. */
static size_t next_place(size_t i, size_t n)
{
  i++;
  if (i <= EDGE || i + EDGE >= n)
    return i;
  size_t page = (i + STRIDE - 1) / STRIDE * STRIDE;
  return page + EDGE < n ? page : n - EDGE;
}

static void fill(const shadow_block *block)
{
  for (size_t i = 0; i < block->n; i = next_place(i, block->n))
    block->p[i] = byte_at(block->seed, i);
}

void shadow_verify(const shadow_block *block, size_t n)
{
  for (size_t i = 0; i < n; i = next_place(i, block->n))
    must_equal(block->p[i], byte_at(block->seed, i));
}

/* ---- The life of a block -------------------------------------------------------------------- */

static void check_block(const void *p, size_t n)
{
  must(p != NULL);
  must_equal((uintptr_t)p & 15, 0);
  must(tm_owns(p));
  must(tm_usable_size(p) >= n);
}

shadow_block shadow_born(shadow *s, unsigned row, void *p, size_t n)
{
  check_block(p, n);
  shadow_block block = {p, n, tm_usable_size(p), row, s->next_seed++};
  s->rows[row].allocs++;
  s->rows[row].allocated_bytes += block.usable;
  fill(&block);
  return block;
}

void shadow_dies(shadow *s, const shadow_block *block)
{
  shadow_verify(block, block->n);
  must_equal(tm_usable_size(block->p), block->usable);
  s->rows[block->row].frees++;
  s->rows[block->row].freed_bytes += block->usable;
}

void shadow_resized(shadow *s, shadow_block *block, void *to, size_t n)
{
  shadow_row *row = &s->rows[block->row];
  check_block(to, n);
  block->p = to;
  shadow_verify(block, n < block->n ? n : block->n);
  size_t usable = tm_usable_size(to);
  if (usable > block->usable)
    row->allocated_bytes += usable - block->usable;
  else
    row->freed_bytes += block->usable - usable;
  row->reallocs++;
  block->n = n;
  block->usable = usable;
  block->seed = s->next_seed++;
  fill(block);
}

/* ---- The set -------------------------------------------------------------------------------- */

void shadow_keep(shadow *s, shadow_block block)
{
  if (s->count == s->capacity) {
    s->capacity = s->capacity ? 2 * s->capacity : 64;
    s->blocks = realloc(s->blocks, s->capacity * sizeof *s->blocks);
    must(s->blocks != NULL);
  }
  s->blocks[s->count++] = block;
}

shadow_block shadow_take(shadow *s, size_t index)
{
  shadow_block block = s->blocks[index];
  s->blocks[index] = s->blocks[--s->count];
  return block;
}

void shadow_drop(shadow *s)
{
  free(s->blocks);
  s->blocks = NULL;
  s->count = s->capacity = 0;
}

/* ---- The books ------------------------------------------------------------------------------ */

void shadow_merge(shadow *into, const shadow *from)
{
  for (unsigned i = 0; i < SHADOW_ROWS; i++) {
    into->rows[i].allocated_bytes += from->rows[i].allocated_bytes;
    into->rows[i].freed_bytes += from->rows[i].freed_bytes;
    into->rows[i].allocs += from->rows[i].allocs;
    into->rows[i].frees += from->rows[i].frees;
    into->rows[i].reallocs += from->rows[i].reallocs;
  }
  into->failures += from->failures;
}

static shadow_row sum_of(const shadow *s)
{
  shadow_row sum = {0, 0, 0, 0, 0};
  for (unsigned i = 0; i < SHADOW_ROWS; i++) {
    sum.allocated_bytes += s->rows[i].allocated_bytes;
    sum.freed_bytes += s->rows[i].freed_bytes;
    sum.allocs += s->rows[i].allocs;
    sum.frees += s->rows[i].frees;
    sum.reallocs += s->rows[i].reallocs;
  }
  return sum;
}

uint64_t shadow_live_bytes(const shadow *s)
{
  shadow_row sum = sum_of(s);
  return sum.allocated_bytes - sum.freed_bytes;
}

uint64_t shadow_live_blocks(const shadow *s)
{
  shadow_row sum = sum_of(s);
  return sum.allocs - sum.frees;
}

static void row_must_match(const shadow_row *want, const tm_pool_row *have)
{
  must_equal(have->allocated_bytes_total, want->allocated_bytes);
  must_equal(have->freed_bytes_total, want->freed_bytes);
  must_equal(have->allocs_total, want->allocs);
  must_equal(have->frees_total, want->frees);
  must_equal(have->reallocs_total, want->reallocs);
  must_equal(have->live_bytes, want->allocated_bytes - want->freed_bytes);
  must_equal(have->live_blocks, want->allocs - want->frees);
}

void shadow_must_match(const shadow *s, tm_heap *heap)
{
  static const shadow_row nothing;
  tm_pool_row row;
  unsigned i = 0;
  for (; i < SHADOW_ROWS && tm_pool_stats_read(heap, i, &row); i++)
    row_must_match(&s->rows[i], &row);
  for (; i < SHADOW_ROWS; i++)
    must(memcmp(&s->rows[i], &nothing, sizeof nothing) == 0);
  shadow_row sum = sum_of(s);
  tm_stats stats = books_stats(heap);
  must_equal(stats.allocated_bytes_total, sum.allocated_bytes);
  must_equal(stats.freed_bytes_total, sum.freed_bytes);
  must_equal(stats.allocs_total, sum.allocs);
  must_equal(stats.frees_total, sum.frees);
  must_equal(stats.reallocs_total, sum.reallocs);
  must_equal(stats.live_bytes, shadow_live_bytes(s));
  must_equal(stats.live_blocks, shadow_live_blocks(s));
  must_equal(books_failures(&stats), s->failures);
}
