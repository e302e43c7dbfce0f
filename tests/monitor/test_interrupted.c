/* test_interrupted.c - the loop's thread is interrupted by signals all the time it serves and
 * delivers: no answer is cut short, no request is lost, no crossing forgotten. */
#include "monitor/client.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { LEAST_SIGNALS = 100 };

static atomic_int caught, stop;
static pthread_t main_thread;

static void on_signal(int number)
{
  (void)number;
  atomic_fetch_add(&caught, 1);
}

static void *interrupt(void *unused)
{
  while (!atomic_load(&stop)) {
    (void)pthread_kill(main_thread, SIGUSR1);
    (void)sched_yield();
  }
  return unused;
}

/* Signals come while the loop is turned; what the test itself asks of the system goes through. */
static void let_signals(int how)
{
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  assert_int_equal(pthread_sigmask(how, &usr1, NULL), 0);
}

static pthread_t begin(void)
{
  struct sigaction action = {.sa_handler = on_signal}; /* no system call is restarted */
  pthread_t sender;
  main_thread = pthread_self();
  atomic_store(&stop, 0);
  atomic_store(&caught, 0);
  let_signals(SIG_BLOCK);
  assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
  assert_int_equal(pthread_create(&sender, NULL, interrupt, NULL), 0);
  return sender;
}

static void end(pthread_t sender)
{
  atomic_store(&stop, 1);
  assert_int_equal(pthread_join(sender, NULL), 0);
  let_signals(SIG_UNBLOCK); /* the last one comes here */
}

static void every_answer_is_whole(void **state)
{
  static const char *const paths[] = {"/healthz", "/metrics", "/stats.json", "/log.json", "/"};
  (void)state;
  served *s = served_new();
  pthread_t sender = begin();
  for (int i = 0; i < 50 || atomic_load(&caught) < LEAST_SIGNALS; i++) {
    char request[200];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", paths[i % 5],
             tm_monitor_port(&s->monitor));
    int fd = connect_client(s);
    say(fd, request);
    let_signals(SIG_UNBLOCK);
    const answer *a = hear(s, fd);
    let_signals(SIG_BLOCK);
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body_length, atoi(header_of(a, "Content-Length")));
  }
  end(sender);
  served_delete(s);
}

static int collect(void *ctx, const tm_event *event)
{
  void **block = ctx;
  tm_free(event->heap, TM_OBJ, *block);
  *block = NULL;
  return TM_HOOK_DONE;
}

static void every_crossing_is_delivered(void **state)
{
  (void)state;
  tm_heap *heap;
  void *block = NULL;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect, &block, NULL), 0);
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.address = NULL;
  s->options.deliver_heap = heap;
  served_start(s);
  pthread_t sender = begin();
  for (int i = 0; i < 20 || atomic_load(&caught) < LEAST_SIGNALS; i++) {
    tm_policy policy;
    tm_policy_init(&policy); /* as new: no cooldown of the round before */
    assert_int_equal(tm_policy_set(heap, &policy), 0);
    assert_int_equal(tm_limit_set(heap, TM_SOFT, 1 << 20), 0);
    block = tm_malloc(heap, TM_OBJ, 2 << 20);
    let_signals(SIG_UNBLOCK);
    for (uint64_t until = wait_end(); block && uv_hrtime() < until;)
      uv_run(&s->loop, UV_RUN_ONCE);
    let_signals(SIG_BLOCK);
    assert_null(block);
  }
  end(sender);
  served_delete(s);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_answer_is_whole),
      cmocka_unit_test(every_crossing_is_delivered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
