/* The rings of samples: what is in them, how they turn over, and who may read. */
#include "monitor/client.h"

#include "monitor/inner.h"
#include "monitor/sampler.h"

static served *s;

static int start(void **state)
{
  (void)state;
  s = malloc(sizeof *s);
  served_init(s);
  s->options.address = NULL;
  s->options.sample_period_ms = 3600000; /* the test takes the samples itself */
  served_start(s);
  turn(s);
  return 0;
}

static int stop(void **state)
{
  (void)state;
  served_delete(s);
  return 0;
}

static void samples_are_the_books(void **state)
{
  tm_heap *heap = tm_heap_default();
  tm_monitor_sample sample;
  tm_stats stats;
  uint64_t cursor = 0;
  (void)state;
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 0, &cursor, &sample), 1); /* at start */
  assert_int_equal(sample.sequence, 1);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 0, &cursor, &sample), 0);
  void *block = tm_malloc(heap, TM_OBJ, 123456);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 1 << 30), 0);
  tm__sample_take(s->monitor.inner);
  tm_stats_init(&stats);
  assert_int_equal(tm_stats_read(heap, &stats), 0);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 0, &cursor, &sample), 1);
  assert_int_equal(sample.sequence, 2);
  assert_int_equal(sample.footprint_bytes, stats.footprint_bytes);
  assert_int_equal(sample.committed_bytes, stats.committed_bytes);
  assert_int_equal(sample.trip_bytes, stats.trip_bytes);
  assert_int_equal(sample.hard_limit_bytes, 1 << 30);
  assert_true(sample.time_ns <= uv_hrtime() && sample.time_ns + 10000000000u > uv_hrtime());
  tm_free(heap, TM_OBJ, block);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
}

static void ring_turns_over(void **state)
{
  tm_monitor_sample sample;
  uint64_t cursor = 0, late = 5, count = 0;
  (void)state;
  for (int i = 0; i < TM_MONITOR_SAMPLES + 9; i++)
    tm__sample_take(s->monitor.inner);
  while (tm_monitor_sample_read(&s->monitor, 0, &cursor, &sample) == 1) {
    if (count == 0)
      assert_int_equal(sample.sequence, 11); /* 1 at start, 3,609 since, 3,600 kept */
    else
      assert_int_equal(sample.sequence, 11 + count);
    count++;
  }
  assert_int_equal(count, TM_MONITOR_SAMPLES);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 0, &late, &sample), 1);
  assert_int_equal(sample.sequence, 11); /* lapped: the oldest that there is */
}

static void wrong_questions(void **state)
{
  tm_monitor_sample sample;
  uint64_t cursor = 0;
  (void)state;
  assert_int_equal(tm_monitor_sample_read(NULL, 0, &cursor, &sample), 0);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 0, NULL, &sample), 0);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 0, &cursor, NULL), 0);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, TM_MONITOR_HEAPS, &cursor, &sample), 0);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, TM_MONITOR_HEAPS - 1, &cursor, &sample), 0);
}

static tm_heap *new_heap(void)
{
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  return heap;
}

/* Samples of a heap that was closed are not shown as those of the one that comes after it. */
static void heaps_do_not_mix(void **state)
{
  tm_monitor_sample sample;
  uint64_t cursor = 0;
  (void)state;
  tm_heap *first = new_heap();
  tm__sample_take(s->monitor.inner);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 1, &cursor, &sample), 1);
  assert_int_equal(tm_heap_close(first), 0);
  tm__sample_take(s->monitor.inner);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 1, &cursor, &sample), 0);
  tm_heap *second = new_heap();
  tm__sample_take(s->monitor.inner);
  cursor = 0;
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 1, &cursor, &sample), 1);
  assert_int_equal(sample.sequence, 2);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 1, &cursor, &sample), 0);
  assert_int_equal(tm_heap_close(second), 0);
}

/* Nor when nobody looked in between and the new one is where the old one was. */
static void heap_in_the_place_of_another(void **state)
{
  tm_monitor_sample sample;
  uint64_t cursor = 0;
  (void)state;
  tm_heap *first = new_heap();
  tm_free(first, TM_MEM, tm_malloc(first, TM_MEM, 100));
  tm__sample_take(s->monitor.inner);
  assert_int_equal(tm_heap_close(first), 0);
  tm_heap *second = new_heap();
  assert_ptr_equal(second, first);
  tm__sample_take(s->monitor.inner);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 1, &cursor, &sample), 1);
  assert_int_equal(sample.allocs_total, 0);
  assert_int_equal(tm_monitor_sample_read(&s->monitor, 1, &cursor, &sample), 0);
  assert_int_equal(tm_heap_close(second), 0);
}

static void loop_takes_them(void **state)
{
  (void)state;
  tm_monitor_stop(&s->monitor);
  turn(s);
  s->options.sample_period_ms = 10;
  served_start(s);
  uint64_t end = wait_end();
  while (s->monitor.inner->cost.samples < 5 && uv_hrtime() < end)
    turn(s);
  assert_true(s->monitor.inner->cost.samples >= 5);
  assert_true(s->monitor.inner->cost.sample_cpu_ns > 0);
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
#define SAMPLED(test) cmocka_unit_test_setup_teardown(test, start, stop)
  const struct CMUnitTest tests[] = {
      SAMPLED(samples_are_the_books),
      SAMPLED(ring_turns_over),
      SAMPLED(wrong_questions),
      SAMPLED(heaps_do_not_mix),
      SAMPLED(heap_in_the_place_of_another),
      SAMPLED(loop_takes_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
