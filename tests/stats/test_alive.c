/* Which process a number means: parsing what the kernel says, and real processes that end. */
#define _GNU_SOURCE
#include "stats/alive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"

static void the_text_of_the_kernel(void **state)
{
  (void)state;
  char letter;
  uint64_t start;
  assert_true(tm__stat_parse("77 (cat) R 1 77 77 34816 77 4194304 88 0 0 0 0 0 0 0 20 0 1 0 "
                             "123456 2703360 209 18446744073709551615\n",
                             &letter, &start));
  assert_int_equal(letter, 'R');
  assert_int_equal(start, 123456);
  assert_true(tm__stat_parse("77 (a) b (1) 2) Z -1 -1 -1 0 -1 4 0 0 0 0 0 0 0 0 -20 -19 1 0 9 0",
                             &letter, &start));
  assert_int_equal(letter, 'Z');
  assert_int_equal(start, 9);
  static const char *const bad[] = {"", "77", "77 (cat", "77 (cat)", "77 (cat) ", "77 (cat) R 1 2"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(tm__stat_parse(bad[i], &letter, &start));
}

static void this_process_lives(void **state)
{
  (void)state;
  errno = 17;
  tm__process_id me = tm__process_self();
  assert_int_equal(tm__process_pid(me), getpid());
  assert_true(me >> TM__PID_BITS);
  assert_true(tm__process_alive(me));
  assert_true(tm__process_alive((uint32_t)getpid())); /* no start: the pid decides */
  assert_int_equal(errno, 17);
  assert_false(tm__process_alive(me + (UINT64_C(1) << TM__PID_BITS))); /* a pid that came again */
  assert_false(tm__process_alive(me - (UINT64_C(1) << TM__PID_BITS)));
  assert_false(tm__process_alive(0));
  assert_false(tm__process_alive(((UINT64_C(1) << TM__PID_BITS) - 1))); /* above any pid */
}

static void a_name_cannot_pretend(void **state)
{
  (void)state;
  tm__process_id me = tm__process_self();
  assert_int_equal(prctl(PR_SET_NAME, ") Z 1 (", 0, 0, 0), 0);
  assert_int_equal(tm__process_self(), me);
  assert_true(tm__process_alive(me));
}

static void a_child_lives_until_it_is_killed(void **state)
{
  (void)state;
  int ready[2];
  tm__process_id child_id = 0;
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    tm__process_id me = tm__process_self();
    (void)alarm(30);
    must(write(ready[1], &me, sizeof me) == sizeof me);
    for (;;)
      (void)pause();
  }
  assert_int_equal(read(ready[0], &child_id, sizeof child_id), sizeof child_id);
  assert_int_equal(tm__process_pid(child_id), child);
  assert_true(tm__process_alive(child_id));
  assert_int_equal(kill(child, SIGSTOP), 0);
  assert_true(tm__process_alive(child_id)); /* stopped is not dead */
  assert_int_equal(kill(child, SIGKILL), 0);
  siginfo_t info;
  assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
  assert_false(tm__process_alive(child_id)); /* a zombie: its memory is gone */
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_false(tm__process_alive(child_id));
  (void)close(ready[0]);
  (void)close(ready[1]);
}

/* Who cannot open /proc does not declare others dead. */
static void without_descriptors_all_live(void **state)
{
  (void)state;
  tm__process_id me = tm__process_self();
  struct rlimit before, none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  bool alive = tm__process_alive(me);
  tm__process_id pid_only = tm__process_self();
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(alive);
  assert_int_equal(pid_only, getpid());
}

static void the_pid_namespace(void **state)
{
  (void)state;
  char link[64];
  ssize_t n = readlink("/proc/self/ns/pid", link, sizeof link - 1);
  assert_true(n > 5);
  link[n] = 0;
  assert_int_equal(tm__pid_namespace(), strtoull(link + 5, NULL, 10)); /* "pid:[NUMBER]" */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_text_of_the_kernel),
      cmocka_unit_test(this_process_lives),
      cmocka_unit_test(a_name_cannot_pretend),
      cmocka_unit_test(a_child_lives_until_it_is_killed),
      cmocka_unit_test(without_descriptors_all_live),
      cmocka_unit_test(the_pid_namespace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
