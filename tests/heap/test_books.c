/*
 * test_books.c - the books against a shadow ledger after every step, and the readers of stats.h one
 * by one. What several threads do to the books is in tests/stress/test_storm.c.
 */
#include "heap/books.h"

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "stats/fields.h"
#include "support/books.h"
#include "support/storm.h"

static tm_heap *heap;

static int new_heap(void **state)
{
  (void)state;
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  books_must_balance(heap);
  return tm_heap_close(heap);
}

/* ---- The shadow ----------------------------------------------------------------------------- */

static void exact_after_every_step(void **state)
{
  (void)state;
  enum { STEPS = TEST_SANITIZED ? 8000 : 30000 };
  storm s = {.heap = heap, .most_blocks = 1500, .random = {7}};
  storm_pools(heap, s.pools);
  for (int i = 0; i < STEPS; i++) {
    storm_step(&s);
    shadow_must_match(&s.shadow, heap);
    if (i % 300 == 0)
      books_must_balance(heap);
    if (i % 2500 == 2499)
      (void)tm_trim(heap);
  }
  storm_calm(&s);
  shadow_must_match(&s.shadow, heap);
  assert_int_equal(shadow_live_bytes(&s.shadow), 0);
  shadow_drop(&s.shadow);
}

/* A small heap at its limit: most requests fail, and the books do not notice. */
static void exact_while_requests_fail(void **state)
{
  (void)state;
  enum { STEPS = TEST_SANITIZED ? 8000 : 30000, LIMIT = 300000 };
  storm s = {.heap = heap, .most_blocks = 1500, .random = {8}};
  assert_int_equal(tm_limit_set(heap, TM_HARD, LIMIT), 0);
  storm_pools(heap, s.pools);
  for (int i = 0; i < STEPS; i++) {
    storm_step(&s);
    shadow_must_match(&s.shadow, heap);
    must(shadow_live_bytes(&s.shadow) <= LIMIT);
    if (i % 300 == 0)
      books_must_balance(heap);
  }
  assert_true(s.shadow.failures > STEPS / 100);
  storm_calm(&s);
  shadow_drop(&s.shadow);
}

/* Several heaps at once share the arena, and nothing else. */
static void heaps_do_not_mix(void **state)
{
  (void)state;
  enum { HEAPS = 5, STEPS = TEST_SANITIZED ? 5000 : 20000 };
  static storm storms[HEAPS];
  memset(storms, 0, sizeof storms);
  for (unsigned i = 0; i < HEAPS; i++) {
    storms[i].most_blocks = 100u << i;
    storms[i].random.state = i;
    assert_int_equal(tm_heap_new(&storms[i].heap, NULL), 0);
  }
  test_random r = {4};
  for (int i = 0; i < STEPS; i++)
    storm_step(&storms[random_below(&r, HEAPS)]);
  for (unsigned i = 0; i < HEAPS; i++) {
    shadow_must_match(&storms[i].shadow, storms[i].heap);
    books_must_balance(storms[i].heap);
  }
  for (unsigned i = 0; i < HEAPS; i++) { /* the rest is not disturbed by a close */
    assert_int_equal(tm_heap_close(storms[i].heap), 0);
    shadow_drop(&storms[i].shadow);
    if (i + 1 < HEAPS)
      shadow_must_match(&storms[i + 1].shadow, storms[i + 1].heap);
  }
}

/* ---- tm_stats_read -------------------------------------------------------------------------- */

static void arguments_of_stats_read(void **state)
{
  (void)state;
  tm_stats stats;
  tm_stats_init(&stats);
  assert_int_equal(stats.size, sizeof stats);
  assert_int_equal(stats.version, 1);
  assert_int_equal(tm_stats_read(NULL, &stats), TM_EINVAL);
  assert_int_equal(tm_stats_read(heap, NULL), TM_EINVAL);
  stats.size = 0;
  assert_int_equal(tm_stats_read(heap, &stats), TM_EINVAL);
  stats.size = 4;
  assert_int_equal(tm_stats_read(heap, &stats), TM_EINVAL);
}

