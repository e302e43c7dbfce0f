/* test_arena.c - runs of slices: where they are found, what they hold, what the OS backs. */
#define _GNU_SOURCE
#include "heap/arena.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/page.h"
#include "support/check.h"
#include "support/pages.h"
#include "support/random.h"

static uint64_t acquired, purged; /* by these tests, since the start: the law of arena.h */
static uint32_t in_use;           /* slices */

static int64_t acquire_aligned(uint32_t slices, uint32_t align, bool *zero)
{
  uint64_t fresh = 0;
  int64_t first = tm__arena_acquire(slices, align, zero, &fresh);
  if (first >= 0) {
    acquired += fresh;
    in_use += slices;
    tm__arena_tag((uint32_t)first, 0, slices, tm__tag_make(TM_KIND_LARGE, 0, 1, 0));
  }
  return first;
}

static uint32_t acquire(uint32_t slices)
{
  bool zero;
  int64_t first = acquire_aligned(slices, 1, &zero);
  assert_true(first >= 0);
  return (uint32_t)first;
}

static void release(uint32_t first, uint32_t slices)
{
  in_use -= slices;
  tm__arena_release(first, slices, false);
}

static void purge_all(void)
{
  purged += tm__arena_purge(0, NULL);
  assert_int_equal(tm__arena_dirty_bytes(), 0);
}

static void fill(uint32_t first, uint32_t slices, int byte)
{
  memset(tm__slice_address(first), byte, (size_t)slices << TM_SLICE_SHIFT);
}

static size_t resident(uint32_t first, uint32_t slices)
{
  return tm__os_resident(tm__slice_address(first), (size_t)slices << TM_SLICE_SHIFT);
}

/* committed = in use + dirty, and what was taken less what was given back is what is committed. */
static void must_balance(void)
{
  must_equal(acquired - purged, ((uint64_t)in_use << TM_SLICE_SHIFT) + tm__arena_dirty_bytes());
}

static int balanced(void **state)
{
  (void)state;
  tm__os_fault(0, false);
  tm__arena_keep_set(UINT64_MAX);
  must_balance();
  must_equal(in_use, 0);
  purge_all();
  return 0;
}

/* ---- The range ------------------------------------------------------------------------------ */

static void the_range_is_one(void **state)
{
  (void)state;
  assert_int_equal((uintptr_t)tm__arena.base % TM_SLICE, 0);
  assert_true(tm__arena.bytes >= (size_t)16 << 20);
  assert_true(tm__inside(tm__arena.base));
  assert_true(tm__inside(tm__arena.base + tm__arena.bytes - 1));
  assert_false(tm__inside(tm__arena.base - 1));
  assert_false(tm__inside(tm__arena.base + tm__arena.bytes));
  assert_false(tm__inside(NULL));
  assert_false(tm__inside(&state));
  char *base = tm__arena.base;
  assert_true(tm__arena_init());
  assert_ptr_equal(tm__arena.base, base);
}

/* A wild pointer into slices that were never used finds tags that say so. */
static void tags_of_unused_slices_can_be_read(void **state)
{
  (void)state;
  uint32_t slices = (uint32_t)(tm__arena.bytes >> TM_SLICE_SHIFT);
  for (uint32_t slice = slices - 1; slice > tm__arena_top(); slice /= 2)
    assert_int_equal(tm__tag_kind(tm__tag_read(slice)), TM_KIND_FREE);
}

/* ---- Finding -------------------------------------------------------------------------------- */

static void the_lowest_run_is_taken(void **state)
{
  (void)state;
  uint32_t a = acquire(3), b = acquire(2), c = acquire(4), d = acquire(1);
  assert_int_equal(b, a + 3);
  assert_int_equal(c, b + 2);
  release(b, 2);
  release(c, 4);
  assert_int_equal(acquire(1), b);
  assert_int_equal(acquire(5), b + 1);
  release(b, 6);
  release(a, 3);
  release(d, 1);
}

static void warm_memory_is_taken_before_cold(void **state)
{
  (void)state;
  uint32_t cold = acquire(2), wall = acquire(1), warm = acquire(2), end = acquire(1);
  release(cold, 2);
  purge_all();
  release(warm, 2);
  assert_int_equal(acquire(2), warm);
  assert_int_equal(acquire(2), cold);
  release(cold, 2);
  release(warm, 2);
  release(wall, 1);
  release(end, 1);
}

/* Regression: slices were counted from the start of the range, which is aligned to one slice. */
static void runs_start_where_alignment_wants(void **state)
{
  (void)state;
  for (uint32_t align = 1; align <= 16384; align *= 2) {
    bool zero;
    uint32_t wall = acquire(1);
    int64_t first = acquire_aligned(3, align, &zero);
    assert_true(first >= 0);
    uintptr_t at = (uintptr_t)tm__slice_address((uint32_t)first);
    assert_int_equal(at % ((uintptr_t)align * TM_SLICE), 0);
    release((uint32_t)first, 3);
    release(wall, 1);
    must_balance();
  }
}

