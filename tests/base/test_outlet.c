/* test_outlet.c - our descriptors in a program that closes, reuses and breaks what it likes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/outlet.h"

static int new_file(void)
{
  int fd = memfd_create("outlet", 0);
  assert_true(fd >= 0);
  return fd;
}

static const char *content(int fd)
{
  static char text[256];
  ssize_t length = pread(fd, text, sizeof text - 1, 0);
  assert_true(length >= 0);
  text[length] = 0;
  return text;
}

static void a_copy_sits_high_and_ends_with_exec(void **state)
{
  (void)state;
  int file = new_file();
  tm__outlet outlet = tm__outlet_copy(file);
  assert_true(outlet.fd >= 100);
  assert_int_equal(fcntl(outlet.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  (void)close(file);
  assert_true(tm__outlet_holds(&outlet));
  tm__outlet_close(&outlet);
  assert_int_equal(outlet.fd, -1);
}

static void a_low_limit_of_descriptors_is_no_obstacle(void **state)
{
  (void)state;
  struct rlimit before, low;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 64;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  int file = new_file();
  tm__outlet outlet = tm__outlet_copy(file);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_in_range(outlet.fd, 32, 63);
  tm__outlet_close(&outlet);
  (void)close(file);
}

static void what_is_not_open_is_none(void **state)
{
  (void)state;
  int closed = new_file();
  (void)close(closed);
  assert_int_equal(tm__outlet_of(closed).fd, -1);
  assert_int_equal(tm__outlet_of(-1).fd, -1);
  assert_int_equal(tm__outlet_copy(closed).fd, -1);
  assert_int_equal(tm__outlet_open("/no/such/directory/file").fd, -1);
  tm__outlet none = TM__OUTLET_NONE;
  assert_false(tm__outlet_holds(&none));
  assert_false(tm__outlet_write(&none, "x", 1, false));
  tm__outlet_close(&none);
}

static void a_reused_number_is_neither_written_to_nor_closed(void **state)
{
  (void)state;
  int file = new_file(), other = new_file();
  tm__outlet outlet = tm__outlet_copy(file);
  assert_int_equal(dup2(other, outlet.fd), outlet.fd);
  assert_false(tm__outlet_holds(&outlet));
  assert_false(tm__outlet_write(&outlet, "ours", 4, true));
  assert_string_equal(content(other), "");
  int number = outlet.fd;
  tm__outlet_close(&outlet);
  assert_true(fcntl(number, F_GETFD) >= 0);
  (void)close(number);
  (void)close(file);
  (void)close(other);
}

static void a_whole_file_replaces_what_was_there_and_a_stream_goes_on(void **state)
{
  (void)state;
  int file = new_file();
  assert_int_equal(write(file, "an older, longer text", 21), 21);
  tm__outlet outlet = tm__outlet_copy(file);
  assert_true(tm__outlet_write(&outlet, "new", 3, true));
  assert_string_equal(content(file), "new");
  assert_true(tm__outlet_write(&outlet, "er", 2, false));
  assert_string_equal(content(file), "newer");
  tm__outlet_close(&outlet);
  (void)close(file);
}

static void a_reader_that_left_raises_no_signal(void **state)
{
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  tm__outlet outlet = tm__outlet_copy(ends[1]);
  (void)close(ends[0]);
  (void)signal(SIGPIPE, SIG_DFL); /* it would end this test */
  assert_false(tm__outlet_write(&outlet, "x", 1, false));
  sigset_t waiting, mask;
  assert_int_equal(sigpending(&waiting), 0);
  assert_int_equal(sigismember(&waiting, SIGPIPE), 0);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
  assert_int_equal(sigismember(&mask, SIGPIPE), 0);
  tm__outlet_close(&outlet);
  (void)close(ends[1]);
}

static void appending_never_waits_for_a_reader(void **state)
{
  (void)state;
  static char much[1 << 20];
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  tm__outlet outlet = tm__outlet_copy(ends[1]);
  assert_int_equal(tm__outlet_append(&outlet, "ours", 4), 0);
  assert_int_equal(tm__outlet_append(&outlet, much, sizeof much), EAGAIN);
  (void)close(ends[0]);
  assert_int_equal(tm__outlet_append(&outlet, "x", 1), EPIPE);
  tm__outlet_close(&outlet);
  assert_int_equal(tm__outlet_append(&outlet, "x", 1), EBADF);
  (void)close(ends[1]);
}

static void opening_does_not_cut_and_does_not_wait(void **state)
{
  (void)state;
  char path[] = "/tmp/tidemark-outlet-XXXXXX";
  int file = mkstemp(path);
  assert_int_equal(write(file, "kept", 4), 4);
  tm__outlet outlet = tm__outlet_open(path);
  assert_true(tm__outlet_holds(&outlet));
  assert_string_equal(content(file), "kept");
  tm__outlet_close(&outlet);
  (void)close(file);
  (void)unlink(path);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_copy_sits_high_and_ends_with_exec),
      cmocka_unit_test(a_low_limit_of_descriptors_is_no_obstacle),
      cmocka_unit_test(what_is_not_open_is_none),
      cmocka_unit_test(a_reused_number_is_neither_written_to_nor_closed),
      cmocka_unit_test(a_whole_file_replaces_what_was_there_and_a_stream_goes_on),
      cmocka_unit_test(a_reader_that_left_raises_no_signal),
      cmocka_unit_test(appending_never_waits_for_a_reader),
      cmocka_unit_test(opening_does_not_cut_and_does_not_wait),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
