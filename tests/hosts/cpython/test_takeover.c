/* test_takeover.c - a running interpreter is taken over, or left alone with a reason. */
#include <string.h>
#include <tidemark/python.h>

#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"

static char why[192];

static int take_over(void)
{
  *why = 0;
  return tm_python_take_over(why, sizeof why);
}

static void before_an_interpreter_there_is_nothing_to_take_over(void **state)
{
  (void)state;
  fake_prepare();
  assert_int_equal(take_over(), TM_ENOTSUP);
  assert_non_null(strstr(why, "not initialised"));
  assert_int_equal(tm_python_installed(), 0);
  tm_python_poll(); /* does nothing, and calls nothing */
}

/* Python's own allocator asks the raw domain for what is large, so a small block of before that
 * grows comes back as a raw one of ours. It was reported as a mixed family when it was freed. */
static void *small_realloc(void *ctx, void *p, size_t n)
{
  (void)ctx;
  void *large = fake.allocators[PYMEM_DOMAIN_RAW].malloc(NULL, n);
  must(large != NULL);
  memcpy(large, p, 16);
  free(p);
  return large;
}

static void a_wrapper_is_left_alone(void **state)
{
  (void)state;
  fake_initialize();
  for (int domain = 0; domain < 3; domain++) {
    fake.allocators[domain].ctx = &fake;
    assert_int_equal(take_over(), TM_EBUSY);
    assert_non_null(strstr(why, "debug hooks"));
    assert_true(fake.allocators[domain].malloc == fake_system_malloc);
    fake.allocators[domain].ctx = NULL;
  }
  fake.allocators[PYMEM_DOMAIN_OBJ].realloc = small_realloc;
  assert_int_equal(tm_python_take_over(NULL, 0), TM_OK);
  assert_int_equal(tm_python_installed(), 1);
}

static void twice_is_once(void **state)
{
  (void)state;
  assert_int_equal(take_over(), TM_OK);
  assert_int_equal(tm_python_install(), TM_OK);
  assert_true(tm__cpython_ready());
}

static void default_thresholds_are_stretched_at_once(void **state)
{
  (void)state;
  assert_int_equal(fake.thresholds[0], 2000);
  assert_int_equal(fake.thresholds[2], 1000000);
}

static void assist_puts_them_back_and_bytes_stretches_them_again(void **state)
{
  (void)state;
  assert_int_equal(tm_python_mode_set(TM_PYTHON_ASSIST), TM_OK);
  assert_int_equal(fake.thresholds[0], 700);
  assert_int_equal(fake.thresholds[2], 10);
  tm_python_poll();
  assert_int_equal(fake.thresholds[0], 700);
  assert_int_equal(tm_python_mode_get(), TM_PYTHON_ASSIST);
  assert_int_equal(tm_python_mode_set(TM_PYTHON_BYTES), TM_OK);
  tm_python_poll();
  assert_int_equal(fake.thresholds[0], 2000);
  assert_int_equal(tm_python_mode_set((tm_python_mode)7), TM_EINVAL);
}

static void thresholds_that_were_set_while_it_assisted_stay(void **state)
{
  (void)state;
  assert_int_equal(tm_python_mode_set(TM_PYTHON_ASSIST), TM_OK);
  fake.thresholds[0] = 300;
  assert_int_equal(tm_python_mode_set(TM_PYTHON_BYTES), TM_OK);
  tm_python_poll();
  assert_int_equal(fake.thresholds[0], 300);
}

static void a_foreign_block_that_grows_into_raw_is_what_it_was(void **state)
{
  (void)state;
  tm_stats s;
  tm_stats_init(&s);
  assert_int_equal(tm_stats_read(tm_heap_default(), &s), TM_OK);
  uint64_t mixed = s.family_mismatches_total;
  char *block = malloc(16);
  memcpy(block, "fifteen letters", 16);
  char *grown = fake.allocators[PYMEM_DOMAIN_OBJ].realloc(NULL, block, 960);
  assert_string_equal(grown, "fifteen letters");
  assert_int_equal(tm_owns(grown), 1);
  PyObject_Free(grown);
  assert_int_equal(tm_stats_read(tm_heap_default(), &s), TM_OK);
  assert_int_equal(s.family_mismatches_total, mixed);
  assert_int_equal(tm_heap_check(tm_heap_default()), TM_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(before_an_interpreter_there_is_nothing_to_take_over),
      cmocka_unit_test(a_wrapper_is_left_alone),
      cmocka_unit_test(twice_is_once),
      cmocka_unit_test(default_thresholds_are_stretched_at_once),
      cmocka_unit_test(assist_puts_them_back_and_bytes_stretches_them_again),
      cmocka_unit_test(thresholds_that_were_set_while_it_assisted_stay),
      cmocka_unit_test(a_foreign_block_that_grows_into_raw_is_what_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
