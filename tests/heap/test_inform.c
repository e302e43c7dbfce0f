/* test_inform.c - external bytes: tags, levels, peaks, underflow, many threads, trips. */
#include <tidemark/inform.h>

#include <fcntl.h>

#include <tidemark/gc.h>

#include "base/assert.h"
#include "heap/types.h"
#include "misuse/crime.h"
#include "support/books.h"
#include "support/random.h"
#include "support/threads.h"

static tm_heap *heap;

static int new_heap(void **state)
{
  (void)state;
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  return tm_heap_close(heap);
}

static tm_tag_row tag_at(size_t index)
{
  tm_tag_row row;
  must(tm_tag_stats_read(heap, index, &row) == 1);
  return row;
}

static size_t tag_count(void)
{
  tm_tag_row row;
  size_t count = 0;
  while (tm_tag_stats_read(heap, count, &row))
    count++;
  return count;
}

/* ---- Tags ----------------------------------------------------------------------------------- */

static void tags_are_rows_in_order_of_first_use(void **state)
{
  (void)state;
  tm_inform(heap, "gpu", 1000);
  tm_inform(heap, "map", 200);
  tm_inform(heap, "gpu", 500);
  tm_inform(heap, "gpu", -300);
  assert_int_equal(tag_count(), 2);
  assert_string_equal(tag_at(0).name, "gpu");
  assert_int_equal(tag_at(0).informed_bytes, 1200);
  assert_int_equal(tag_at(0).informed_peak_bytes, 1500);
  assert_string_equal(tag_at(1).name, "map");
  assert_int_equal(tag_at(1).informed_bytes, 200);
  tm_stats stats = books_stats(heap);
  assert_int_equal(stats.informed_bytes, 1400);
  assert_int_equal(stats.footprint_bytes, 1400);
  assert_int_equal(stats.live_bytes, 0);
  assert_int_equal(stats.allocs_total, 0);
}

static void tags_are_copied_and_cut(void **state)
{
  (void)state;
  char name[101];
  memset(name, 'x', sizeof name);
  name[100] = 0;
  tm_inform(heap, name, 1);
  memset(name, 'y', 100);
  assert_int_equal(strlen(tag_at(0).name), 63);
  assert_int_equal(tag_at(0).name[62], 'x');
  memset(name, 'x', 100);
  name[70] = 0; /* the same first 63 bytes: the same tag */
  tm_inform(heap, name, 2);
  assert_int_equal(tag_count(), 1);
  assert_int_equal(tag_at(0).informed_bytes, 3);
}

static void no_tag_is_other(void **state)
{
  (void)state;
  tm_inform(heap, NULL, 5);
  tm_inform(heap, "other", 6);
  assert_int_equal(tag_count(), 1);
  assert_string_equal(tag_at(0).name, "other");
  assert_int_equal(tag_at(0).informed_bytes, 11);
}

/* 64 tags, the rest under "other", and nothing is lost. */
static void the_65th_tag_is_other(void **state)
{
  (void)state;
  int64_t sum = 0;
  for (int i = 0; i < 100; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "tag %d", i);
    tm_inform(heap, name, i + 1);
    sum += i + 1;
  }
  tm_inform(heap, "tag 3", 1000); /* known ones stay known */
  assert_int_equal(tag_count(), 65);
  assert_int_equal(tag_at(3).informed_bytes, 1004);
  assert_string_equal(tag_at(64).name, "other");
  int64_t rows = 0;
  for (size_t i = 0; i < 65; i++)
    rows += tag_at(i).informed_bytes;
  assert_int_equal(rows, sum + 1000);
  assert_int_equal(books_stats(heap).informed_bytes, sum + 1000);
}

static void odd_arguments(void **state)
{
  (void)state;
  tm_inform(NULL, "x", 1);
  tm_inform(heap, "", 7);
  assert_string_equal(tag_at(0).name, "");
  assert_int_equal(tag_at(0).informed_bytes, 7);
  tm_inform(heap, "", 0);
  assert_int_equal(tag_at(0).informed_bytes, 7);
}

/* ---- Below zero ----------------------------------------------------------------------------- */

