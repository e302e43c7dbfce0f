/* What the kernel says of this process, against what the test knows. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "stats/json_check.h"
#include "stats/process.h"

static tm__process read_process(void)
{
  tm__process process;
  tm__process_read(&process);
  return process;
}

static void counts_descriptors(void **state)
{
  (void)state;
  uint64_t before = read_process().open_fds;
  int fds[100];
  for (int i = 0; i < 100; i++)
    fds[i] = dup(0);
  assert_int_equal(read_process().open_fds, before + 100);
  for (int i = 0; i < 100; i++)
    close(fds[i]);
  assert_int_equal(read_process().open_fds, before);
}

static void sees_memory(void **state)
{
  size_t bytes = 64 << 20;
  (void)state;
  tm__process before = read_process();
  char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 1, bytes);
  tm__process after = read_process();
  assert_true(after.virtual_bytes >= before.virtual_bytes + bytes);
  assert_true(after.resident_bytes >= before.resident_bytes + bytes / 2);
  munmap(p, bytes);
}

static void knows_time_and_start(void **state)
{
  (void)state;
  tm__process first = read_process();
  volatile unsigned spin = 0;
  uint64_t cpu = first.cpu_ns;
  while (cpu < first.cpu_ns + 1000000) {
    for (int i = 0; i < 100000; i++)
      spin++;
    cpu = read_process().cpu_ns;
  }
  tm__process second = read_process();
  assert_true(second.cpu_ns > first.cpu_ns);
  assert_true(first.start_time_ns == second.start_time_ns);
  uint64_t now = (uint64_t)time(NULL) * 1000000000u;
  assert_true(first.start_time_ns <= now + 2000000000u);
  assert_true(first.start_time_ns + 600000000000u > now); /* this test is younger than 10 min */
  assert_true(first.threads >= 1 && first.threads < 1000);
}

/* The name of a process may hold brackets and blanks; the fields behind it must still be found. */
static void hostile_process_name(void **state)
{
  char before[16];
  (void)state;
  tm__process plain = read_process();
  prctl(PR_GET_NAME, before);
  prctl(PR_SET_NAME, ") R 1 (x 99 99");
  tm__process odd = read_process();
  prctl(PR_SET_NAME, before);
  assert_true(odd.threads == plain.threads);
  assert_true(odd.start_time_ns == plain.start_time_ns);
}

static void limits(void **state)
{
  struct rlimit limit, lower;
  (void)state;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  lower = limit;
  lower.rlim_cur = 123;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
  assert_int_equal(read_process().max_fds, 123);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
  if (limit.rlim_cur == RLIM_INFINITY)
    assert_true(read_process().virtual_max_bytes == TM__UNKNOWN);
}

static void as_json(void **state)
{
  char text[2048];
  tm__emit e;
  (void)state;
  tm__emit_init(&e, text, sizeof text);
  tm__process_json(&e);
  assert_true(tm__emit_end(&e) < sizeof text);
  assert_true(json_is_sound(text));
  assert_int_equal(atoi(json_at(text, "pid")), getpid());
  assert_non_null(json_at(text, "resident_bytes"));
}

static void reads_numbers(void **state)
{
  const char *text = "  12 x";
  uint64_t value = 0;
  (void)state;
  assert_true(tm__number_read(&text, &value));
  assert_int_equal(value, 12);
  assert_string_equal(text, " x");
  assert_false(tm__number_read(&text, &value));
  text = "-1";
  assert_false(tm__number_read(&text, &value));
  text = "";
  assert_false(tm__number_read(&text, &value));
}

static void files_that_are_not_there(void **state)
{
  char buffer[8] = "x";
  (void)state;
  assert_int_equal(tm__file_read("no/such/file", buffer, sizeof buffer), 0);
  assert_string_equal(buffer, "");
  assert_int_equal(tm__file_read("/proc/self/stat", buffer, sizeof buffer), sizeof buffer - 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_descriptors),
      cmocka_unit_test(sees_memory),
      cmocka_unit_test(knows_time_and_start),
      cmocka_unit_test(hostile_process_name),
      cmocka_unit_test(limits),
      cmocka_unit_test(as_json),
      cmocka_unit_test(reads_numbers),
      cmocka_unit_test(files_that_are_not_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