/* A program that was built against an older header has a shorter struct. */
static void nothing_is_written_past_the_size(void **state)
{
  (void)state;
  void *p = tm_malloc(heap, TM_RAW, 1000);
  for (size_t size = offsetof(tm_stats, informed_bytes); size <= sizeof(tm_stats); size += 8) {
    union {
      tm_stats stats;
      unsigned char bytes[sizeof(tm_stats) + 64];
    } u;
    memset(&u, 0xcc, sizeof u);
    u.stats.size = size;
    assert_int_equal(tm_stats_read(heap, &u.stats), 0);
    assert_int_equal(u.stats.size, size);
    assert_int_equal(u.stats.version, 1);
    assert_int_equal(u.stats.live_bytes, tm_usable_size(p));
    for (size_t i = size; i < sizeof u; i++)
      assert_int_equal(u.bytes[i], 0xcc);
  }
  tm_free(heap, TM_RAW, p);
}

static void a_newer_struct_is_filled_as_far_as_known(void **state)
{
  (void)state;
  struct {
    tm_stats stats;
    uint64_t later;
  } newer = {.later = 5};
  newer.stats.size = sizeof newer;
  assert_int_equal(tm_stats_read(heap, &newer.stats), 0);
  assert_int_equal(newer.stats.size, sizeof newer);
  assert_int_equal(newer.later, 5);
}

static void an_untouched_heap_is_empty(void **state)
{
  (void)state;
  tm_stats s = books_stats(heap);
  assert_int_equal(s.live_bytes, 0);
  assert_int_equal(s.live_blocks, 0);
  assert_int_equal(s.free_bytes, 0);
  assert_int_equal(s.waste_bytes, 0);
  assert_int_equal(s.dirty_bytes, 0);
  assert_int_equal(s.committed_bytes, s.meta_bytes);
  assert_true(s.meta_bytes > 0 && s.meta_bytes < 256 << 10);
  assert_true(s.reserved_bytes >= s.committed_bytes);
  assert_int_equal(s.allocated_bytes_total + s.freed_bytes_total + s.allocs_total, 0);
  assert_int_equal(books_failures(&s), 0);
  assert_int_equal(s.pages, 0);
  assert_int_equal(s.hard_limit_bytes + s.soft_limit_bytes, 0);
  assert_int_equal(s.threads, 1);
}

static void a_page_is_live_free_and_waste(void **state)
{
  (void)state;
  (void)tm_trim(heap);
  void *p = tm_malloc(heap, TM_RAW, 48);
  tm_stats s = books_stats(heap);
  assert_int_equal(s.pages, 1);
  assert_int_equal(s.live_bytes, 48);
  assert_int_equal(s.live_bytes + s.free_bytes + s.waste_bytes, TM_SLICE);
  assert_int_equal(s.waste_bytes, TM_SLICE % 48);
  assert_int_equal(s.os_acquired_bytes_total, TM_SLICE);
  tm_free(heap, TM_RAW, p);
}

static void limits_and_trip_are_shown(void **state)
{
  (void)state;
  assert_int_equal(tm_limit_set(heap, TM_HARD, 9 << 20), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 7 << 20), 0);
  tm_stats s = books_stats(heap);
  assert_int_equal(s.hard_limit_bytes, 9 << 20);
  assert_int_equal(s.soft_limit_bytes, 7 << 20);
  assert_true(s.trip_bytes > 0 && s.trip_bytes <= 7 << 20);
}

/* Dirt and tables of the arena are on the default heap's books: all heaps together own each byte
 * once. */
