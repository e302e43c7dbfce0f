/* A checkup of real heaps: it shows what the readers show, and real troubles are found in it. */
#include <sys/mman.h>
#include <tidemark/doctor.h>
#include <tidemark/inform.h>

#include "heap/types.h"
#include "stats/process.h"
#include "support/books.h"
#include "support/clock.h"

enum { MIB = 1 << 20, VISITS = 4 };

static tm_heap *heap;
static tm_checkup visits[VISITS];
static const tm_checkup *const history[VISITS] = {&visits[0], &visits[1], &visits[2], &visits[3]};
static tm_finding found[TM_FINDING_COUNT];
static test_clock the_clock;

static int open_ward(void **state)
{
  tm_heap_config config;
  (void)state;
  test_clock_start(&the_clock);
  tm_heap_config_init(&config);
  config.name = "ward";
  return tm_heap_new(&heap, &config);
}

static int close_ward(void **state)
{
  (void)state;
  test_clock_stop();
  return tm_heap_close(heap);
}

static const tm_finding *finding(tm_finding_id id, size_t count)
{
  size_t n = tm_doctor_examine(history, count, found, TM_FINDING_COUNT);
  for (size_t i = 0; i < n; i++)
    if (found[i].id == id)
      return &found[i];
  return NULL;
}

static const tm_finding *finding_now(tm_heap *of, tm_finding_id id)
{
  assert_int_equal(tm_checkup_read(of, &visits[0]), 0);
  return finding(id, 1);
}

static void shows_what_the_readers_show(void **state)
{
  (void)state;
  void *block = tm_malloc(heap, TM_OBJ, 100000);
  tm_inform(heap, "gpu", 5000);
  assert_int_equal(tm_checkup_read(heap, &visits[0]), 0);
  tm_stats stats = books_stats(heap);
  assert_memory_equal(&visits[0].stats, &stats, sizeof stats);
  assert_string_equal(visits[0].heap, "ward");
  assert_int_equal(visits[0].tag_count, 1);
  assert_string_equal(visits[0].tags[0].name, "gpu");
  assert_int_equal(visits[0].cpu_cap_percent, 50);
  assert_int_equal(visits[0].time_ns, tm__os_now_ns());
  assert_int_equal(visits[0].first, heap == tm_heap_at(0));
  assert_int_equal(visits[0].actions[TM_TRIM].kind, TM_TRIM);
  tm_free(heap, TM_OBJ, block);
  assert_int_equal(tm_checkup_read(NULL, &visits[0]), TM_EINVAL);
  assert_int_equal(tm_checkup_read(heap, NULL), TM_EINVAL);
}

static void the_first_heap_speaks_for_the_process(void **state)
{
  (void)state;
  tm_free(tm_heap_default(), TM_RAW, tm_malloc(tm_heap_default(), TM_RAW, 1));
  tm_inform(heap, "gpu", 3 * MIB);
  tm_inform(heap, "debt", -1 * MIB);
  assert_int_equal(tm_checkup_read(tm_heap_at(0), &visits[0]), 0);
  tm__process process;
  tm__process_read(&process);
  assert_true(visits[0].first);
  assert_true(visits[0].resident_bytes <= process.resident_bytes + MIB);
  assert_true(visits[0].resident_bytes + 8 * MIB >= process.resident_bytes);
  uint64_t known = 0;
  for (size_t i = 0; tm_heap_at(i); i++)
    known += books_stats(tm_heap_at(i)).committed_bytes;
  assert_int_equal(visits[0].known_bytes, known + 2 * MIB);
}

static void a_full_heap_is_found(void **state)
{
  (void)state;
  assert_int_equal(tm_limit_set(heap, TM_HARD, 32 * MIB), 0);
  assert_null(finding_now(heap, TM_FINDING_NEAR_LIMIT));
  void *block = tm_malloc(heap, TM_MEM, 30 * MIB);
  assert_int_equal(finding_now(heap, TM_FINDING_NEAR_LIMIT)->level, TM_LEVEL_WARNING);
  assert_string_equal(found[0].heap, "ward");
  assert_null(tm_malloc(heap, TM_MEM, 30 * MIB));
  assert_int_equal(finding_now(heap, TM_FINDING_NEAR_LIMIT)->level, TM_LEVEL_ALARM);
  tm_free(heap, TM_MEM, block);
  assert_null(finding_now(heap, TM_FINDING_NEAR_LIMIT));
}

static int free_nothing(void *ctx, const tm_event *event)
{
  (void)ctx, (void)event;
  return TM_HOOK_NOTHING;
}

