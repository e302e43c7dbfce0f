/* test_displaced.c - what undoes the take-over is told from what wraps it, and said once. */
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"

static PyMemAllocatorEx ours[3];

static void put_back(void)
{
  for (int domain = 0; domain < 3; domain++)
    fake.allocators[domain] = ours[domain];
}

/* Runs `act` in a forked child and gives what that reported. */
static char *said_by(void (*act)(void), char *text, size_t capacity)
{
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    tm__report_fd_set(ends[1]);
    act();
    _exit(0);
  }
  (void)close(ends[1]);
  size_t length = 0;
  for (ssize_t n; (n = read(ends[0], text + length, capacity - 1 - length)) > 0;)
    length += (size_t)n;
  text[length] = 0;
  (void)close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  return text;
}

static int lines(const char *text)
{
  int count = 0;
  for (; *text; text++)
    count += *text == '\n';
  return count;
}

static void *outer_malloc(void *ctx, size_t n)
{
  PyMemAllocatorEx *inner = ctx;
  return inner->malloc(inner->ctx, n);
}
static void outer_free(void *ctx, void *p)
{
  PyMemAllocatorEx *inner = ctx;
  inner->free(inner->ctx, p);
}

static void on_top_all_is_well(void **state)
{
  (void)state;
  assert_true(tm__cpython_on_top());
  assert_false(tm__cpython_displaced());
}

static void a_wrapper_that_calls_us_is_fine(void **state)
{
  (void)state;
  for (int domain = PYMEM_DOMAIN_MEM; domain <= PYMEM_DOMAIN_OBJ; domain++)
    fake.allocators[domain] =
        (PyMemAllocatorEx){&ours[domain], outer_malloc, NULL, NULL, outer_free};
  assert_false(tm__cpython_on_top());
  assert_false(tm__cpython_displaced());
  put_back();
}

static void displace_objects_only(void)
{
  fake.allocators[PYMEM_DOMAIN_OBJ] = fake_system;
  must(tm__cpython_displaced());
  must(tm__cpython_displaced());
}

static void displace_all(void)
{
  for (int domain = 0; domain < 3; domain++)
    fake.allocators[domain] = fake_system;
  must(tm__cpython_displaced());
  put_back();
  must(tm__cpython_displaced()); /* what was made meanwhile is not ours for good */
}

static void a_child_stays_silent(void **state)
{
  (void)state;
  char text[1024];
  assert_string_equal(said_by(displace_all, text, sizeof text), "");
}

static void it_is_said_once_with_the_reason(void **state)
{
  (void)state;
  char text[1024];
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  tm__report_fd_set(ends[1]);
  assert_int_equal(setenv("PYTHONMALLOC", "pymalloc", 1), 0);
  displace_objects_only();
  put_back();
  displace_all();
  (void)close(ends[1]);
  size_t length = 0;
  for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
    length += (size_t)n;
  text[length] = 0;
  (void)close(ends[0]);
  tm__report_fd_set(STDERR_FILENO);
  assert_int_equal(lines(text), 1);
  assert_non_null(strstr(text, "tidemark: PYTHONMALLOC=pymalloc"));
}

static int begin(void **state)
{
  (void)state;
  fake_prepare();
  if (!tm__cpython_install())
    return -1;
  fake_begin();
  for (int domain = 0; domain < 3; domain++)
    ours[domain] = fake.allocators[domain];
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(on_top_all_is_well),
      cmocka_unit_test(a_wrapper_that_calls_us_is_fine),
      cmocka_unit_test(a_child_stays_silent),
      cmocka_unit_test(it_is_said_once_with_the_reason),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
