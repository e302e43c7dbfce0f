/* test_events.c - the log is told at safe points: all of it, in order, one record at a time. */
#include <tidemark/python.h>

#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"

static struct {
  int calls, nested, most_nested;
  uint64_t sequence;
  bool in_order, with_gil;
  void (*then)(void);
} heard;

static void listen(void *ctx, const tm_record *record)
{
  must(ctx == &heard);
  heard.calls++;
  if (++heard.nested > heard.most_nested)
    heard.most_nested = heard.nested;
  heard.in_order = heard.in_order && record->sequence > heard.sequence;
  heard.with_gil = heard.with_gil && PyGILState_Check();
  heard.sequence = record->sequence;
  if (heard.then)
    heard.then();
  heard.nested--;
}

static void listen_again(void)
{
  heard = (__typeof__(heard)){.in_order = true, .with_gil = true};
  tm_python_on_event(NULL, NULL);
  tm_python_on_event(listen, &heard);
}

/* Makes something due, other than the last time: a record follows, whatever is decided. */
static void cross(void)
{
  static int64_t soft_bytes = 32 << 20;
  PyObject_Free(fake_grow((size_t)64 << 20));
  assert_int_equal(tm_limit_set(tm_heap_default(), TM_SOFT, soft_bytes), TM_OK);
  assert_int_equal(tm_pressure_post(tm_heap_default(), TM_PRESSURE_CRITICAL), TM_OK);
  soft_bytes -= 1 << 20;
}

static void nobody_is_called_inside_an_allocation(void **state)
{
  (void)state;
  listen_again();
  void *block = fake_grow((size_t)64 << 20);
  assert_int_equal(heard.calls, 0);
  assert_true(fake_run_pending() > 0);
  assert_true(heard.calls > 0);
  assert_true(heard.in_order && heard.with_gil);
  PyObject_Free(block);
}

static void what_was_before_is_not_told(void **state)
{
  (void)state;
  cross();
  listen_again();
  tm_record record;
  uint64_t cursor = 0, last = 0;
  while (tm_log_read(tm_heap_default(), &cursor, &record) == 1)
    last = record.sequence;
  fake_run_pending();
  tm_python_poll();
  assert_true(heard.calls == 0 || heard.sequence > last);
}

static void poll_from_inside(void)
{
  tm_limit_set(tm_heap_default(), TM_SOFT, (64 << 20) + heard.calls);
  tm_python_poll();
}

static void a_listener_that_polls_is_not_called_again_inside(void **state)
{
  (void)state;
  listen_again();
  cross();
  heard.then = poll_from_inside;
  tm_python_poll();
  heard.then = NULL;
  assert_true(heard.calls > 0);
  assert_int_equal(heard.most_nested, 1);
  assert_true(heard.in_order);
}

static void leave(void)
{
  tm_python_on_event(NULL, NULL);
}

static void a_listener_can_leave_while_it_is_told(void **state)
{
  (void)state;
  listen_again();
  cross();
  heard.then = leave;
  tm_python_poll();
  cross();
  tm_python_poll();
  assert_int_equal(heard.calls, 1);
  heard.then = NULL;
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
      cmocka_unit_test(nobody_is_called_inside_an_allocation),
      cmocka_unit_test(what_was_before_is_not_told),
      cmocka_unit_test(a_listener_that_polls_is_not_called_again_inside),
      cmocka_unit_test(a_listener_can_leave_while_it_is_told),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