static void take_back_too_much(const void *arg)
{
  (void)arg;
  must(tm_heap_new(&heap, NULL) == 0);
  tm_inform(heap, "gpu", 100);
  tm_inform(heap, "gpu", -150);
  tm_inform(heap, "gpu", -1); /* said once */
  must(tag_at(0).informed_bytes == -51);
}

static void an_underflow_is_reported_once(void **state)
{
  (void)state;
  crime_scene scene;
  crime_commit(take_back_too_much, NULL, &scene);
  assert_int_equal(scene.status, 0);
  const char *first = strstr(scene.text, "tag underflow");
  assert_non_null(first);
  assert_non_null(strstr(first, "\"gpu\""));
  assert_null(strstr(first + 1, "tag underflow"));
  assert_int_equal(strncmp(scene.text, "tidemark: ", 10), 0);
}

/* Regression: the footprint wrapped round to 2^64, was a peak for ever and crossed every trip. */
static void an_underflow_is_no_footprint(void **state)
{
  (void)state;
  int null = open("/dev/null", O_WRONLY);
  tm__report_fd_set(null);
  tm_inform(heap, "gpu", -1000000);
  tm_inform(heap, "gpu", 10);
  tm_stats stats = books_stats(heap);
  assert_int_equal(stats.informed_bytes, -999990);
  assert_int_equal(stats.footprint_bytes, 0);
  assert_int_equal(stats.footprint_peak_bytes, 0);
  assert_int_equal(tm_footprint(heap), 0);
  assert_int_equal(tm_pending(heap), 0);
  void *p = tm_malloc(heap, TM_RAW, 100);
  assert_non_null(p);
  assert_int_equal(tm_footprint(heap), 0);
  tm_free(heap, TM_RAW, p);
  tm_inform(heap, "gpu", 999990);
  assert_int_equal(tm_footprint(heap), 0);
  tm__report_fd_set(2);
  (void)close(null);
}

/* ---- The engine ----------------------------------------------------------------------------- */

static void count(void *ctx, tm_heap *which)
{
  (void)which;
  ++*(int *)ctx;
}

static int never(void *ctx, const tm_event *event)
{
  (void)event;
  *(int *)ctx += 1000;
  return TM_HOOK_NOTHING;
}

/* It latches and notifies like a request, and never runs a hook, not even of a synchronous heap. */
static void informing_crosses_trips(void **state)
{
  (void)state;
  tm_heap *sync;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.delivery = TM_SYNCHRONOUS;
  config.soft_limit_bytes = 8 << 20;
  assert_int_equal(tm_heap_new(&sync, &config), 0);
  int calls = 0;
  assert_int_equal(tm_notify_set(sync, count, &calls), 0);
  assert_int_equal(tm_hook_add(sync, TM_COLLECT, never, &calls, NULL), 0);
  tm_inform(sync, "gpu", 1 << 20);
  assert_int_equal(tm_pending(sync), TM_STRESS_TRIP ? tm_pending(sync) : 0);
  tm_inform(sync, "gpu", 9 << 20);
  assert_int_equal(tm_pending(sync), 1);
  assert_int_equal(calls, 1);
  assert_int_equal(tm_heap_close(sync), 0);
}

static int take_back(void *ctx, const tm_event *event)
{
  *(unsigned *)ctx |= event->reasons;
  tm_inform(event->heap, "gpu", -(int64_t)tm_footprint(event->heap));
  return TM_HOOK_DONE;
}

/* Told bytes alone bring each policy to its trip, count as allocated there, and are what the hook
 * takes back. */