static void all_heaps_together(void **state)
{
  (void)state;
  void *mine = tm_malloc(heap, TM_RAW, 3 << 20);
  void *theirs = tm_malloc(tm_heap_default(), TM_RAW, 2 << 20);
  tm_free(heap, TM_RAW, mine);
  tm_stats a = books_stats(heap), d = books_stats(tm_heap_default());
  assert_int_equal(a.dirty_bytes, 0);
  assert_true(d.dirty_bytes >= 3 << 20);
  assert_true(d.meta_bytes > 0);
  tm_free(tm_heap_default(), TM_RAW, theirs);
  books_must_balance(tm_heap_default());
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static void arguments_of_the_row_readers(void **state)
{
  (void)state;
  tm_pool_row row;
  tm_tag_row tag;
  assert_int_equal(tm_pool_stats_read(NULL, 0, &row), 0);
  assert_int_equal(tm_pool_stats_read(heap, 0, NULL), 0);
  assert_int_equal(tm_pool_stats_read(heap, 4, &row), 0);
  assert_int_equal(tm_pool_stats_read(heap, SIZE_MAX, &row), 0);
  assert_int_equal(tm_tag_stats_read(NULL, 0, &tag), 0);
  assert_int_equal(tm_tag_stats_read(heap, 0, NULL), 0);
  assert_int_equal(tm_tag_stats_read(heap, 0, &tag), 0);
  assert_int_equal(tm_footprint(NULL), 0);
  tm_peak_reset(NULL);
}

static void each_family_has_its_row(void **state)
{
  (void)state;
  tm_pool_row row;
  void *p[3];
  for (int f = 0; f < 3; f++)
    p[f] = tm_malloc(heap, (tm_family)f, 100 * ((size_t)f + 1));
  for (int f = 0; f < 3; f++) {
    assert_int_equal(tm_pool_stats_read(heap, (size_t)f, &row), 1);
    assert_int_equal(row.family, f);
    assert_int_equal(row.live_bytes, tm_usable_size(p[f]));
    assert_int_equal(row.live_blocks, 1);
    tm_free(heap, (tm_family)f, p[f]);
  }
}

/* ---- Footprint and peak --------------------------------------------------------------------- */

static void the_footprint_is_live_and_informed(void **state)
{
  (void)state;
  void *p = tm_malloc(heap, TM_RAW, 5000);
  tm_inform(heap, "gpu", 70000);
  assert_int_equal(tm_footprint(heap), tm_usable_size(p) + 70000);
  assert_int_equal(books_stats(heap).footprint_bytes, tm_usable_size(p) + 70000);
  tm_inform(heap, "gpu", -70000);
  tm_free(heap, TM_RAW, p);
  assert_int_equal(tm_footprint(heap), 0);
}

/* Within slack below the true peak, never above it by more than that. */
static void the_peak_is_within_its_slack(void **state)
{
  (void)state;
  storm s = {.heap = heap, .most_blocks = 2000, .random = {9}};
  uint64_t true_peak = 0, slack = 0;
  for (int i = 0; i < 20000; i++) {
    storm_step(&s);
    uint64_t level = shadow_live_bytes(&s.shadow);
    true_peak = level > true_peak ? level : true_peak;
    tm_stats stats = books_stats(heap);
    slack = stats.slack_bytes > slack ? stats.slack_bytes : slack;
    must(stats.footprint_peak_bytes + slack >= true_peak);
    must(stats.footprint_peak_bytes <= true_peak + slack);
    must(stats.footprint_peak_bytes >= stats.footprint_bytes);
  }
  assert_true(slack > 0 || TM_STRESS_TRIP);
  storm_calm(&s);
  shadow_drop(&s.shadow);
}

static void the_peak_can_start_again(void **state)
{
  (void)state;
  void *small = tm_malloc(heap, TM_RAW, 1000), *big = tm_malloc(heap, TM_RAW, 10 << 20);
  assert_int_equal(books_stats(heap).footprint_peak_bytes, (10 << 20) + 1024);
  tm_free(heap, TM_RAW, big);
  assert_int_equal(books_stats(heap).footprint_peak_bytes, (10 << 20) + 1024);
  tm_peak_reset(heap);
  assert_int_equal(books_stats(heap).footprint_peak_bytes, 1024);
  tm_free(heap, TM_RAW, small);
  assert_int_equal(books_stats(heap).footprint_peak_bytes, 1024);
}

static void informing_raises_the_peak(void **state)
{
  (void)state;
  tm_inform(heap, "map", 1 << 30);
  tm_inform(heap, "map", -(1 << 30));
  assert_int_equal(books_stats(heap).footprint_peak_bytes, 1 << 30);
}

/* ---- The operating system ------------------------------------------------------------------- */

/* What was taken less what was given back is what is in use or dirty. */
static void traffic_with_the_os_adds_up(void **state)
{
  (void)state;
  storm s = {.heap = heap, .most_blocks = 1500, .random = {10}};
  tm_heap *d = tm_heap_default();
  (void)tm_trim(d);
  tm_stats d0 = books_stats(d);
  for (int i = 0; i < 20000; i++) {
    storm_step(&s);
    if (i % 1000)
      continue;
    tm_stats h = books_stats(heap), now = books_stats(d);
    int64_t taken = (int64_t)(h.os_acquired_bytes_total - h.os_released_bytes_total);
    taken += (int64_t)(now.os_acquired_bytes_total - d0.os_acquired_bytes_total);
    taken -= (int64_t)(now.os_released_bytes_total - d0.os_released_bytes_total);
    must_equal(taken, h.committed_bytes - h.meta_bytes + now.dirty_bytes - d0.dirty_bytes);
    if (i % 5000 == 0)
      (void)tm_trim(heap);
  }
  storm_calm(&s);
  shadow_drop(&s.shadow);
}

/* ---- By size -------------------------------------------------------------------------------- */

/* Each block stands in the row of its usable size, whatever becomes of it. */
static void allocations_by_size(void **state)
{
  static const size_t sizes[] = {1, 16, 17, 32, 33, 100, 1000, 5000, 40000, 65536, 65537, 1 << 20};
  tm_size_row rows[TM_SIZE_BUCKETS], wanted[TM_SIZE_BUCKETS] = {0};
  uint64_t blocks = 0, bytes = 0;
  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    void *p = tm_malloc(heap, i % 2 ? TM_OBJ : TM_RAW, sizes[i]);
    size_t usable = tm_usable_size(p), row = 0;
    while (row + 1 < TM_SIZE_BUCKETS && usable > (UINT64_C(16) << row))
      row++;
    wanted[row].allocs_total++;
    wanted[row].allocated_bytes_total += usable;
    tm_free(heap, i % 2 ? TM_OBJ : TM_RAW, p);
  }
  assert_int_equal(tm_size_stats_read(heap, rows), 0);
  for (size_t i = 0; i < TM_SIZE_BUCKETS; i++) {
    assert_int_equal(rows[i].up_to_bytes, i + 1 < TM_SIZE_BUCKETS ? UINT64_C(16) << i : UINT64_MAX);
    assert_int_equal(rows[i].allocs_total, wanted[i].allocs_total);
    assert_int_equal(rows[i].allocated_bytes_total, wanted[i].allocated_bytes_total);
    blocks += rows[i].allocs_total;
    bytes += rows[i].allocated_bytes_total;
  }
  tm_stats stats = books_stats(heap);
  assert_int_equal(blocks, stats.allocs_total);
  assert_int_equal(bytes, stats.allocated_bytes_total); /* nothing was resized */
  assert_int_equal(tm_size_stats_read(NULL, rows), TM_EINVAL);
  assert_int_equal(tm_size_stats_read(heap, NULL), TM_EINVAL);
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(exact_after_every_step),
      ON_A_HEAP(exact_while_requests_fail),
      ON_A_HEAP(heaps_do_not_mix),
      ON_A_HEAP(arguments_of_stats_read),
      ON_A_HEAP(nothing_is_written_past_the_size),
      ON_A_HEAP(a_newer_struct_is_filled_as_far_as_known),
      ON_A_HEAP(an_untouched_heap_is_empty),
      ON_A_HEAP(a_page_is_live_free_and_waste),
      ON_A_HEAP(limits_and_trip_are_shown),
      ON_A_HEAP(all_heaps_together),
      ON_A_HEAP(arguments_of_the_row_readers),
      ON_A_HEAP(each_family_has_its_row),
      ON_A_HEAP(the_footprint_is_live_and_informed),
      ON_A_HEAP(the_peak_is_within_its_slack),
      ON_A_HEAP(the_peak_can_start_again),
      ON_A_HEAP(informing_raises_the_peak),
      ON_A_HEAP(traffic_with_the_os_adds_up),
      ON_A_HEAP(allocations_by_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
