/*
 * test_trim.c - giving memory back: how much, how much is said, when by itself. The process's own
 * resident pages are the judge.
 */
#include "heap/trim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tidemark/gc.h>

#include "heap/arena.h"
#include "heap/heap.h"
#include "support/books.h"
#include "support/clock.h"
#include "support/pages.h"
#include "support/storm.h"
#include "support/threads.h"

enum { MIB = 1 << 20 };

/* Pages of the arena that are in memory. */
static uint64_t resident(void)
{
  return tm__os_resident(tm__arena.base, (size_t)tm__arena_top() << TM_SLICE_SHIFT);
}

/* As the kernel counts for the whole process. */
static uint64_t process_resident(void)
{
  unsigned long total = 0, pages = 0;
  char text[128] = {0};
  int fd = open("/proc/self/statm", O_RDONLY);
  must(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
  (void)close(fd);
  must(sscanf(text, "%lu %lu", &total, &pages) == 2);
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static tm_heap *heap_of(tm_threads threads)
{
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = threads;
  must(tm_heap_new(&heap, &config) == 0);
  return heap;
}

/* ---- By hand -------------------------------------------------------------------------------- */

/* A burst of blocks of all sizes, all written to, all freed. */
static void burst(tm_heap *heap, size_t bytes)
{
  storm s = {.heap = heap, .most_blocks = 1000000, .random = {bytes}};
  uint64_t taken = 0;
  while (taken < bytes) {
    size_t n = random_size(&s.random);
    shadow_block block = shadow_born(&s.shadow, TM_MEM, tm_malloc(heap, TM_MEM, n), n);
    memset(block.p, 1, n);
    shadow_keep(&s.shadow, block);
    taken += block.usable;
  }
  while (s.shadow.count)
    tm_free(heap, TM_MEM, shadow_take(&s.shadow, s.shadow.count - 1).p);
  shadow_drop(&s.shadow);
}

static void a_freed_burst_goes_back(void **state)
{
  (void)state;
  for (int threads = TM_ONE_THREAD; threads <= TM_MANY_THREADS; threads++) {
    tm_heap *heap = heap_of((tm_threads)threads);
    (void)tm_trim(heap);
    uint64_t base = resident();
    burst(heap, 64 * MIB);
    uint64_t full = resident(), held = full - base;
    assert_true(held > 48 * MIB);
    uint64_t process = process_resident(), said = tm_trim(heap);
    assert_true(said >= held / 100 * 95);
    assert_int_equal(said, full - resident());
    if (!TEST_SANITIZED)
      assert_in_range(process - process_resident(), said - said / 50, said + said / 50);
    assert_int_equal(books_stats(heap).pages, 0);
    assert_int_equal(tm_trim(heap), 0);
    books_must_balance(heap);
    assert_int_equal(tm_heap_close(heap), 0);
  }
}

/* What is in use stays as it is. */
static void trim_spares_live_blocks(void **state)
{
  (void)state;
  storm s = {.heap = heap_of(TM_ONE_THREAD), .most_blocks = 3000, .random = {21}};
  storm_pools(s.heap, s.pools);
  for (int i = 0; i < 20000; i++) {
    storm_step(&s);
    if (i % 500 == 0)
      (void)tm_trim(s.heap);
  }
  for (size_t i = 0; i < s.shadow.count; i++)
    shadow_verify(&s.shadow.blocks[i], s.shadow.blocks[i].n);
  shadow_must_match(&s.shadow, s.heap);
  books_must_balance(s.heap);
  shadow_drop(&s.shadow);
  assert_int_equal(tm_heap_close(s.heap), 0);
}

static void trim_changes_no_footprint(void **state)
{
  (void)state;
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  void *p = tm_malloc(heap, TM_RAW, 100);
  burst(heap, 4 * MIB);
  tm_stats before = books_stats(heap);
  (void)tm_trim(heap);
  tm_stats after = books_stats(heap);
  assert_int_equal(before.footprint_bytes, after.footprint_bytes);
  assert_int_equal(before.allocs_total, after.allocs_total);
  assert_int_equal(before.freed_bytes_total, after.freed_bytes_total);
  assert_true(after.os_released_bytes_total > before.os_released_bytes_total);
  assert_true(after.committed_bytes < before.committed_bytes);
  tm_free(heap, TM_RAW, p);
  assert_int_equal(tm_heap_close(heap), 0);
  assert_int_equal(tm_trim(NULL), 0);
}

static void a_refused_purge_is_not_counted(void **state)
{
  (void)state;
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  (void)tm_trim(heap);
  burst(heap, 4 * MIB);
  uint64_t released = books_stats(heap).os_released_bytes_total;
  tm__os_fault(1, true);
  assert_int_equal(tm_trim(heap), 0);
  tm__os_fault(0, false);
  assert_int_equal(books_stats(heap).os_released_bytes_total, released);
  books_must_balance(heap);
  assert_true(tm_trim(heap) > 3 * MIB);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- Threads that have ended ---------------------------------------------------------------- */

typedef struct left_behind {
  tm_heap *heap;
  void *blocks[20000];
} left_behind;

static void leave_blocks(void *ctx, unsigned index)
{
  left_behind *l = ctx;
  (void)index;
  for (size_t i = 0; i < TM_ARRAY_LEN(l->blocks); i++) {
    l->blocks[i] = tm_malloc(l->heap, TM_MEM, 500);
    memset(l->blocks[i], 1, 500);
  }
}

/* Its shard is idle; what others free of it lies on its list until somebody sweeps it. */
static void idle_shards_are_swept(void **state)
{
  (void)state;
  static left_behind l;
  l.heap = heap_of(TM_MANY_THREADS);
  (void)tm_trim(l.heap);
  thread_run(leave_blocks, &l);
  assert_int_equal(books_stats(l.heap).threads, 0);
  assert_int_equal(books_stats(l.heap).live_blocks, TM_ARRAY_LEN(l.blocks));
  for (size_t i = 0; i < TM_ARRAY_LEN(l.blocks); i++)
    tm_free(l.heap, TM_MEM, l.blocks[i]);
  assert_int_equal(books_stats(l.heap).live_bytes, 0);
  assert_true(tm_trim(l.heap) >= TM_ARRAY_LEN(l.blocks) * 512);
  assert_int_equal(books_stats(l.heap).pages, 0);
  books_must_balance(l.heap);
  assert_int_equal(tm_heap_close(l.heap), 0);
}

static void trim_on(void *ctx, unsigned index)
{
  tm_heap *heap = ctx;
  for (int i = 0; i < 100; i++) {
    if (index % 2)
      burst(heap, MIB / 2);
    (void)tm_trim(heap);
  }
}

static void several_threads_may_trim(void **state)
{
  (void)state;
  tm_heap *heap = heap_of(TM_MANY_THREADS);
  threads_run(4, trim_on, heap);
  (void)tm_trim(heap);
  assert_int_equal(books_stats(heap).pages, 0);
  books_must_balance(heap);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- By itself ------------------------------------------------------------------------------ */

/* Committed bytes follow the curve while the process does a little, and are gone at its end. */
static void dirt_decays_by_the_clock(void **state)
{
  (void)state;
  test_clock clock;
  tm_heap *d = tm_heap_default();
  (void)tm_trim(d);
  test_clock_start(&clock);
  (void)tm__heap_tick(d);
  uint64_t released = books_stats(d).os_released_bytes_total;
  uint64_t base = books_stats(d).committed_bytes;
  burst(d, 64 * MIB);
  (void)tm__heap_tick(d);
  double burst_bytes = (double)books_stats(d).dirty_bytes;
  assert_true(burst_bytes > 60.0 * MIB);
  for (uint64_t ms = 0; ms <= TM_DECAY_MS + 500; ms += 100) {
    (void)tm__heap_tick(d);
    double x = (double)ms / TM_DECAY_MS,
           want = x >= 1 ? 0 : burst_bytes * (1 - x * x * (3 - 2 * x));
    double have = (double)books_stats(d).dirty_bytes;
    assert_true(have <= want + burst_bytes * 0.08);
    assert_true(have >= want - burst_bytes * 0.08);
    test_clock_move_ms(&clock, 100);
  }
  assert_int_equal(books_stats(d).dirty_bytes, 0);
  /* a page of each class stays at hand: that is what tm_trim is for */
  assert_true(books_stats(d).committed_bytes <= base + 20 * MIB);
  (void)tm_trim(d);
  assert_true(books_stats(d).committed_bytes <= base + MIB);
  assert_true((double)(books_stats(d).os_released_bytes_total - released) >= burst_bytes);
  test_clock_stop();
  books_must_balance(d);
}

/* What comes and goes all the time is never purged, however long that lasts. */
static void what_is_reused_is_kept(void **state)
{
  (void)state;
  test_clock clock;
  tm_heap *d = tm_heap_default();
  (void)tm_trim(d);
  test_clock_start(&clock);
  burst(d, 16 * MIB);
  uint64_t acquired = books_stats(d).os_acquired_bytes_total;
  for (int i = 0; i < 300; i++) {
    burst(d, 16 * MIB);
    test_clock_move_ms(&clock, 100);
  }
  assert_true(books_stats(d).os_acquired_bytes_total - acquired < 48 * MIB);
  test_clock_stop();
}

static void a_soft_limit_leaves_no_room_for_dirt(void **state)
{
  (void)state;
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  (void)tm_trim(heap);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 16 * MIB), 0);
  burst(heap, 60 * MIB);
  tm_free(heap, TM_RAW, tm_malloc(heap, TM_RAW, 1)); /* may be the one that looks */
  assert_true(books_stats(tm_heap_default()).dirty_bytes <= 16 * MIB);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 0), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- Under pressure ------------------------------------------------------------------------- */

enum { SMALL = 1024, RUN = 32, SMALLS = 8 * MIB / SMALL };

/* Who may read the OS pages in which all blocks are free: every second run. Their number. */
static unsigned protect_free_pages(char *const *blocks, int protection)
{
  unsigned runs = 0;
  for (size_t i = RUN; i < SMALLS; i += 2 * (size_t)RUN) {
    char *first = blocks[i], *last = blocks[i + RUN - 1];
    if (last - first != (RUN - 1) * SMALL)
      continue; /* across two pages of the heap */
    uintptr_t from = ((uintptr_t)first + TM_OS_PAGE - 1) & ~(uintptr_t)(TM_OS_PAGE - 1);
    uintptr_t to = ((uintptr_t)last + SMALL) & ~(uintptr_t)(TM_OS_PAGE - 1);
    must(mprotect((char *)from, to - from, protection) == 0);
    runs++;
  }
  return runs;
}

/* Regression: the trim that answers memory pressure walked the lists of free blocks, and so brought
 * back in what the system had paged out. Pages that nobody may read stand for those. */
static void trim_under_pressure_touches_no_block(void **state)
{
  (void)state;
  static char *blocks[SMALLS];
  if (TM_STRESS_TRIP) {
    print_message("SKIP: stress-trip runs other rungs as well\n");
    skip();
  }
  tm_heap *heap = tm_heap_default();
  for (size_t i = 0; i < SMALLS; i++) {
    blocks[i] = tm_malloc(heap, TM_MEM, SMALL);
    must(blocks[i] != NULL);
    memset(blocks[i], 1, SMALL);
  }
  void *dirt = tm_malloc(heap, TM_MEM, 16 * MIB);
  memset(dirt, 1, 16 * MIB);
  tm_free(heap, TM_MEM, dirt);
  for (size_t i = RUN; i < SMALLS; i++)
    if (i / RUN % 2)
      tm_free(heap, TM_MEM, blocks[i]);
  uint64_t holes = tm__counter_read(&heap->hole_bytes);
  assert_true(tm__arena_dirty_bytes() >= 16 * MIB);
  assert_true(protect_free_pages(blocks, PROT_NONE) >= 20);
  assert_int_equal(tm_pressure_post(heap, TM_PRESSURE_CRITICAL), 0);
  assert_true(tm_poll(heap) >= 1);
  (void)protect_free_pages(blocks, PROT_READ | PROT_WRITE);
  assert_true(tm__arena_dirty_bytes() < MIB);
  assert_int_equal(tm__counter_read(&heap->hole_bytes), holes);
  (void)tm_trim(heap); /* which does look at them */
  assert_true(tm__counter_read(&heap->hole_bytes) > holes);
  for (size_t i = 0; i < SMALLS; i++)
    if (i / RUN % 2 == 0)
      tm_free(heap, TM_MEM, blocks[i]);
  assert_int_equal(tm_pressure_post(heap, TM_PRESSURE_NONE), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_freed_burst_goes_back),
      cmocka_unit_test(trim_spares_live_blocks),
      cmocka_unit_test(trim_changes_no_footprint),
      cmocka_unit_test(a_refused_purge_is_not_counted),
      cmocka_unit_test(idle_shards_are_swept),
      cmocka_unit_test(several_threads_may_trim),
      cmocka_unit_test(dirt_decays_by_the_clock),
      cmocka_unit_test(what_is_reused_is_kept),
      cmocka_unit_test(a_soft_limit_leaves_no_room_for_dirt),
      cmocka_unit_test(trim_under_pressure_touches_no_block),
  };
  pages_stay_small();
  (void)tm_heap_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
