/* test_collector.c - the thread that steps in when the main thread is away. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"
#include "support/clock.h"

enum { PATIENCE_S = 20 };

/* Threads of ours: by name, since sanitizers have their own. */
static int collectors(void)
{
  int count = 0;
  DIR *tasks = opendir("/proc/self/task");
  assert_non_null(tasks);
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
    char path[sizeof entry->d_name + 32], name[32] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
    FILE *file = fopen(path, "r");
    count += file && fgets(name, sizeof name, file) && strcmp(name, "tidemark\n") == 0;
    if (file)
      (void)fclose(file);
  }
  (void)closedir(tasks);
  return count;
}

/* While it stands, the main thread's time is never up. */
static test_clock world;

/* Waits, without a time of its own, until the world is so; gives up after PATIENCE_S. */
#define until(condition)                                                                           \
  do {                                                                                             \
    time_t end = time(NULL) + PATIENCE_S;                                                          \
    while (!(condition)) {                                                                         \
      must(time(NULL) < end);                                                                      \
      (void)sched_yield();                                                                         \
    }                                                                                              \
  } while (0)

static int collected(void)
{
  return atomic_load(&fake.collections[0]) + atomic_load(&fake.collections[1]) +
         atomic_load(&fake.collections[2]);
}

/* A thread that allocates objects until the collector has come; the main thread only waits. */
static void *work(void *unused)
{
  (void)unused;
  int before = collected();
  time_t end = time(NULL) + PATIENCE_S;
  while (collected() == before) {
    must(time(NULL) < end);
    test_clock_move_ms(&world, 1000);
    fake_gil_take();
    PyObject_Free(fake_grow((size_t)1 << 20));
    void *kept = fake_grow((size_t)4 << 20);
    fake_gil_drop();
    (void)sched_yield();
    fake_gil_take();
    PyObject_Free(kept);
    void *big = fake_grow((size_t)48 << 20);
    fake_gil_drop();
    (void)sched_yield();
    fake_gil_take();
    PyObject_Free(big);
    fake_gil_drop();
  }
  return NULL;
}

static void one_thread_alone_has_no_collector(void **state)
{
  (void)state;
  tm__cpython_notify(NULL, tm_heap_default());
  assert_int_equal(collectors(), 0);
  assert_int_equal(fake_run_pending(), 1);
}

static void it_steps_in_while_main_waits(void **state)
{
  (void)state;
  pthread_t worker;
  fake_gil_drop(); /* main is in a join */
  assert_int_equal(pthread_create(&worker, NULL, work, NULL), 0);
  assert_int_equal(pthread_join(worker, NULL), 0);
  fake_gil_take();
  assert_true(collected() > 0);
  assert_int_not_equal(atomic_load(&fake.collected_by), fake_me());
  (void)fake_run_pending();
}

static void signals_are_not_for_it(void **state)
{
  (void)state;
  sigset_t set, before;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGUSR1);
  (void)pthread_sigmask(SIG_BLOCK, &set, &before);
  (void)kill(getpid(), SIGUSR1); /* to the process: some thread that does not block it, if any */
  until(sigpending(&set) == 0 && sigismember(&set, SIGUSR1));
  int signal_number;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGUSR1);
  assert_int_equal(sigwait(&set, &signal_number), 0);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Main has served everything: the thread, if there is one, has no reason to enter Python. */
static void settle(void)
{
  (void)fake_run_pending();
  tm__cpython_serve();
  tm__cpython_collector_main_is_back();
  fake_gil_drop();
  until(tm__cpython_collector_stop());
  fake_gil_take();
}

/* For the condition of `until`: the thread may begin to wait at any look. */
static bool time_is_up_and_it_waits(void)
{
  test_clock_move_ms(&world, 1000);
  return atomic_load(&fake.gil_waiters) == 1;
}

static void fork_ends_it_and_the_child_has_none(void **state)
{
  (void)state;
  settle();
  tm__cpython_notify(NULL, tm_heap_default());
  assert_int_equal(collectors(), 1);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(collectors() == 0 && tm__cpython_collector_stop() ? 0 : 1);
  assert_int_equal(collectors(), 0);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void main_is_given_its_time(void **state)
{
  (void)state;
  settle();
  int before = collected();
  tm__cpython_notify(NULL, tm_heap_default());
  fake_gil_drop(); /* free for it to take, but time stands */
  for (int i = 0; i < 1000; i++)
    (void)sched_yield();
  fake_gil_take();
  assert_true(tm__cpython_asked());
  assert_int_equal(collected(), before);
  assert_true(tm__cpython_collector_stop()); /* not inside */
}

static void a_stop_while_it_waits_for_the_gil_leaves_it(void **state)
{
  (void)state;
  settle();
  tm__cpython_notify(NULL, tm_heap_default());
  until(time_is_up_and_it_waits());
  assert_false(tm__cpython_collector_stop()); /* a fork goes on without it */
  fake_gil_drop();
  until(tm__cpython_collector_stop());
  fake_gil_take();
  assert_false(tm__cpython_asked());
}

static void the_end_sends_it_out_of_python(void **state)
{
  (void)state;
  settle();
  tm__cpython_notify(NULL, tm_heap_default());
  until(time_is_up_and_it_waits());
  /* It waits for the GIL of an interpreter that ends: the fake hands it over, and ends it. */
  atomic_store(&fake.initialized, 0);
  fake_gil_drop();
  fake_capsule_dies();
  assert_true(tm__cpython_collector_stop());
  until(collectors() == 0); /* detached, so nobody waits for its very end */
  assert_false(tm__cpython_ready());
  fake_gil_take();
}

static int begin(void **state)
{
  (void)state;
  fake_prepare();
  test_clock_start(&world);
  if (!tm__cpython_install())
    return -1;
  fake_begin();
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_thread_alone_has_no_collector),
      cmocka_unit_test(it_steps_in_while_main_waits),
      cmocka_unit_test(signals_are_not_for_it),
      cmocka_unit_test(fork_ends_it_and_the_child_has_none),
      cmocka_unit_test(main_is_given_its_time),
      cmocka_unit_test(a_stop_while_it_waits_for_the_gil_leaves_it),
      cmocka_unit_test(the_end_sends_it_out_of_python),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
