/* A heap's books as JSON: sound, whole, and the same numbers as in the snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <tidemark/group.h>
#include <tidemark/tidemark.h>
#include <unistd.h>

#include "gc/group_file.h"
#include "stats/fields.h"
#include "stats/json_check.h"
#include "stats/names.h"

static char text[1 << 18];

static const char *json_of(const tm_heap *heap)
{
  size_t length = tm_stats_json(heap, text, sizeof text);
  assert_true(length < sizeof text);
  assert_int_equal(strlen(text), length);
  if (!json_is_sound(text))
    fail_msg("no JSON: %s", text);
  return text;
}

static int64_t number_of(const char *json, const char *key)
{
  const char *at = json_at(json, key);
  if (!at)
    fail_msg("%s is missing", key);
  return (int64_t)strtoull(at, NULL, 10);
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

static void every_field_has_its_value(void **state)
{
  tm_heap *heap = new_heap("books");
  (void)state;
  void *kept = tm_malloc(heap, TM_OBJ, 1000);
  tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 70000));
  tm_inform(heap, "gpu", 4096);
  tm_inform(heap, "net", -1);
  assert_null(tm_malloc(heap, TM_RAW, SIZE_MAX));
  assert_int_equal(tm_limit_set(heap, TM_HARD, 1 << 30), 0);
  tm_stats stats;
  tm_stats_init(&stats);
  assert_int_equal(tm_stats_read(heap, &stats), 0);
  const char *json = json_of(heap);
  assert_ptr_equal(strstr(json, "{\"name\":\"books\","), json);
  for (const tm__field *f = tm__fields; f->name; f++)
    if (f->kind == TM__FIELD_REASONS)
      for (int i = 0; i < TM_FAIL_COUNT; i++)
        assert_int_equal(number_of(json_at(json, f->name), tm__fail_names[i]),
                         stats.failures_total[i]);
    else
      assert_int_equal(number_of(json, f->name), tm__field_value(&stats, f->offset));
  assert_int_equal(stats.failures_total[TM_FAIL_OVERFLOW], 1);
  assert_int_equal(stats.informed_bytes, 4095);
  tm_free(heap, TM_OBJ, kept);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void allocations_by_size(void **state)
{
  tm_heap *heap = new_heap("sizes");
  (void)state;
  void *small = tm_malloc(heap, TM_OBJ, 16), *large = tm_malloc(heap, TM_RAW, 100000);
  const char *json = json_of(heap);
  assert_non_null(strstr(json, "\"sizes\":[{\"up_to_bytes\":16,\"allocs_total\":1,"
                               "\"allocated_bytes_total\":16},{\"up_to_bytes\":32,"));
  assert_non_null(strstr(json, "{\"up_to_bytes\":null,\"allocs_total\":1,"));
  tm_free(heap, TM_OBJ, small);
  tm_free(heap, TM_RAW, large);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void rows_of_pools_and_tags(void **state)
{
  tm_heap *heap = new_heap("rows");
  tm_pool_config config;
  tm_pool *pool;
  (void)state;
  tm_pool_config_init(&config);
  config.name = "point \"3d\"";
  config.block_bytes = 24;
  config.kind = TM_POOL_FIXED;
  assert_int_equal(tm_pool_new(heap, &config, &pool), 0);
  void *block = tm_pool_alloc(pool, 24);
  tm_inform(heap, "gpu\n", 100);
  tm_inform(heap, "gpu\n", -60);
  const char *json = json_of(heap);
  const char *row = strstr(json, "{\"name\":\"point \\\"3d\\\"\",\"family\":\"obj\"");
  assert_non_null(row);
  assert_int_equal(number_of(row, "live_bytes"), 32);
  assert_int_equal(number_of(row, "live_blocks"), 1);
  row = strstr(json, "{\"name\":\"gpu\\n\"");
  assert_non_null(row);
  assert_int_equal(number_of(row, "informed_bytes"), 40);
  assert_int_equal(number_of(row, "informed_peak_bytes"), 100);
  tm_pool_free(pool, block);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* Of a heap in a group, and of no other. */