static void a_heap_that_nobody_polls_is_found(void **state)
{
  (void)state;
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, free_nothing, NULL, NULL), 0);
  void *block = tm_malloc(heap, TM_MEM, 40 * MIB);
  void *small = tm_malloc(heap, TM_MEM, 100);
  assert_true(tm_pending(heap));
  assert_null(finding_now(heap, TM_FINDING_NOT_SERVED));
  test_clock_move_ms(&the_clock, 11000);
  assert_non_null(finding_now(heap, TM_FINDING_NOT_SERVED));
  while (tm_poll(heap) > 0)
    ;
  assert_null(finding_now(heap, TM_FINDING_NOT_SERVED));
  tm_free(heap, TM_MEM, small);
  tm_free(heap, TM_MEM, block);
}

static void a_tag_that_grows_is_found(void **state)
{
  (void)state;
  for (size_t i = 0; i < VISITS; i++) {
    tm_inform(heap, "tiles", 30 * MIB);
    test_clock_move_ms(&the_clock, 60000);
    assert_int_equal(tm_checkup_read(heap, &visits[i]), 0);
  }
  assert_non_null(finding(TM_FINDING_TAG_GROWS, VISITS));
  tm_inform(heap, "tiles", -40 * MIB);
  assert_int_equal(tm_checkup_read(heap, &visits[VISITS - 1]), 0);
  assert_null(finding(TM_FINDING_TAG_GROWS, VISITS));
}

static void mixed_families_are_found(void **state)
{
  (void)state;
  assert_int_equal(tm_mismatch_set(TM_MISMATCH_IGNORE), 0);
  for (int i = 0; i < 200; i++)
    tm_free(heap, TM_RAW, tm_malloc(heap, TM_RAW, 100));
  assert_null(finding_now(heap, TM_FINDING_FAMILIES_MIXED));
  for (int i = 0; i < 20; i++)
    tm_free(heap, TM_MEM, tm_malloc(heap, TM_RAW, 100));
  assert_non_null(finding_now(heap, TM_FINDING_FAMILIES_MIXED));
  assert_int_equal(tm_mismatch_set(TM_MISMATCH_ABORT), 0);
}

/* Every second block stays, so that no page can go. */
static void a_fragmented_heap_is_found(void **state)
{
  enum { BLOCKS = 300000 };
  static void *blocks[BLOCKS];
  (void)state;
  for (size_t i = 0; i < BLOCKS; i++)
    blocks[i] = tm_malloc(heap, TM_OBJ, 512);
  assert_null(finding_now(heap, TM_FINDING_FRAGMENTED));
  for (size_t i = 0; i < BLOCKS; i++)
    if (i % 8)
      tm_free(heap, TM_OBJ, blocks[i]);
  assert_non_null(finding_now(heap, TM_FINDING_FRAGMENTED));
  for (size_t i = 0; i < BLOCKS; i += 8)
    tm_free(heap, TM_OBJ, blocks[i]);
}

/* The default heap has the arena's free slices. Nobody makes requests, so nothing decays. */
static void dirty_memory_is_found(void **state)
{
  tm_heap *all = tm_heap_default();
  (void)state;
  tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 200 * MIB));
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(tm_checkup_read(all, &visits[i]), 0);
    test_clock_move_ms(&the_clock, 60000);
  }
  assert_non_null(finding(TM_FINDING_DIRTY_KEPT, 2));
  (void)tm_trim(all);
  assert_int_equal(tm_checkup_read(all, &visits[1]), 0);
  assert_null(finding(TM_FINDING_DIRTY_KEPT, 2));
}

/* 200 MiB that no heap knows of, until it is told. */
static void memory_outside_is_found(void **state)
{
  enum { BYTES = 400 * MIB };
  (void)state;
  (void)tm_trim(tm_heap_default());
  char *map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(map, MAP_FAILED);
  for (size_t i = 0; i < BYTES; i += 4096)
    map[i] = 1;
  assert_non_null(finding_now(tm_heap_at(0), TM_FINDING_OUTSIDE));
  tm_inform(heap, "map", BYTES);
  if (!TEST_SANITIZED) /* those have memory of their own, that no heap knows of */
    assert_null(finding_now(tm_heap_at(0), TM_FINDING_OUTSIDE));
  tm_inform(heap, "map", -(int64_t)BYTES);
  assert_int_equal(munmap(map, BYTES), 0);
}

#define WARD(name) cmocka_unit_test_setup_teardown(name, open_ward, close_ward)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WARD(shows_what_the_readers_show), WARD(the_first_heap_speaks_for_the_process),
      WARD(a_full_heap_is_found),        WARD(a_heap_that_nobody_polls_is_found),
      WARD(a_tag_that_grows_is_found),   WARD(mixed_families_are_found),
      WARD(a_fragmented_heap_is_found),  WARD(dirty_memory_is_found),
      WARD(memory_outside_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