static void more_than_there_is_is_refused(void **state)
{
  (void)state;
  bool zero;
  uint32_t slices = (uint32_t)(tm__arena.bytes >> TM_SLICE_SHIFT), top = tm__arena_top();
  assert_int_equal(acquire_aligned(slices + 1, 1, &zero), -1);
  assert_int_equal(acquire_aligned(UINT32_MAX, 1, &zero), -1);
  assert_int_equal(acquire_aligned(UINT32_MAX, 16384, &zero), -1);
  assert_int_equal(tm__arena_top(), top);
}

static void a_run_grows_into_free_slices_only(void **state)
{
  (void)state;
  uint64_t fresh = 0;
  uint32_t a = acquire(2), b = acquire(2), c = acquire(1);
  assert_false(tm__arena_extend(a, 2, 1, &fresh));
  release(b, 2);
  assert_false(tm__arena_extend(a, 2, 3, &fresh)); /* c is in the way */
  assert_true(tm__arena_extend(a, 2, 1, &fresh));
  acquired += fresh;
  in_use++;
  must_balance();
  assert_int_equal(acquire(1), a + 3);
  release(a, 4);
  release(c, 1);
}

static void the_last_run_grows_beyond_the_top(void **state)
{
  (void)state;
  uint64_t fresh = 0;
  uint32_t top = tm__arena_top(), a = acquire(top + 2);
  uint32_t slices = (uint32_t)(tm__arena.bytes >> TM_SLICE_SHIFT);
  assert_int_equal(a + top + 2, tm__arena_top());
  assert_true(tm__arena_extend(a, top + 2, 700, &fresh));
  assert_int_equal(fresh, 700 * TM_SLICE);
  acquired += fresh;
  in_use += 700;
  fill(a + top + 2, 700, 1);
  assert_false(tm__arena_extend(a, top + 702, slices, &fresh));
  release(a, top + 702);
}

static void tags_are_cleared_by_release(void **state)
{
  (void)state;
  uint32_t a = acquire(5);
  for (uint32_t i = 0; i < 5; i++) {
    assert_int_equal(tm__tag_kind(tm__tag_read(a + i)), TM_KIND_LARGE);
    assert_int_equal(tm__page_of(tm__slice_address(a + i), tm__tag_read(a + i)) - tm__arena.pages,
                     a);
  }
  release(a, 5);
  for (uint32_t i = 0; i < 5; i++)
    assert_int_equal(tm__tag_kind(tm__tag_read(a + i)), TM_KIND_FREE);
}

/* ---- Random runs ---------------------------------------------------------------------------- */

typedef struct run {
  uint32_t first, slices;
  unsigned char byte;
} run;

static void step_release(run *runs, size_t *count, test_random *r)
{
  run *one = &runs[random_below(r, *count)];
  const unsigned char *p = (unsigned char *)tm__slice_address(one->first);
  size_t bytes = (size_t)one->slices << TM_SLICE_SHIFT;
  for (size_t i = 0; i < bytes; i += 4096)
    must_equal(p[i], one->byte);
  must_equal(p[bytes - 1], one->byte);
  release(one->first, one->slices);
  *one = runs[--*count];
}

static void step_acquire(run *runs, size_t *count, test_random *r)
{
  bool zero;
  run *one = &runs[*count];
  one->slices = 1 + (uint32_t)random_below(r, random_below(r, 8) ? 4 : 40);
  int64_t first = acquire_aligned(one->slices, 1u << random_below(r, 4), &zero);
  must(first >= 0);
  one->first = (uint32_t)first;
  one->byte = (unsigned char)(1 + random_below(r, 255));
  const unsigned char *p = (unsigned char *)tm__slice_address(one->first);
  size_t bytes = (size_t)one->slices << TM_SLICE_SHIFT;
  must(!zero || (p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0));
  memset(tm__slice_address(one->first), one->byte, bytes);
  ++*count;
}

static void random_runs_keep_their_content(void **state)
{
  (void)state;
  enum { MOST = 100, STEPS = 4000 };
  static run runs[MOST];
  test_random r = {5};
  size_t count = 0;
  for (int i = 0; i < STEPS; i++) {
    if (count == 0 || (count < MOST && random_below(&r, 2)))
      step_acquire(runs, &count, &r);
    else
      step_release(runs, &count, &r);
    if (i % 50 == 0)
      purged += tm__arena_purge(random_below(&r, tm__arena_dirty_bytes() + 1), NULL);
    must_balance();
  }
  while (count)
    step_release(runs, &count, &r);
}

/* ---- Purging -------------------------------------------------------------------------------- */