static void the_group_of_a_heap(void **state)
{
  tm_heap *heap = new_heap("member");
  char name[64], path[TM__GROUP_PATH];
  (void)state;
  (void)snprintf(name, sizeof name, "/tmp/json.%d", (int)getpid());
  assert_null(json_at(json_of(heap), "group"));
  assert_int_equal(tm_group_join(heap, name, 7 << 20), 0);
  const char *group = json_at(json_of(heap), "group");
  assert_non_null(group);
  assert_non_null(strstr(group, name + strlen("/tmp/")));
  assert_int_equal(number_of(group, "budget_bytes"), 7 << 20);
  assert_int_equal(number_of(group, "share_bytes"), 7 << 20);
  assert_int_equal(number_of(group, "members"), 1);
  assert_int_equal(number_of(group, "live_bytes"), 0);
  assert_int_equal(number_of(group, "footprint_bytes"), 0);
  assert_int_equal(tm_heap_close(heap), 0);
  assert_int_equal(tm__group_path(name, path, NULL), 0);
  assert_int_equal(unlink(path), 0);
}

static int collect(void *ctx, const tm_event *event)
{
  void **block = ctx;
  tm_free(event->heap, TM_OBJ, *block);
  *block = NULL;
  return TM_HOOK_NOTHING;
}

static void actions_by_kind(void **state)
{
  tm_heap *heap = new_heap("acts");
  (void)state;
  void *block = tm_malloc(heap, TM_OBJ, 1 << 20);
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect, &block, NULL), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 2 << 20), 0);
  tm_free(heap, TM_OBJ, tm_malloc(heap, TM_OBJ, 8 << 20));
  assert_true(tm_poll(heap) >= 1);
  tm_action_row row;
  assert_int_equal(tm_action_stats_read(heap, TM_COLLECT, &row), 1);
  assert_true(row.runs_total >= 1);
  const char *full = json_at(json_at(json_of(heap), "actions"), "full");
  assert_int_equal(number_of(full, "runs_total"), row.runs_total);
  assert_int_equal(number_of(full, "nothing"), row.results_total[TM_HOOK_NOTHING]);
  assert_int_equal(number_of(full, "reclaimed_bytes_total"), row.reclaimed_bytes_total);
  assert_int_equal(number_of(full, "duration_ns_total"), row.duration_ns_total);
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++)
    assert_non_null(json_at(json_at(text, "actions"), tm__kind_names[kind]));
  assert_int_equal(tm_heap_close(heap), 0);
}

static void cuts_to_any_capacity(void **state)
{
  tm_heap *heap = new_heap("cut");
  static char cut[1 << 18];
  (void)state;
  size_t whole = tm_stats_json(heap, text, sizeof text);
  assert_int_equal(tm_stats_json(heap, NULL, 0), whole);
  for (size_t capacity = 1; capacity <= whole + 1; capacity += 1 + capacity / 20) {
    memset(cut, '~', whole + 16);
    assert_int_equal(tm_stats_json(heap, cut, capacity), whole);
    size_t kept = capacity - 1 < whole ? capacity - 1 : whole;
    assert_memory_equal(cut, text, kept);
    assert_int_equal(cut[kept], 0);
    assert_int_equal(cut[capacity], '~');
  }
  assert_int_equal(tm_heap_close(heap), 0);
}

static void names_of_any_bytes(void **state)
{
  char name[32];
  (void)state;
  for (int first = 1; first < 256; first += 15) {
    for (int i = 0; i < 31; i++)
      name[i] = (char)(1 + (first + i - 1) % 255);
    name[31] = 0;
    tm_heap *heap = new_heap(name);
    json_of(heap);
    assert_int_equal(tm_heap_close(heap), 0);
  }
}

/* Reading the books writes nothing into them. */
static void reading_changes_no_footprint(void **state)
{
  tm_heap *heap = tm_heap_default();
  tm_stats before, after;
  (void)state;
  tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 64));
  tm_stats_init(&before);
  tm_stats_init(&after);
  assert_int_equal(tm_stats_read(heap, &before), 0);
  for (int i = 0; i < 100; i++)
    tm_stats_json(heap, text, sizeof text);
  assert_int_equal(tm_stats_read(heap, &after), 0);
  assert_memory_equal(&before, &after, sizeof before);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_field_has_its_value), cmocka_unit_test(allocations_by_size),
      cmocka_unit_test(rows_of_pools_and_tags),    cmocka_unit_test(the_group_of_a_heap),
      cmocka_unit_test(actions_by_kind),           cmocka_unit_test(cuts_to_any_capacity),
      cmocka_unit_test(names_of_any_bytes),        cmocka_unit_test(reading_changes_no_footprint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
