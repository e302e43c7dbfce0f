/* The books as metrics: the grammar of both formats, the names, and the same numbers as in the
 * snapshot. Golden structure, no golden numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <tidemark/tidemark.h>

#include "stats/families.h"
#include "stats/fields.h"
#include "stats/metrics_check.h"

static char text[4 << 20], copy[4 << 20];

static const char *metrics(tm_text_format format)
{
  size_t length = tm_stats_metrics(format, text, sizeof text);
  assert_true(length < sizeof text);
  assert_int_equal(strlen(text), length);
  return text;
}

static size_t check(tm_text_format format)
{
  strcpy(copy, metrics(format));
  return metrics_check_text(copy, format == TM_TEXT_OPENMETRICS);
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

/* The value of the sample `name{labels}`; fails when it is not there. */
static int64_t value_of(const char *sample)
{
  char line[256];
  snprintf(line, sizeof line, "\n%s ", sample);
  const char *at = strstr(text, line);
  if (!at)
    fail_msg("%s is missing", sample);
  return (int64_t)strtoll(at + strlen(line), NULL, 10);
}

static bool is_there(const char *part)
{
  return strstr(text, part) != NULL;
}

static void both_formats_are_sound(void **state)
{
  (void)state;
  tm_heap *heap = new_heap("sound");
  void *block = tm_malloc(heap, TM_MEM, 100);
  tm_inform(heap, "a \"tag\"\\", 1);
  size_t older = check(TM_TEXT_PROMETHEUS), open = check(TM_TEXT_OPENMETRICS);
  assert_int_equal(older, open);
  assert_true(older > 200);
  tm_free(heap, TM_MEM, block);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* Every name of the list that dashboards and alerts are written against. */
static void names_are_as_promised(void **state)
{
  static const char *const names[] = {
      "tidemark_heap_live_bytes{heap=",
      "tidemark_heap_footprint_bytes{heap=",
      "tidemark_heap_footprint_peak_bytes{heap=",
      "tidemark_heap_informed_bytes{heap=",
      "tidemark_heap_free_bytes{heap=",
      "tidemark_heap_waste_bytes{heap=",
      "tidemark_heap_dirty_bytes{heap=",
      "tidemark_heap_meta_bytes{heap=",
      "tidemark_heap_committed_bytes{heap=",
      "tidemark_heap_reserved_bytes{heap=",
      "tidemark_heap_soft_limit_bytes{heap=",
      "tidemark_heap_hard_limit_bytes{heap=",
      "tidemark_heap_trip_bytes{heap=",
      "tidemark_pool_live_bytes{heap=\"names\",pool=\"mem\"}",
      "tidemark_pool_blocks{heap=\"names\",pool=\"mem\"}",
      "tidemark_informed_bytes{heap=\"names\",tag=\"gpu\"}",
      "tidemark_action_pending{heap=",
      "tidemark_pool_allocated_bytes_total{heap=\"names\",pool=\"raw\"}",
      "tidemark_pool_freed_bytes_total{heap=\"names\",pool=\"raw\"}",
      "tidemark_pool_allocs_total{heap=\"names\",pool=\"obj\"}",
      "tidemark_pool_frees_total{heap=\"names\",pool=\"obj\"}",
      "tidemark_failures_total{heap=\"names\",reason=\"limit\"}",
      "tidemark_failures_total{heap=\"names\",reason=\"os\"}",
      "tidemark_failures_total{heap=\"names\",reason=\"overflow\"}",
      "tidemark_failures_total{heap=\"names\",reason=\"injected\"}",
      "tidemark_os_acquired_bytes_total{heap=",
      "tidemark_os_released_bytes_total{heap=",
      "tidemark_actions_total{heap=\"names\",action=\"full\",result=\"done\"}",
      "tidemark_action_reclaimed_bytes_total{heap=\"names\",action=\"trim\"}",
      "tidemark_action_seconds_total{heap=\"names\",action=\"minor\"}",
      "tidemark_suppressed_total{heap=\"names\",action=\"full\",reason=\"cooldown\"}",
      "tidemark_family_mismatches_total{heap=",
      "tidemark_action_duration_seconds_bucket{heap=\"names\",action=\"full\",le=\"0.001\"}",
      "tidemark_action_duration_seconds_bucket{heap=\"names\",action=\"full\",le=\"+Inf\"}",
      "tidemark_action_duration_seconds_sum{heap=\"names\",action=\"full\"}",
      "tidemark_action_duration_seconds_count{heap=\"names\",action=\"full\"}",
      "tidemark_build_info{version=",
      "process_cpu_seconds_total ",
      "process_resident_memory_bytes ",
      "process_virtual_memory_bytes ",
      "process_open_fds ",
      "process_max_fds ",
      "process_start_time_seconds "};
  (void)state;
  tm_heap *heap = new_heap("names");
  tm_inform(heap, "gpu", 1);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 2 << 20), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 1 << 20), 0);
  for (int format = TM_TEXT_PROMETHEUS; format <= TM_TEXT_OPENMETRICS; format++) {
    metrics((tm_text_format)format);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
      char line[256];
      snprintf(line, sizeof line, "\n%s", names[i]);
      if (!is_there(line))
        fail_msg("%s is missing", names[i]);
    }
  }
  assert_int_equal(tm_heap_close(heap), 0);
}