static void purge_measures_what_was_resident(void **state)
{
  (void)state;
  uint32_t a = acquire(20);
  fill(a, 7, 1); /* the other 13 were never touched */
  assert_int_equal(resident(a, 20), 7 * TM_SLICE);
  release(a, 20);
  assert_int_equal(tm__arena_dirty_bytes(), 20 * TM_SLICE);
  uint64_t measured = 0, bytes = tm__arena_purge(0, &measured);
  purged += bytes;
  assert_int_equal(bytes, 20 * TM_SLICE);
  assert_int_equal(measured, 7 * TM_SLICE);
  assert_int_equal(resident(a, 20), 0);
  assert_int_equal(tm__arena_purge(0, &measured), 0);
  assert_int_equal(measured, 7 * TM_SLICE);
}

static void purge_keeps_what_it_may_and_the_lowest(void **state)
{
  (void)state;
  uint32_t a = acquire(2000);
  fill(a, 2000, 1);
  release(a, 2000);
  purged += tm__arena_purge(300 * TM_SLICE, NULL);
  assert_int_equal(tm__arena_dirty_bytes(), 300 * TM_SLICE);
  assert_int_equal(resident(a, 300), 300 * TM_SLICE);
  assert_int_equal(resident(a + 300, 1700), 0);
}

static void a_refused_purge_leaves_the_dirt(void **state)
{
  (void)state;
  uint32_t a = acquire(4);
  fill(a, 4, 1);
  release(a, 4);
  tm__os_fault(1, true);
  assert_int_equal(tm__arena_purge(0, NULL), 0);
  assert_int_equal(tm__arena_dirty_bytes(), 4 * TM_SLICE);
  tm__os_fault(0, false);
  must_balance();
}

/* A soft limit leaves no room for dirt: it goes at once. */
static void keep_bounds_the_dirt(void **state)
{
  (void)state;
  uint32_t a = acquire(64);
  fill(a, 64, 1);
  tm__arena_keep_set(8 * TM_SLICE);
  for (uint32_t i = 0; i < 64; i++) {
    uint64_t before = tm__arena_dirty_bytes();
    release(a + i, 1);
    purged += before + TM_SLICE - tm__arena_dirty_bytes();
    assert_true(tm__arena_dirty_bytes() <= 8 * TM_SLICE);
  }
  assert_true(tm__arena_dirty_bytes() > 0);
}

/* What is left along the decay curve, looked at twenty times a second by a clock of our own. */
static void dirt_decays_along_the_curve(void **state)
{
  (void)state;
  enum { SLICES = 1000 };
  uint64_t start = (uint64_t)1000000 * 1000000000, ms = 1000000, bytes = SLICES * TM_SLICE;
  uint32_t a = acquire(SLICES);
  (void)tm__arena_tick(start);
  release(a, SLICES);
  for (uint64_t t = 200; t <= TM_DECAY_MS + 400; t += 50) {
    purged += tm__arena_tick(start + t * ms);
    must_balance();
    double x = (double)(t - 200) / TM_DECAY_MS;
    double want = x >= 1 ? 0 : (double)bytes * (1 - x * x * (3 - 2 * x));
    double have = (double)tm__arena_dirty_bytes();
    assert_true(have <= want + (double)bytes * 0.05);
    assert_true(have >= want - (double)bytes * 0.05);
  }
  assert_int_equal(tm__arena_dirty_bytes(), 0);
}

/* ---- When the OS says no -------------------------------------------------------------------- */

static void a_failed_commit_changes_nothing(void **state)
{
  (void)state;
  bool zero;
  uint32_t want = tm__arena_top() + 3000; /* needs memory and tables */
  unsigned long calls = 0;
  for (unsigned nth = 1; nth < 20; nth++) {
    uint32_t top = tm__arena_top();
    uint64_t dirty = tm__arena_dirty_bytes(), meta = tm__arena_meta_bytes();
    tm__os_fault(nth, true);
    int64_t first = acquire_aligned(want, 1, &zero);
    tm__os_fault(0, false);
    if (first >= 0) {
      release((uint32_t)first, want);
      calls = nth - 1;
      break;
    }
    assert_int_equal(tm__arena_top(), top);
    assert_int_equal(tm__arena_dirty_bytes(), dirty);
    assert_int_equal(tm__arena_meta_bytes(), meta);
    must_balance();
  }
  assert_true(calls >= 3);
}

