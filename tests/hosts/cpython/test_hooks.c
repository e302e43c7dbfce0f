/* test_hooks.c - what is asked of the gc module, and who owns its thresholds. */
#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"
#include "support/clock.h"

/* Each safe point of a test is a second after the last one. */
static test_clock world;

/* Crosses the trip by `bytes` that die in the next collection, and comes to the safe point. */
static void *garbage;

static void free_garbage(int generation)
{
  (void)generation;
  PyObject_Free(garbage);
  garbage = NULL;
}

static void make_and_collect(size_t bytes)
{
  test_clock_move_ms(&world, 1000);
  garbage = fake_grow(bytes);
  if (fake.pending_count == 0) /* still above an old trip: ask by hand */
    tm__cpython_notify(NULL, tm_heap_default());
  (void)fake_run_pending();
  PyObject_Free(garbage);
  garbage = NULL;
}

static void every_fourth_minor_run_takes_the_middle_along(void **state)
{
  (void)state;
  fake.on_collect = free_garbage;
  for (int i = 0; i < 400 && atomic_load(&fake.collections[1]) < 3; i++)
    make_and_collect((size_t)24 << 20);
  fake.on_collect = NULL;
  int young = atomic_load(&fake.collections[0]), middle = atomic_load(&fake.collections[1]);
  assert_int_equal(middle, 3);
  assert_int_equal(young, 9);
}

static tm_action_row row_of(tm_hook_kind kind)
{
  tm_action_row row;
  assert_int_equal(tm_action_stats_read(tm_heap_default(), kind, &row), 1);
  return row;
}

static uint64_t results(int result)
{
  return row_of(TM_COLLECT_MINOR).results_total[result] + row_of(TM_COLLECT).results_total[result];
}

static void a_disabled_collector_is_busy(void **state)
{
  (void)state;
  uint64_t before = results(TM_HOOK_BUSY);
  int collections = atomic_load(&fake.collections[0]) + atomic_load(&fake.collections[1]) +
                    atomic_load(&fake.collections[2]);
  fake.gc_enabled = false;
  for (int i = 0; i < 100 && results(TM_HOOK_BUSY) == before; i++)
    make_and_collect((size_t)64 << 20);
  fake.gc_enabled = true;
  assert_true(results(TM_HOOK_BUSY) > before);
  assert_int_equal(collections, atomic_load(&fake.collections[0]) +
                                    atomic_load(&fake.collections[1]) +
                                    atomic_load(&fake.collections[2]));
}

static void what_a_collection_raises_is_dropped(void **state)
{
  (void)state;
  uint64_t before = results(TM_HOOK_ERROR);
  fake.gc_raises = true;
  for (uint64_t i = 0; i < 20000 && results(TM_HOOK_ERROR) == before; i++)
    make_and_collect((size_t)96 << 20);
  fake.gc_raises = false;
  assert_true(results(TM_HOOK_ERROR) > before);
  assert_null(fake.error);
}

static void the_module_is_not_left_behind(void **state)
{
  (void)state;
  assert_false(fake.gc_imported);
  assert_int_equal(fake.references, 4); /* the functions */
  tm__cpython_hooks_drop();
  assert_int_equal(fake.references, 0);
  fake_forget_capsule();
  fake.gc_imported = true; /* by the program */
  assert_true(tm__cpython_hooks_prepare());
  assert_true(fake.gc_imported);
  assert_int_equal(fake.references, 4);
}

static void set_thresholds(long young, long middle, long full)
{
  fake.thresholds[0] = young;
  fake.thresholds[1] = middle;
  fake.thresholds[2] = full;
}

/* As after a start: drop forgets whose the thresholds are. */
static void start_again(long young, long middle, long full)
{
  tm__cpython_hooks_drop();
  fake_forget_capsule();
  set_thresholds(young, middle, full);
  assert_true(tm__cpython_hooks_prepare());
}

static void the_counted_trigger_is_stretched_once(void **state)
{
  (void)state;
  start_again(700, 10, 10);
  tm__cpython_thresholds_keep(false);
  assert_int_equal(fake.thresholds[0], 2000);
  assert_int_equal(fake.thresholds[1], 25);
  assert_int_equal(fake.thresholds[2], 1000000);
  tm__cpython_thresholds_keep(false);
  assert_int_equal(fake.thresholds[0], 2000);
}

static void the_programs_own_thresholds_win(void **state)
{
  (void)state;
  start_again(700, 10, 10);
  tm__cpython_thresholds_keep(false);
  set_thresholds(123, 4, 5);
  tm__cpython_thresholds_keep(false);
  tm__cpython_thresholds_keep(true);
  assert_int_equal(fake.thresholds[0], 123);
  assert_int_equal(fake.thresholds[2], 5);
}

static void thresholds_that_are_off_or_wider_stay(void **state)
{
  (void)state;
  start_again(0, 10, 10);
  tm__cpython_thresholds_keep(false);
  assert_int_equal(fake.thresholds[0], 0);
  start_again(50000, 20, 30);
  tm__cpython_thresholds_keep(false);
  assert_int_equal(fake.thresholds[0], 50000);
  assert_int_equal(fake.thresholds[2], 30);
}

static void where_we_see_half_they_are_put_back(void **state)
{
  (void)state;
  start_again(700, 10, 10);
  tm__cpython_thresholds_keep(true); /* from the start */
  assert_int_equal(fake.thresholds[0], 700);
  tm__cpython_thresholds_keep(false);
  tm__cpython_thresholds_keep(true); /* later */
  assert_int_equal(fake.thresholds[0], 700);
  assert_int_equal(fake.thresholds[1], 10);
  assert_int_equal(fake.thresholds[2], 10);
}

static void without_a_policy_they_stay(void **state)
{
  (void)state;
  tm_policy before, off;
  tm_policy_init(&before);
  assert_int_equal(tm_policy_get(tm_heap_default(), &before), 0);
  off = before;
  off.kinds = 0;
  off.young_bytes = 0;
  assert_int_equal(tm_policy_set(tm_heap_default(), &off), 0);
  start_again(700, 10, 10);
  tm__cpython_thresholds_keep(false);
  assert_int_equal(fake.thresholds[0], 700);
  assert_int_equal(tm_policy_set(tm_heap_default(), &before), 0);
}

static int begin(void **state)
{
  (void)state;
  fake_prepare();
  test_clock_start(&world);
  if (!tm__cpython_install())
    return -1;
  fake_begin();
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_fourth_minor_run_takes_the_middle_along),
      cmocka_unit_test(a_disabled_collector_is_busy),
      cmocka_unit_test(what_a_collection_raises_is_dropped),
      cmocka_unit_test(the_module_is_not_left_behind),
      cmocka_unit_test(the_counted_trigger_is_stretched_once),
      cmocka_unit_test(the_programs_own_thresholds_win),
      cmocka_unit_test(thresholds_that_are_off_or_wider_stay),
      cmocka_unit_test(where_we_see_half_they_are_put_back),
      cmocka_unit_test(without_a_policy_they_stay),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