static void values_are_those_of_the_books(void **state)
{
  tm_heap *heap = new_heap("values");
  char sample[256];
  (void)state;
  void *kept = tm_malloc(heap, TM_OBJ, 5000);
  tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 90000));
  tm_inform(heap, "down", -7);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 1 << 30), 0);
  tm_stats stats;
  tm_stats_init(&stats);
  assert_int_equal(tm_stats_read(heap, &stats), 0);
  metrics(TM_TEXT_PROMETHEUS);
  for (const tm__field *f = tm__fields; f->name; f++) {
    bool total = f->kind == TM__FIELD_TOTAL;
    int64_t value = (int64_t)tm__field_value(&stats, f->offset);
    if (f->kind == TM__FIELD_REASONS || (total && f->in_pools) || value == 0)
      continue;
    snprintf(sample, sizeof sample, "tidemark_%s%s{heap=\"values\"}", total ? "" : "heap_",
             f->name);
    assert_int_equal(value_of(sample), value);
  }
  assert_int_equal(value_of("tidemark_informed_bytes{heap=\"values\",tag=\"down\"}"), -7);
  assert_int_equal(value_of("tidemark_pool_live_bytes{heap=\"values\",pool=\"obj\"}"),
                   tm_usable_size(kept));
  assert_int_equal(value_of("tidemark_pool_blocks{heap=\"values\",pool=\"obj\"}"), 1);
  assert_int_equal(value_of("tidemark_pool_frees_total{heap=\"values\",pool=\"mem\"}"), 1);
  tm_free(heap, TM_OBJ, kept);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void what_is_not_set_is_left_out(void **state)
{
  tm_heap *heap = new_heap("bare");
  (void)state;
  metrics(TM_TEXT_PROMETHEUS);
  assert_false(is_there("tidemark_heap_soft_limit_bytes{heap=\"bare\"}"));
  assert_false(is_there("tidemark_heap_hard_limit_bytes{heap=\"bare\"}"));
  assert_false(is_there("tidemark_informed_bytes"));
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 4096), 0);
  metrics(TM_TEXT_PROMETHEUS);
  assert_int_equal(value_of("tidemark_heap_soft_limit_bytes{heap=\"bare\"}"), 4096);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* Names may be equal; a scrape with one sample twice would be refused as a whole. */
static void equal_names_get_labels_of_their_own(void **state)
{
  static const char *const names[] = {"lua", "lua", "lua#2", "lua", "", ""};
  tm_heap *heaps[sizeof names / sizeof names[0]];
  tm_pool_config config;
  tm_pool *pool;
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    heaps[i] = new_heap(names[i]);
  tm_pool_config_init(&config);
  for (int i = 0; i < 3; i++)
    assert_int_equal(tm_pool_new(heaps[0], &config, &pool), 0);
  config.name = "mem";
  assert_int_equal(tm_pool_new(heaps[0], &config, &pool), 0);
  config.name = "pool#5";
  assert_int_equal(tm_pool_new(heaps[0], &config, &pool), 0);
  check(TM_TEXT_PROMETHEUS);
  check(TM_TEXT_OPENMETRICS);
  assert_true(is_there("{heap=\"lua\"}"));
  assert_true(is_there("pool=\"pool\"}"));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_int_equal(tm_heap_close(heaps[i]), 0);
}

