/* books.c - see books.h. The public readers of stats.h are here too. */
#include "heap/books.h"

#include <string.h>

#include "heap/arena.h"
#include "heap/credit.h"
#include "heap/heap.h"

enum { LOOKS = 4 };

/* ---- Adding up ------------------------------------------------------------------------------ */

static uint64_t used_of(const tm__row *row, unsigned word)
{
  return atomic_load_explicit(&row->used[word], memory_order_acquire);
}

static const tm__shard *newest_of(const tm_heap *heap)
{
  return atomic_load_explicit(&heap->shards, memory_order_acquire);
}

static tm__row *row_of(const tm__shard *shard, unsigned pool)
{
  return __atomic_load_n(&shard->rows[pool], __ATOMIC_ACQUIRE);
}

/* Block sizes of a pool's classes. A pool of fixed size has the class 0 only. */
static const uint32_t *sizes_of(const tm_heap *heap, unsigned pool)
{
  const uint32_t *fixed = &heap->pools[pool].block_bytes;
  return *fixed ? fixed : tm__class_bytes;
}

static void add_frees(const uint32_t *sizes, const tm__row *row, tm__sums *sums)
{
  uint64_t blocks = 0, bytes = 0;
  for (unsigned word = 0; word < 2; word++) {
    for (uint64_t used = used_of(row, word); used; used &= used - 1) {
      unsigned cls = word * 64 + (unsigned)__builtin_ctzl(used);
      uint64_t frees = tm__counter_read(&row->bins[cls].books.frees);
      blocks += frees;
      bytes += frees * sizes[cls];
    }
  }
  sums->frees += blocks + tm__counter_read(&row->books.large_frees);
  sums->freed_bytes += bytes + tm__counter_read(&row->books.large_free_bytes);
  sums->freed_bytes += tm__counter_read(&row->books.shrink_bytes);
}

/* Adds up the allocs; and, because they stand on the same line, the frees once more. */
static void add_allocs(const uint32_t *sizes, const tm__row *row, tm__sums *sums, uint64_t *freed)
{
  uint64_t blocks = 0, bytes = 0, again = 0;
  for (unsigned word = 0; word < 2; word++) {
    for (uint64_t used = used_of(row, word); used; used &= used - 1) {
      unsigned cls = word * 64 + (unsigned)__builtin_ctzl(used);
      const tm__ledger_bin *books = &row->bins[cls].books;
      uint64_t allocs = tm__counter_read(&books->allocs);
      blocks += allocs;
      bytes += allocs * sizes[cls];
      again += tm__counter_read(&books->frees) * sizes[cls];
    }
  }
  sums->allocs += blocks + tm__counter_read(&row->books.large_allocs);
  sums->alloc_bytes += bytes + tm__counter_read(&row->books.large_alloc_bytes);
  sums->alloc_bytes += tm__counter_read(&row->books.grow_bytes);
  sums->reallocs += tm__counter_read(&row->books.reallocs);
  *freed += again + tm__counter_read(&row->books.large_free_bytes);
  *freed += tm__counter_read(&row->books.shrink_bytes);
}

/* All frees first; the allocs of every shard that is there by then: a block whose free was seen has
 * been allocated by one of them. Returns the bytes that were freed meanwhile: they are seen as
 * live. */
static uint64_t look_at(const tm_heap *heap, unsigned first, unsigned end, tm__sums *sums)
{
  uint64_t freed = 0;
  *sums = (tm__sums){0};
  for (const tm__shard *s = newest_of(heap); s; s = s->next)
    for (unsigned pool = first; pool < end; pool++)
      if (row_of(s, pool))
        add_frees(sizes_of(heap, pool), row_of(s, pool), sums);
  for (const tm__shard *s = newest_of(heap); s; s = s->next)
    for (unsigned pool = first; pool < end; pool++)
      if (row_of(s, pool))
        add_allocs(sizes_of(heap, pool), row_of(s, pool), sums, &freed);
  return freed - sums->freed_bytes;
}

/* A look during which nothing was freed is exact. Else the best of a few; a reader that lost its
 * processor in the middle of one must not show gigabytes that never were. */
static void sum_pools(const tm_heap *heap, unsigned first, unsigned end, tm__sums *sums)
{
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < LOOKS && least > 0; i++) {
    tm__sums one;
    uint64_t missed = look_at(heap, first, end, &one);
    if (missed < least)
      *sums = one;
    least = missed < least ? missed : least;
  }
}

void tm__books_pool(const tm_heap *heap, unsigned pool, tm__sums *sums)
{
  sum_pools(heap, pool, pool + 1, sums);
}

void tm__books_heap(const tm_heap *heap, tm__sums *sums)
{
  sum_pools(heap, 0, atomic_load(&heap->pool_count), sums);
}

