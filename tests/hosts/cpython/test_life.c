/* test_life.c - when the host arrives in an interpreter, and when it is gone again. */
#include <sys/wait.h>
#include <unistd.h>

#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"

static void an_interpreter_that_runs_is_left_alone(void **state)
{
  (void)state;
  fake_prepare();
  atomic_store(&fake.initialized, 1);
  assert_false(tm__cpython_install());
  assert_false(tm__cpython_installed());
  assert_true(fake.allocators[PYMEM_DOMAIN_MEM].malloc == fake_system_malloc);
  atomic_store(&fake.initialized, 0);
}

static void it_arrives_with_the_first_block_after_the_start(void **state)
{
  (void)state;
  assert_true(tm__cpython_install());
  PyMem_Free(PyMem_Malloc(8));
  assert_false(tm__cpython_ready());
  fake_initialize();
  PyObject_Free(PyObject_Malloc(8)); /* no check stands on the way of objects */
  assert_false(tm__cpython_ready());
  assert_int_equal(fake.pending_count, 0);
  PyMem_Free(PyMem_Malloc(8));
  assert_true(tm__cpython_ready());
  assert_true(tm__cpython_was_ready());
  assert_int_equal(fake.pending_count, 1);
  for (int i = 0; i < 100; i++)
    PyMem_Free(PyMem_Malloc(8));
  assert_int_equal(fake.pending_count, 1);
  assert_int_equal(fake_run_pending(), 1);
  assert_non_null(fake.capsule);
}

static void a_child_arrives_anew(void **state)
{
  (void)state;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    must(!tm__cpython_ready()); /* its locks may still be in the making */
    void *big = fake_grow((size_t)64 << 20);
    must(fake.pending_count == 0); /* it crossed, and nobody was asked */
    PyMem_Free(PyMem_Malloc(8));
    must(tm__cpython_ready() && fake.pending_count == 1);
    must(fake_run_pending() == 1);
    must(atomic_load(&fake.collections[0]) + atomic_load(&fake.collections[2]) > 0);
    PyObject_Free(big);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(tm__cpython_ready());
}

static void *outer_malloc(void *ctx, size_t n)
{
  PyMemAllocatorEx *inner = ctx;
  return inner->malloc(inner->ctx, n);
}

static void a_child_under_a_wrapper_is_ready_at_once(void **state)
{
  (void)state;
  static PyMemAllocatorEx inner;
  PyMemAllocatorEx outer = {&inner, outer_malloc, NULL, NULL, NULL};
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &inner);
  PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &outer);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(tm__cpython_ready() ? 0 : 1);
  PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &inner);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void the_end_lets_go_and_a_new_start_arrives_again(void **state)
{
  (void)state;
  fake_finalize();
  assert_false(tm__cpython_ready());
  assert_int_equal(fake.references, 0);
  void *big = fake_grow((size_t)64 << 20);
  PyMem_Free(PyMem_Malloc(8));
  assert_int_equal(fake.pending_count, 0); /* nothing is asked of what is not there */
  fake_gil_drop();
  fake.thresholds[0] = 700;
  fake.thresholds[2] = 10;
  fake_begin();
  assert_true(tm__cpython_ready());
  assert_int_equal(fake.thresholds[0], 2000);
  PyObject_Free(big);
}

static void a_host_that_was_displaced_can_still_be_asked(void **state)
{
  (void)state;
  fake_finalize();
  PyMemAllocatorEx mine[3];
  for (int domain = 0; domain < 3; domain++) {
    mine[domain] = fake.allocators[domain];
    fake.allocators[domain] = fake_system; /* as PYTHONMALLOC does */
  }
  assert_false(tm__cpython_arrived_displaced()); /* nothing runs */
  atomic_store(&fake.initialized, 1);
  assert_true(tm__cpython_arrived_displaced());
  assert_true(tm__cpython_ready());
  for (int domain = 0; domain < 3; domain++)
    fake.allocators[domain] = mine[domain];
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_interpreter_that_runs_is_left_alone),
      cmocka_unit_test(it_arrives_with_the_first_block_after_the_start),
      cmocka_unit_test(a_child_arrives_anew),
      cmocka_unit_test(a_child_under_a_wrapper_is_ready_at_once),
      cmocka_unit_test(the_end_lets_go_and_a_new_start_arrives_again),
      cmocka_unit_test(a_host_that_was_displaced_can_still_be_asked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