static void bookkeeping_memory(void **state)
{
  (void)state;
  unsigned char *last = NULL;
  for (size_t n = 1; n < 3000000; n = n * 3 + 7) {
    uint64_t before = tm__arena_meta_bytes();
    unsigned char *p = tm__meta_alloc(n);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % TM_CACHE_LINE, 0);
    assert_false(tm__inside(p));
    assert_true(p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
    memset(p, 1, n);
    assert_in_range(tm__arena_meta_bytes() - before, n, n + 127);
    assert_ptr_not_equal(p, last);
    last = p;
  }
  uint64_t before = tm__arena_meta_bytes();
  tm__os_fault(1, true);
  assert_null(tm__meta_alloc(90000000)); /* more than is committed ahead */
  assert_int_equal(tm__arena_meta_bytes(), before);
  tm__os_fault(0, false);
  assert_non_null(tm__meta_alloc(90000000));
}

/* Regression: a thread that came after setrlimit(RLIMIT_AS) had no books, and its free aborted. */
static void bookkeeping_memory_where_the_os_maps_nothing(void **state)
{
  (void)state;
  uint32_t top = tm__arena_top();
  tm__os_fault(1, false);
  unsigned char *p = tm__meta_alloc(1000000);
  tm__os_fault(0, false);
  assert_non_null(p);
  assert_true(tm__inside(p));
  assert_int_equal(tm__arena_top(), top + 16);
  assert_true(p[0] == 0 && memcmp(p, p + 1, 999999) == 0);
  memset(p, 1, 1000000);
}

/* Little address space, as in containers: a smaller arena, used up to its last slice. */
static void use_a_small_arena_up(void)
{
  bool zero;
  static uint32_t runs[20000];
  struct rlimit limit = {(rlim_t)1 << 29, (rlim_t)1 << 29};
  must(setrlimit(RLIMIT_AS, &limit) == 0);
  must(tm__arena_init());
  must(tm__arena.bytes >= (size_t)64 << 20 && tm__arena.bytes < (size_t)1 << 29);
  /* and the rest of the program has room for what it maps itself */
  void *room = tm__os_reserve(tm__arena.bytes / 4, TM_OS_PAGE);
  must(room != NULL);
  must_equal(tm__os_unreserve(room, tm__arena.bytes / 4), 0);
  uint32_t slices = (uint32_t)(tm__arena.bytes >> TM_SLICE_SHIFT), count = 0;
  for (int64_t first; (first = acquire_aligned(7, 1, &zero)) >= 0;)
    runs[count++] = (uint32_t)first;
  must_equal(count, slices / 7);
  must_balance();
  must_equal(acquire_aligned(7, 1, &zero), -1);
  while (count)
    release(runs[--count], 7);
  int64_t all = acquire_aligned(slices, 1, &zero);
  must_equal(all, 0);
  fill(0, slices, 1);
  must_balance();
}

static void little_address_space_makes_a_small_arena(void)
{
  int status;
  pid_t child = fork(); /* before this process has an arena */
  must(child >= 0);
  if (child == 0) {
    use_a_small_arena_up();
    _exit(0);
  }
  must(waitpid(child, &status, 0) == child);
  must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* No address space at all is an answer, and later there may be some. */
static void refused_reservations(void)
{
  tm__os_fault(1, true);
  must(!tm__arena_init());
  must_equal(tm__arena.bytes, 0);
  must(!tm__inside(&in_use));
  tm__os_fault(0, false);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_range_is_one),
      cmocka_unit_test(tags_of_unused_slices_can_be_read),
      cmocka_unit_test_teardown(the_lowest_run_is_taken, balanced),
      cmocka_unit_test_teardown(warm_memory_is_taken_before_cold, balanced),
      cmocka_unit_test_teardown(runs_start_where_alignment_wants, balanced),
      cmocka_unit_test_teardown(more_than_there_is_is_refused, balanced),
      cmocka_unit_test_teardown(a_run_grows_into_free_slices_only, balanced),
      cmocka_unit_test_teardown(the_last_run_grows_beyond_the_top, balanced),
      cmocka_unit_test_teardown(tags_are_cleared_by_release, balanced),
      cmocka_unit_test_teardown(random_runs_keep_their_content, balanced),
      cmocka_unit_test_teardown(purge_measures_what_was_resident, balanced),
      cmocka_unit_test_teardown(purge_keeps_what_it_may_and_the_lowest, balanced),
      cmocka_unit_test_teardown(a_refused_purge_leaves_the_dirt, balanced),
      cmocka_unit_test_teardown(keep_bounds_the_dirt, balanced),
      cmocka_unit_test_teardown(dirt_decays_along_the_curve, balanced),
      cmocka_unit_test_teardown(a_failed_commit_changes_nothing, balanced),
      cmocka_unit_test_teardown(bookkeeping_memory, balanced),
      cmocka_unit_test(bookkeeping_memory_where_the_os_maps_nothing), /* last: takes slices */
  };
  pages_stay_small();
  if (!TEST_SANITIZED) /* a sanitizer's own shadow does not fit into so little */
    little_address_space_makes_a_small_arena();
  refused_reservations();
  must(tm__arena_init());
  return cmocka_run_group_tests(tests, NULL, NULL);
}
