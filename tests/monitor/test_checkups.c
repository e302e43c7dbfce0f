/* A checkup each minute, as many as there is room for, and /doctor over them. */
#include "monitor/client.h"

#include "monitor/checkups.h"
#include "monitor/sampler.h"
#include "stats/json_check.h"
#include "support/clock.h"

enum { MIB = 1 << 20 };

static served *s;
static test_clock the_clock;

static int start(void **state)
{
  (void)state;
  test_clock_start(&the_clock);
  s = malloc(sizeof *s);
  served_init(s);
  s->options.sample_period_ms = 3600000; /* the test takes the samples itself */
  served_start(s);
  turn(s);
  return 0;
}

static int stop(void **state)
{
  (void)state;
  served_delete(s);
  test_clock_stop();
  return 0;
}

static tm_heap *new_heap(const char *name)
{
  tm_heap_config config;
  tm_heap *heap;
  tm_heap_config_init(&config);
  config.name = name;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  return heap;
}

static size_t index_of(const tm_heap *heap)
{
  size_t i = 0;
  while (tm_heap_at(i) != heap)
    assert_non_null(tm_heap_at(i++));
  return i;
}

static void one_a_minute(void **state)
{
  tm_heap *heap = new_heap("ward");
  const tm__checkups *c = &s->monitor.inner->checkups[index_of(heap)];
  (void)state;
  tm__checkups_keep(s->monitor.inner);
  assert_ptr_equal(c->heap, heap);
  assert_int_equal(c->count, 1);
  test_clock_move_ms(&the_clock, 59999);
  tm__checkups_keep(s->monitor.inner);
  assert_int_equal(c->count, 1);
  test_clock_move_ms(&the_clock, 1);
  tm__checkups_keep(s->monitor.inner);
  assert_int_equal(c->count, 2);
  uint64_t second_ns = c->kept[1].time_ns;
  for (int i = 2; i < TM__CHECKUPS + 1; i++) {
    test_clock_move_ms(&the_clock, 60000);
    tm__checkups_keep(s->monitor.inner);
  }
  assert_int_equal(c->count, TM__CHECKUPS);
  assert_int_equal(c->kept[0].time_ns, second_ns); /* the first one made room */
  assert_int_equal(c->kept[TM__CHECKUPS - 1].time_ns, tm__os_now_ns());
  assert_int_equal(tm_heap_close(heap), 0);
  tm__checkups_keep(s->monitor.inner);
  assert_null(c->heap);
}

static void another_heap_starts_again(void **state)
{
  tm_heap *heap = new_heap("ward");
  tm__checkups *c = &s->monitor.inner->checkups[index_of(heap)];
  (void)state;
  tm__checkups_keep(s->monitor.inner);
  c->heap = tm_heap_default(); /* as if the one before had been another one */
  tm__checkups_keep(s->monitor.inner);
  assert_ptr_equal(c->heap, heap);
  assert_int_equal(c->count, 1);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* What needs a history is found with the one that is kept. */
static void the_doctor_knows_the_history(void **state)
{
  tm_heap *heap = new_heap("ward");
  (void)state;
  tm_inform(heap, "tiles", 64 * MIB);
  for (int i = 0; i < 4; i++) {
    tm__sample_take(s->monitor.inner);
    test_clock_move_ms(&the_clock, 60000);
    tm_inform(heap, "tiles", 16 * MIB);
  }
  const answer *a = get(s, "/doctor");
  assert_int_equal(a->status, 200);
  assert_string_equal(header_of(a, "Content-Type"), "application/json");
  assert_true(json_is_sound(a->body));
  assert_non_null(
      strstr(a->body, "{\"id\":\"tag-grows\",\"level\":\"warning\",\"heap\":\"ward\","));
  tm_inform(heap, "tiles", -80 * MIB);
  assert_null(strstr(get(s, "/doctor")->body, "tag-grows"));
  tm_inform(heap, "tiles", -48 * MIB);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void findings_of_several_heaps(void **state)
{
  tm_heap *heaps[2] = {new_heap("one"), new_heap("two")};
  void *blocks[2];
  (void)state;
  assert_string_equal(get(s, "/doctor")->body, "{\"findings\":[]}\n");
  for (int i = 0; i < 2; i++) {
    blocks[i] = tm_malloc(heaps[i], TM_MEM, 30 * MIB);
    assert_int_equal(tm_limit_set(heaps[i], TM_HARD, 32 * MIB), 0);
  }
  const answer *a = get(s, "/doctor");
  assert_true(json_is_sound(a->body));
  const char *first = strstr(a->body, "\"heap\":\"one\"");
  assert_non_null(first);
  assert_non_null(
      strstr(first, "},\n{\"id\":\"near-limit\",\"level\":\"warning\",\"heap\":\"two\""));
  for (int i = 0; i < 2; i++) {
    tm_free(heaps[i], TM_MEM, blocks[i]);
    assert_int_equal(tm_heap_close(heaps[i]), 0);
  }
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
  const struct CMUnitTest tests[] = {
      SERVED(one_a_minute),
      SERVED(another_heap_starts_again),
      SERVED(the_doctor_knows_the_history),
      SERVED(findings_of_several_heaps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