uint64_t tm__books_freed(const tm__shard *shard)
{
  tm__sums sums = {0};
  unsigned pools = atomic_load(&shard->heap->pool_count);
  for (unsigned pool = 0; pool < pools; pool++)
    if (row_of(shard, pool))
      add_frees(sizes_of(shard->heap, pool), row_of(shard, pool), &sums);
  return sums.freed_bytes;
}

/* The heap has never granted less than is live: in motion that can be nearer than the sum. */
static uint64_t live_of(const tm_heap *heap, const tm__sums *sums)
{
  uint64_t live = sums->alloc_bytes - sums->freed_bytes;
  int64_t granted = atomic_load_explicit(&heap->limit_sum, memory_order_relaxed);
  return granted >= 0 && (uint64_t)granted < live ? (uint64_t)granted : live;
}

/* A host that took back more than it had told of is reported; nothing is below zero here. */
static uint64_t footprint_of(uint64_t live, int64_t informed)
{
  int64_t sum = (int64_t)live + informed;
  return sum > 0 ? (uint64_t)sum : 0;
}

uint64_t tm__books_footprint(const tm_heap *heap)
{
  tm__sums sums = {0};
  tm__books_heap(heap, &sums);
  int64_t informed = atomic_load_explicit(&heap->informed_bytes, memory_order_relaxed);
  return footprint_of(live_of(heap, &sums), informed);
}

/* ---- stats.h -------------------------------------------------------------------------------- */

uint64_t tm_footprint(const tm_heap *heap)
{
  return heap ? tm__books_footprint(heap) : 0;
}

