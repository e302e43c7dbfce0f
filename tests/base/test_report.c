/*
 * test_report.c - what reports say, and the descriptor of reports: which file they reach, and which
 * they never do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"

/* The content of the file behind fd. */
static const char *content(int fd)
{
  static char text[256];
  ssize_t length = pread(fd, text, sizeof text - 1, 0);
  assert_true(length >= 0);
  text[length] = 0;
  return text;
}

static int new_file(void)
{
  int fd = memfd_create("report", 0);
  assert_true(fd >= 0);
  return fd;
}

static void reaches_the_file_that_was_set(void **state)
{
  (void)state;
  int file = new_file();
  tm__report_fd_set(file);
  tm__report("%d blocks", 3);
  assert_string_equal(content(file), "tidemark: 3 blocks\n");
  (void)close(file);
}

static void a_reused_number_is_not_written_to(void **state)
{
  (void)state;
  int file = new_file(), other = new_file(), copy = dup(file);
  tm__report_fd_set(copy);
  assert_int_equal(dup2(other, copy), copy);
  tm__report("lost");
  assert_string_equal(content(other), "");
  assert_string_equal(content(file), "");
  (void)close(file);
  (void)close(other);
  (void)close(copy);
}

static void standard_error_stands_in_while_it_is_the_same_file(void **state)
{
  (void)state;
  int file = new_file(), copy = dup(file), saved = dup(STDERR_FILENO);
  (void)dup2(file, STDERR_FILENO);
  tm__report_fd_set(copy);
  (void)close(copy);
  tm__report("kept");
  (void)dup2(saved, STDERR_FILENO);
  (void)close(saved);
  assert_string_equal(content(file), "tidemark: kept\n");
  (void)close(file);
}

static void a_closed_descriptor_stays_silent_for_good(void **state)
{
  (void)state;
  int number = new_file();
  (void)close(number);
  tm__report_fd_set(number);
  int other = new_file();
  assert_int_equal(other, number);
  tm__report("lost");
  assert_string_equal(content(other), "");
  (void)close(other);
}

/* ---- What is said --------------------------------------------------------------------------- */

/* Formats like the real one, and gives room for what follows. */
#define assert_formats(want, ...)                                                                  \
  do {                                                                                             \
    char buffer[256];                                                                              \
    assert_int_equal(tm__format(buffer, sizeof buffer, __VA_ARGS__), strlen(want));                \
    assert_string_equal(buffer, want);                                                             \
  } while (0)

static void each_directive(void **state)
{
  (void)state;
  const char *volatile none = NULL; /* no compiler should see it */
  assert_formats("plain", "%s", "plain");
  assert_formats("(null)", "%s", none);
  assert_formats("-1 0 2147483647 -2147483648", "%d %d %d %d", -1, 0, INT32_MAX, INT32_MIN);
  assert_formats("-9223372036854775808", "%ld", (long)INT64_MIN);
  assert_formats("4294967295", "%u", UINT32_MAX);
  assert_formats("18446744073709551615 7", "%zu %u", SIZE_MAX, 7u);
  assert_formats("18446744073709551615", "%llu", (unsigned long long)UINT64_MAX);
  assert_formats("18446744073709551615", "%lu", (unsigned long)UINT64_MAX);
  assert_formats("ff deadbeef 0", "%x %x %x", 255u, 0xdeadbeefu, 0u);
  assert_formats("0x1234", "%p", (void *)0x1234);
  assert_formats("a%b", "%c%%%c", 'a', 'b');
}

static void what_does_not_fit_is_cut(void **state)
{
  (void)state;
  for (size_t capacity = 1; capacity < 12; capacity++) {
    char buffer[16];
    memset(buffer, 'x', sizeof buffer);
    size_t length = tm__format(buffer, capacity, "%s", "0123456789");
    assert_int_equal(length, capacity - 1 < 10 ? capacity - 1 : 10);
    assert_int_equal(strlen(buffer), length);
    assert_memory_equal(buffer, "0123456789", length);
    assert_int_equal(buffer[capacity], 'x');
  }
  char untouched = 'x';
  assert_int_equal(tm__format(&untouched, 0, "%s", "0123"), 0);
  assert_int_equal(untouched, 'x');
}

static void long_reports_are_cut_and_end_their_line(void **state)
{
  (void)state;
  char text[2000];
  int file = new_file();
  memset(text, 'y', sizeof text);
  text[sizeof text - 1] = 0;
  tm__report_fd_set(file);
  errno = 4711;
  tm__report("%s", text);
  assert_int_equal(errno, 4711);
  char line[1024];
  ssize_t length = pread(file, line, sizeof line, 0);
  assert_in_range(length, 400, 512);
  assert_int_equal(line[length - 1], '\n');
  assert_memory_equal(line, "tidemark: yyy", 13);
  (void)close(file);
}

/* ---- The end -------------------------------------------------------------------------------- */

static int end_of_a_child(bool closed, int file)
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGABRT, SIG_DFL);
    (void)dup2(file, STDERR_FILENO);
    tm__report_fd_set(STDERR_FILENO);
    if (closed)
      (void)close(STDERR_FILENO);
    tm__fatal("%s: %d", "the end", 9);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

static void fatal_says_so_and_aborts(void **state)
{
  (void)state;
  int file = new_file(), status = end_of_a_child(false, file);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_string_equal(content(file), "tidemark: fatal: the end: 9\n");
  (void)close(file);
}

static void fatal_aborts_also_when_nobody_can_hear(void **state)
{
  (void)state;
  int file = new_file(), status = end_of_a_child(true, file);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_string_equal(content(file), "");
  (void)close(file);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_directive),
      cmocka_unit_test(what_does_not_fit_is_cut),
      cmocka_unit_test(long_reports_are_cut_and_end_their_line),
      cmocka_unit_test(fatal_says_so_and_aborts),
      cmocka_unit_test(fatal_aborts_also_when_nobody_can_hear),
      cmocka_unit_test(reaches_the_file_that_was_set),
      cmocka_unit_test(a_reused_number_is_not_written_to),
      cmocka_unit_test(standard_error_stands_in_while_it_is_the_same_file),
      cmocka_unit_test(a_closed_descriptor_stays_silent_for_good),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