static void told_bytes_weigh_in_every_policy(void **state)
{
  (void)state;
  if (TM_STRESS_TRIP) {
    print_message("SKIP: stress-trip crosses at every request\n");
    skip();
  }
  static const struct {
    const char *name;
    unsigned kinds, reason;
    int64_t soft, hard, trip; /* MiB */
    tm_pressure pressure;
    bool minor;
  } table[] = {
      {"fixed", TM_POLICY_FIXED, TM_REASON_FIXED, 0, 0, 64, 0, false},
      {"growth", TM_POLICY_GROWTH, TM_REASON_GROWTH, 0, 0, 4, 0, false},
      {"debt", TM_POLICY_DEBT, TM_REASON_DEBT, 0, 0, 16, 0, false},
      {"sqrt", TM_POLICY_SQRT, TM_REASON_SQRT, 0, 0, 4, 0, false},
      {"shared", TM_POLICY_SHARED, TM_REASON_SHARED, 0, 0, 4, 0, false},
      {"yield", TM_POLICY_GROWTH | TM_POLICY_YIELD, TM_REASON_GROWTH, 0, 0, 4, 0, false},
      {"pressure", TM_POLICY_GROWTH | TM_POLICY_PRESSURE, TM_REASON_GROWTH, 0, 0, 2,
       TM_PRESSURE_LOW, false},
      {"soft", 0, TM_REASON_SOFT, 50, 0, 49, 0, false},
      {"halfway", 0, TM_REASON_HALFWAY, 0, 20, 10, 0, false},
      {"young", 0, TM_REASON_YOUNG, 0, 0, 8, 0, true},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    tm_policy policy;
    unsigned reasons = 0;
    tm_policy_init(&policy);
    policy.kinds = table[i].kinds;
    assert_int_equal(new_heap(NULL), 0);
    assert_int_equal(tm_policy_set(heap, &policy), 0);
    assert_int_equal(tm_limit_set(heap, TM_SOFT, table[i].soft << 20), 0);
    assert_int_equal(tm_limit_set(heap, TM_HARD, table[i].hard << 20), 0);
    assert_int_equal(tm_pressure_post(heap, table[i].pressure), 0);
    (void)tm_poll(heap); /* what pressure itself asks for */
    assert_int_equal(tm_hook_add(heap, TM_COLLECT, take_back, &reasons, NULL), 0);
    if (table[i].minor)
      assert_int_equal(tm_hook_add(heap, TM_COLLECT_MINOR, take_back, &reasons, NULL), 0);
    while (!tm_pending(heap) && tm_footprint(heap) < 100 << 20)
      tm_inform(heap, "gpu", 1 << 20);
    if (tm_footprint(heap) >> 20 != (uint64_t)table[i].trip)
      fail_msg("%s: at %ld MiB", table[i].name, (long)(tm_footprint(heap) >> 20));
    assert_int_equal(tm_poll(heap), 1);
    assert_true(reasons & table[i].reason);
    assert_int_equal(tm_footprint(heap), 0);
    assert_int_equal(close_heap(NULL), 0);
  }
}

/* ---- Threads -------------------------------------------------------------------------------- */

enum { THREADS = 8, TIMES = 5000 };

static void inform_on(void *ctx, unsigned index)
{
  char name[16];
  test_random r = {index};
  int64_t sum = 0;
  for (int i = 0; i < TIMES; i++) {
    int64_t delta = (int64_t)random_below(&r, 10000) - 5000;
    delta = sum + delta < 0 ? -sum : delta;
    (void)snprintf(name, sizeof name, "tag %u", (unsigned)random_below(&r, 3) + 3 * index);
    tm_inform(ctx, "together", delta);
    tm_inform(ctx, name, 1);
    sum += delta;
  }
  tm_inform(ctx, "together", -sum);
}

static void nothing_is_lost_between_threads(void **state)
{
  (void)state;
  tm_inform(heap, "together", 0);
  threads_run(THREADS, inform_on, heap);
  assert_int_equal(tag_count(), 1 + 3 * THREADS);
  assert_string_equal(tag_at(0).name, "together");
  assert_int_equal(tag_at(0).informed_bytes, 0);
  int64_t rows = 0;
  for (size_t i = 0; i < tag_count(); i++)
    rows += tag_at(i).informed_bytes;
  assert_int_equal(rows, THREADS * TIMES);
  assert_int_equal(books_stats(heap).informed_bytes, THREADS * TIMES);
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(tags_are_rows_in_order_of_first_use),
      ON_A_HEAP(tags_are_copied_and_cut),
      ON_A_HEAP(no_tag_is_other),
      ON_A_HEAP(the_65th_tag_is_other),
      ON_A_HEAP(odd_arguments),
      cmocka_unit_test(an_underflow_is_reported_once),
      ON_A_HEAP(an_underflow_is_no_footprint),
      cmocka_unit_test(informing_crosses_trips),
      cmocka_unit_test(told_bytes_weigh_in_every_policy),
      ON_A_HEAP(nothing_is_lost_between_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