/* More heaps than are kept on the stack. */
static void many_heaps(void **state)
{
  enum { HEAPS = TM__VIEWS + 6 };
  static tm_heap *heaps[HEAPS];
  (void)state;
  for (size_t i = 0; i < HEAPS; i++)
    heaps[i] = new_heap("many");
  check(TM_TEXT_PROMETHEUS);
  metrics(TM_TEXT_PROMETHEUS);
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, "\ntidemark_heap_live_bytes{")); at++)
    count++;
  assert_true(count >= HEAPS);
  for (size_t i = 0; i < HEAPS; i++)
    assert_int_equal(tm_heap_close(heaps[i]), 0);
}

static void cuts_to_any_capacity(void **state)
{
  (void)state;
  strcpy(copy, metrics(TM_TEXT_OPENMETRICS));
  size_t steady = (size_t)(strstr(copy, "# HELP process_") - copy); /* the rest moves */
  assert_true(tm_stats_metrics(TM_TEXT_OPENMETRICS, NULL, 0) > steady);
  for (size_t capacity = 1; capacity < steady; capacity += 1 + capacity / 5) {
    memset(text, '~', capacity + 16);
    assert_true(tm_stats_metrics(TM_TEXT_OPENMETRICS, text, capacity) > steady);
    assert_memory_equal(text, copy, capacity - 1);
    assert_int_equal(text[capacity - 1], 0);
    assert_int_equal(text[capacity], '~');
  }
}

/* What Prometheus itself thinks of it. */
static void promtool_accepts(void **state)
{
  (void)state;
  if (system("command -v promtool >/dev/null")) {
    puts("SKIP: promtool (Debian: prometheus) is not installed");
    skip();
  }
  tm_heap *heap = new_heap("prom \"quoted\"\n\xFF");
  tm_inform(heap, "tag \\", 1);
  metrics(TM_TEXT_PROMETHEUS);
  FILE *tool = popen("promtool check metrics 2>&1", "w");
  assert_non_null(tool);
  assert_int_equal(fwrite(text, 1, strlen(text), tool), strlen(text));
  assert_int_equal(pclose(tool), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void sizes_are_a_histogram(void **state)
{
  tm_heap *heap = new_heap("sizes");
  (void)state;
  void *blocks[] = {tm_malloc(heap, TM_OBJ, 16), tm_malloc(heap, TM_OBJ, 30),
                    tm_malloc(heap, TM_RAW, 100000)};
  metrics(TM_TEXT_OPENMETRICS);
  assert_int_equal(value_of("tidemark_allocation_size_bytes_bucket{heap=\"sizes\",le=\"16.0\"}"),
                   1);
  assert_int_equal(value_of("tidemark_allocation_size_bytes_bucket{heap=\"sizes\",le=\"32.0\"}"),
                   2);
  assert_int_equal(value_of("tidemark_allocation_size_bytes_bucket{heap=\"sizes\",le=\"65536.0\"}"),
                   2);
  assert_int_equal(value_of("tidemark_allocation_size_bytes_bucket{heap=\"sizes\",le=\"+Inf\"}"),
                   3);
  assert_int_equal(value_of("tidemark_allocation_size_bytes_count{heap=\"sizes\"}"), 3);
  assert_int_equal(value_of("tidemark_allocation_size_bytes_sum{heap=\"sizes\"}"),
                   (int64_t)(48 + tm_usable_size(blocks[2])));
  tm_free(heap, TM_OBJ, blocks[0]);
  tm_free(heap, TM_OBJ, blocks[1]);
  tm_free(heap, TM_RAW, blocks[2]);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  tm_heap *heap = tm_heap_default();
  tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 1));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_formats_are_sound),
      cmocka_unit_test(names_are_as_promised),
      cmocka_unit_test(values_are_those_of_the_books),
      cmocka_unit_test(what_is_not_set_is_left_out),
      cmocka_unit_test(equal_names_get_labels_of_their_own),
      cmocka_unit_test(many_heaps),
      cmocka_unit_test(cuts_to_any_capacity),
      cmocka_unit_test(sizes_are_a_histogram),
      cmocka_unit_test(promtool_accepts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
