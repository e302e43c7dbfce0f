/* test_ask.c - one request, one pending call, one safe point. */
#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"

static int collected(void)
{
  return atomic_load(&fake.collections[0]) + atomic_load(&fake.collections[1]) +
         atomic_load(&fake.collections[2]);
}

static void a_crossing_asks_once_and_is_served(void **state)
{
  (void)state;
  void *blocks[8];
  for (int i = 0; i < 8; i++)
    blocks[i] = fake_grow((size_t)16 << 20);
  assert_int_equal(fake.pending_count, 1);
  assert_true(tm__cpython_asked());
  assert_int_equal(collected(), 0); /* never inside the allocator */
  assert_int_equal(fake_run_pending(), 1);
  assert_true(collected() > 0);
  assert_false(tm__cpython_asked());
  for (int i = 0; i < 8; i++)
    PyObject_Free(blocks[i]);
}

static void many_notifications_are_one_call(void **state)
{
  (void)state;
  for (int i = 0; i < 100; i++)
    tm__cpython_notify(NULL, tm_heap_default());
  assert_int_equal(fake.pending_count, 1);
  assert_int_equal(fake_run_pending(), 1);
  assert_int_equal(fake_run_pending(), 0);
}

static void a_request_that_was_served_elsewhere_is_not_served_twice(void **state)
{
  (void)state;
  tm__cpython_notify(NULL, tm_heap_default());
  tm__cpython_serve(); /* as the collector thread does */
  tm__cpython_thresholds_keep(false);
  long first = fake.thresholds[0];
  fake.thresholds[0] = 1; /* a safe point would take this for the program's */
  assert_int_equal(fake_run_pending(), 1);
  fake.thresholds[0] = first;
  tm__cpython_thresholds_keep(true); /* still ours: put back */
  assert_int_equal(fake.thresholds[0], 700);
}

static void without_the_gil_no_call_is_queued(void **state)
{
  (void)state;
  fake_gil_drop();
  tm__cpython_notify(NULL, tm_heap_default());
  assert_int_equal(fake.pending_count, 0);
  assert_true(tm__cpython_asked());
  fake_gil_take();
  tm__cpython_notify(NULL, tm_heap_default());
  assert_int_equal(fake_run_pending(), 1);
}

static void a_full_queue_is_tried_again(void **state)
{
  (void)state;
  fake.pending_max = 0;
  tm__cpython_notify(NULL, tm_heap_default());
  assert_int_equal(fake.pending_count, 0);
  fake.pending_max = FAKE_PENDING_MAX;
  tm__cpython_notify(NULL, tm_heap_default());
  assert_int_equal(fake_run_pending(), 1);
}

static void an_error_on_its_way_is_kept(void **state)
{
  (void)state;
  tm__cpython_notify(NULL, tm_heap_default());
  fake.error = &fake_none;
  assert_int_equal(fake_run_pending(), 1);
  assert_ptr_equal(fake.error, &fake_none);
  fake.error = NULL;
}

static void nothing_is_asked_once_it_ends(void **state)
{
  (void)state;
  tm__cpython_notify(NULL, tm_heap_default());
  fake_finalize();
  assert_false(tm__cpython_asked());
  tm__cpython_notify(NULL, tm_heap_default());
  assert_false(tm__cpython_asked());
  assert_int_equal(fake.pending_count, 0);
}

static int begin(void **state)
{
  (void)state;
  fake_prepare();
  if (!tm__cpython_install())
    return -1;
  fake_begin();
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_crossing_asks_once_and_is_served),
      cmocka_unit_test(many_notifications_are_one_call),
      cmocka_unit_test(a_request_that_was_served_elsewhere_is_not_served_twice),
      cmocka_unit_test(without_the_gil_no_call_is_queued),
      cmocka_unit_test(a_full_queue_is_tried_again),
      cmocka_unit_test(an_error_on_its_way_is_kept),
      cmocka_unit_test(nothing_is_asked_once_it_ends),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