void tm_peak_reset(tm_heap *heap)
{
  if (heap) {
    tm__counter_set(&heap->peak_bytes, 0);
    (void)tm__credit_level(heap);
  }
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

static void fill_levels(const tm_heap *heap, const tm__sums *sums, tm_stats *out)
{
  uint64_t live = live_of(heap, sums);
  uint64_t usable = tm__counter_read(&heap->usable_bytes);
  uint64_t span = tm__counter_read(&heap->span_bytes);
  out->live_bytes = live;
  out->live_blocks = sums->allocs - sums->frees;
  out->informed_bytes = atomic_load(&heap->informed_bytes);
  out->footprint_bytes = footprint_of(live, out->informed_bytes);
  out->footprint_peak_bytes = max_of(tm__counter_read(&heap->peak_bytes), out->footprint_bytes);
  uint64_t holes = tm__counter_read(&heap->hole_bytes), at_home = live + holes;
  out->free_bytes = usable > at_home ? usable - at_home : 0; /* in motion only can live be ahead */
  out->waste_bytes = span > usable ? span - usable : 0;
  out->dirty_bytes = heap->is_default ? tm__arena_dirty_bytes() : 0;
  out->meta_bytes = tm__counter_read(&heap->meta_bytes);
  if (heap->is_default)
    out->meta_bytes = tm__arena_meta_bytes() - tm__heap_meta_elsewhere(heap);
  out->committed_bytes =
      live + out->free_bytes + out->waste_bytes + out->dirty_bytes + out->meta_bytes;
  out->reserved_bytes = tm__arena.bytes + out->meta_bytes; /* which stands beside it */
}

static void fill_totals(const tm_heap *heap, const tm__sums *sums, tm_stats *out)
{
  out->allocated_bytes_total = sums->alloc_bytes;
  out->freed_bytes_total = sums->freed_bytes;
  out->allocs_total = sums->allocs;
  out->frees_total = sums->frees;
  out->reallocs_total = sums->reallocs;
  for (int i = 0; i < TM_FAIL_COUNT; i++)
    out->failures_total[i] = tm__counter_read(&heap->failures[i]);
  out->os_acquired_bytes_total = tm__counter_read(&heap->acquired_bytes);
  out->os_released_bytes_total = tm__counter_read(&heap->released_bytes);
  out->family_mismatches_total = tm__counter_read(&heap->mismatches);
  out->crossings_total = tm__counter_read(&heap->engine.crossings);
  out->crossings_lost_total = tm__counter_read(&heap->engine.crossings_lost);
}

static void fill_bounds(const tm_heap *heap, tm_stats *out)
{
  uint64_t trip = tm__counter_read(&heap->engine.trip_bytes);
  out->slack_bytes = tm__credit_slack(heap);
  out->soft_limit_bytes = tm__counter_read(&heap->engine.soft_bytes);
  out->hard_limit_bytes = tm__counter_read(&heap->engine.hard_bytes);
  out->trip_bytes = trip == UINT64_MAX ? 0 : trip;
  out->fragmentation_bytes = tm__counter_read(&heap->fixable_bytes);
  out->threads = atomic_load(&heap->busy_shards);
  out->pages = tm__counter_read(&heap->page_count);
  out->environment_soft_bytes = tm__counter_read(&heap->engine.environment_bytes[TM_SOFT]);
  out->environment_hard_bytes = tm__counter_read(&heap->engine.environment_bytes[TM_HARD]);
  out->pending_since = tm__counter_read(&heap->engine.pending_since_ns);
}

int tm_stats_read(const tm_heap *heap, tm_stats *out)
{
  if (!heap || !out || out->size < offsetof(tm_stats, live_bytes) || out->size > 65536)
    return TM_EINVAL;
  tm_stats full;
  tm__sums sums = {0};
  memset(&full, 0, sizeof full);
  full.version = 1;
  tm__books_heap(heap, &sums);
  fill_levels(heap, &sums, &full);
  fill_totals(heap, &sums, &full);
  fill_bounds(heap, &full);
  full.size = out->size;
  memcpy(out, &full, out->size < sizeof full ? out->size : sizeof full);
  return 0;
}

int tm_pool_stats_read(const tm_heap *heap, size_t index, tm_pool_row *row)
{
  if (!heap || !row)
    return 0;
  for (unsigned id = 0; id < atomic_load(&heap->pool_count); id++) {
    const struct tm_pool *pool = &heap->pools[id];
    if (!atomic_load_explicit(&pool->used, memory_order_acquire) || index-- > 0)
      continue;
    tm__sums sums = {0};
    tm__books_pool(heap, id, &sums);
    *row = (tm_pool_row){.family = pool->family,
                         .live_bytes = sums.alloc_bytes - sums.freed_bytes,
                         .live_blocks = sums.allocs - sums.frees,
                         .allocated_bytes_total = sums.alloc_bytes - pool->before_bytes,
                         .freed_bytes_total = sums.freed_bytes - pool->before_bytes,
                         .allocs_total = sums.allocs - pool->before_blocks,
                         .frees_total = sums.frees - pool->before_blocks,
                         .reallocs_total = sums.reallocs - pool->before_reallocs};
    memcpy(row->name, pool->name, sizeof row->name);
    return 1;
  }
  return 0;
}

int tm_tag_stats_read(const tm_heap *heap, size_t index, tm_tag_row *row)
{
  if (!heap || !row)
    return 0;
  const tm__inform_tag *tag = NULL;
  size_t named = atomic_load_explicit(&heap->tag_count, memory_order_acquire);
  if (index < named)
    tag = &heap->tags[index];
  else if (index == named && heap->tags[TM_TAGS_MAX].name[0])
    tag = &heap->tags[TM_TAGS_MAX];
  if (!tag)
    return 0;
  memcpy(row->name, tag->name, sizeof row->name);
  row->informed_bytes = atomic_load(&tag->bytes);
  row->informed_peak_bytes = atomic_load(&tag->peak);
  return 1;
}

/* ---- By size -------------------------------------------------------------------------------- */

/* 0 for up to 16 bytes, then one more for each doubling; the last one has no end. */
static unsigned bucket_of(uint32_t bytes)
{
  unsigned doublings = bytes <= 16 ? 0 : 28 - (unsigned)__builtin_clz(bytes - 1);
  return doublings < TM_SIZE_BUCKETS ? doublings : TM_SIZE_BUCKETS - 1;
}

static void add_sizes(const uint32_t *sizes, const tm__row *row, tm_size_row rows[TM_SIZE_BUCKETS])
{
  for (unsigned word = 0; word < 2; word++)
    for (uint64_t used = used_of(row, word); used; used &= used - 1) {
      unsigned cls = word * 64 + (unsigned)__builtin_ctzl(used);
      uint64_t allocs = tm__counter_read(&row->bins[cls].books.allocs);
      tm_size_row *out = &rows[bucket_of(sizes[cls])];
      out->allocs_total += allocs;
      out->allocated_bytes_total += allocs * sizes[cls];
    }
  rows[TM_SIZE_BUCKETS - 1].allocs_total += tm__counter_read(&row->books.large_allocs);
  rows[TM_SIZE_BUCKETS - 1].allocated_bytes_total +=
      tm__counter_read(&row->books.large_alloc_bytes);
}

int tm_size_stats_read(const tm_heap *heap, tm_size_row rows[TM_SIZE_BUCKETS])
{
  if (!heap || !rows)
    return TM_EINVAL;
  memset(rows, 0, TM_SIZE_BUCKETS * sizeof rows[0]);
  for (unsigned i = 0; i < TM_SIZE_BUCKETS; i++)
    rows[i].up_to_bytes = i + 1 < TM_SIZE_BUCKETS ? UINT64_C(16) << i : UINT64_MAX;
  for (const tm__shard *s = newest_of(heap); s; s = s->next)
    for (unsigned pool = 0; pool < atomic_load(&heap->pool_count); pool++)
      if (row_of(s, pool))
        add_sizes(sizes_of(heap, pool), row_of(s, pool), rows);
  return 0;
}
