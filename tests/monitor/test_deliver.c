/* Due actions run on the loop: woken by the thread that crossed, never beside the loop. */
#include "monitor/client.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "monitor/inner.h"

typedef struct host {
  served *s;
  tm_heap *heap;
  _Atomic(void *) block; /* stored when the loop may have collected already */
  pthread_t collector_thread;
  int collections;
  bool stops; /* the hook stops the monitor */
} host;

static int collect(void *ctx, const tm_event *event)
{
  host *h = ctx;
  h->collector_thread = pthread_self();
  h->collections++;
  tm_free(event->heap, TM_OBJ, atomic_exchange(&h->block, NULL));
  if (h->stops)
    tm_monitor_stop(&h->s->monitor);
  return TM_HOOK_DONE;
}

static host *host_new(void)
{
  host *h = calloc(1, sizeof *h);
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.name = "delivered";
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&h->heap, &config), 0);
  assert_int_equal(tm_hook_add(h->heap, TM_COLLECT, collect, h, NULL), 0);
  assert_int_equal(tm_limit_set(h->heap, TM_SOFT, 4 << 20), 0);
  h->s = malloc(sizeof *h->s);
  served_init(h->s);
  h->s->options.address = NULL;
  h->s->options.sample_period_ms = 3600000;
  h->s->options.deliver_heap = h->heap;
  served_start(h->s);
  turn(h->s);
  return h;
}

static void host_delete(host *h)
{
  served_delete(h->s);
  assert_int_equal(tm_heap_close(h->heap), 0);
  free(h);
}

static void *cross(void *ctx)
{
  host *h = ctx;
  atomic_store(&h->block, tm_malloc(h->heap, TM_OBJ, 8 << 20));
  return NULL;
}

static void cross_in_a_thread(host *h)
{
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cross, h), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

static void turn_until_collected(host *h, int times)
{
  uint64_t end = wait_end();
  while (h->collections < times) {
    turn(h->s);
    if (uv_hrtime() > end)
      fail_msg("collected %d times, not %d", h->collections, times);
  }
}

static void crossing_in_a_thread_collects_on_the_loop(void **state)
{
  (void)state;
  host *h = host_new();
  cross_in_a_thread(h);
  assert_int_equal(h->collections, 0);
  assert_int_equal(tm_pending(h->heap), 1);
  turn_until_collected(h, 1);
  assert_true(pthread_equal(h->collector_thread, pthread_self()));
  assert_true(h->s->monitor.inner->cost.deliveries >= 1);
  host_delete(h);
}

/* A loop that blocks in poll is woken: uv_run comes back with the collection done. */
static void blocked_loop_is_woken(void **state)
{
  pthread_t thread;
  (void)state;
  host *h = host_new();
  assert_int_equal(pthread_create(&thread, NULL, cross, h), 0);
  uint64_t begin = uv_hrtime();
  while (h->collections == 0 && uv_hrtime() - begin < 10 * UINT64_C(1000000000))
    uv_run(&h->s->loop, UV_RUN_ONCE); /* the keeper fires in an hour */
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(h->collections, 1);
  host_delete(h);
}

static void what_was_due_before_start_is_delivered(void **state)
{
  (void)state;
  host *h = host_new();
  tm_monitor_stop(&h->s->monitor);
  turn(h->s);
  cross_in_a_thread(h);
  turn(h->s);
  assert_int_equal(h->collections, 0); /* nobody delivers now */
  served_start(h->s);
  turn_until_collected(h, 1);
  host_delete(h);
}

static void hook_may_stop_the_monitor(void **state)
{
  (void)state;
  host *h = host_new();
  h->stops = true;
  cross_in_a_thread(h);
  turn_until_collected(h, 1);
  assert_false(h->s->monitor.inner->running);
  host_delete(h);
}

/* Held back by a cooldown: the loop looks again when the time has come. */
static void held_back_action_runs_later(void **state)
{
  tm_policy policy;
  (void)state;
  host *h = host_new();
  tm_policy_init(&policy);
  policy.min_interval_ms = 60;
  assert_int_equal(tm_policy_set(h->heap, &policy), 0);
  cross_in_a_thread(h);
  turn_until_collected(h, 1);
  cross_in_a_thread(h);
  turn_until_collected(h, 2);
  host_delete(h);
}

static void without_delivery_nothing_is_taken_over(void **state)
{
  (void)state;
  host *h = host_new();
  tm_monitor_stop(&h->s->monitor);
  turn(h->s);
  h->s->options.deliver_heap = NULL;
  served_start(h->s);
  cross_in_a_thread(h);
  for (int i = 0; i < 20; i++)
    turn(h->s);
  assert_int_equal(h->collections, 0);
  assert_int_equal(tm_poll(h->heap) >= 1, 1);
  host_delete(h);
}

/* Threads that notify while monitors come and go: a late call must find nothing of them. */
static atomic_bool done;

static void *cross_all_the_time(void *ctx)
{
  host *h = ctx;
  while (!atomic_load(&done)) {
    tm_free(h->heap, TM_MEM, tm_malloc(h->heap, TM_MEM, 8 << 20));
    sched_yield();
  }
  return NULL;
}

static int nothing(void *ctx, const tm_event *event)
{
  (void)ctx, (void)event;
  return TM_HOOK_DONE;
}

static void late_notifies_are_harmless(void **state)
{
  pthread_t threads[2];
  (void)state;
  host *h = calloc(1, sizeof *h);
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&h->heap, &config), 0);
  assert_int_equal(tm_hook_add(h->heap, TM_COLLECT, nothing, NULL, NULL), 0);
  assert_int_equal(tm_limit_set(h->heap, TM_SOFT, 1 << 20), 0);
  atomic_store(&done, false);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, cross_all_the_time, h), 0);
  for (int i = 0; i < 100; i++) {
    served *s = malloc(sizeof *s);
    served_init(s);
    s->options.address = NULL;
    s->options.deliver_heap = h->heap;
    served_start(s);
    for (int j = 0; j < 3; j++)
      turn(s);
    served_delete(s);
  }
  atomic_store(&done, true);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(tm_heap_close(h->heap), 0);
  free(h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(crossing_in_a_thread_collects_on_the_loop),
      cmocka_unit_test(blocked_loop_is_woken),
      cmocka_unit_test(what_was_due_before_start_is_delivered),
      cmocka_unit_test(hook_may_stop_the_monitor),
      cmocka_unit_test(held_back_action_runs_later),
      cmocka_unit_test(without_delivery_nothing_is_taken_over),
      cmocka_unit_test(late_notifies_are_harmless),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
