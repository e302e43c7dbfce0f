/* The logs of several heaps as one: in order of time, none lost, none twice. */
#include "monitor/client.h"

#include "monitor/log_merge.h"

static tm_heap *new_heap(const char *name)
{
  tm_heap_config config;
  tm_heap *heap;
  tm_heap_config_init(&config);
  config.name = name;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  return heap;
}

static int nothing(void *ctx, const tm_event *event)
{
  (void)ctx, (void)event;
  return TM_HOOK_NOTHING;
}

/* One collection of heap, so at least one record. */
static void decide_something(tm_heap *heap)
{
  tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 16 << 20));
  tm_poll(heap);
}

static size_t records_of(tm_heap *heap)
{
  uint64_t cursor = 0;
  tm_record record;
  size_t count = 0;
  while (tm_log_read(heap, &cursor, &record) == 1)
    count++;
  return count;
}

static void merges_by_time(void **state)
{
  tm_heap *heaps[3] = {new_heap("one"), new_heap("two"), new_heap("three")};
  tm__log_merge merge;
  const tm_record *record;
  size_t seen = 0, whole = 0, per_heap[3] = {0};
  uint64_t before = 0;
  (void)state;
  for (int i = 0; i < 3; i++)
    assert_int_equal(tm_hook_add(heaps[i], TM_COLLECT, nothing, NULL, NULL), 0);
  for (int i = 0; i < 12; i++)
    decide_something(heaps[i * i % 3]);
  decide_something(heaps[2]);
  for (size_t i = 0; tm_heap_at(i); i++)
    whole += records_of(tm_heap_at(i));
  tm__log_merge_begin(&merge);
  while ((record = tm__log_merge_next(&merge))) {
    assert_true(record->time_ns >= before);
    before = record->time_ns;
    seen++;
    for (int i = 0; i < 3; i++)
      per_heap[i] += strcmp(record->heap, tm_heap_name(heaps[i])) == 0;
  }
  assert_null(tm__log_merge_next(&merge)); /* and stays at the end */
  assert_int_equal(seen, whole);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(per_heap[i], records_of(heaps[i]));
    assert_true(per_heap[i] > 0);
    assert_int_equal(tm_heap_close(heaps[i]), 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(merges_by_time)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
