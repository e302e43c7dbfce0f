/* test_report.c - the descriptor of reports: which file they reach, and which they never do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reaches_the_file_that_was_set),
      cmocka_unit_test(a_reused_number_is_not_written_to),
      cmocka_unit_test(standard_error_stands_in_while_it_is_the_same_file),
      cmocka_unit_test(a_closed_descriptor_stays_silent_for_good),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
