/* What the engine did and did not do, as metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <tidemark/tidemark.h>

#include "stats/metrics_check.h"
#include "stats/names.h"

static char text[1 << 20];

static void metrics(tm_text_format format)
{
  assert_true(tm_stats_metrics(format, text, sizeof text) < sizeof text);
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

static void *spare;

static int collect(void *ctx, const tm_event *event)
{
  (void)ctx;
  tm_free(event->heap, TM_OBJ, spare);
  spare = NULL;
  return TM_HOOK_DONE;
}

static void histogram_adds_up(void **state)
{
  static const char *const bounds[] = {"1e-05", "0.0001", "0.001", "0.01",
                                       "0.1",   "1.0",    "10.0",  "+Inf"};
  tm_heap *heap = new_heap("histogram");
  char sample[256];
  int64_t before = 0;
  (void)state;
  spare = tm_malloc(heap, TM_OBJ, 1 << 20);
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect, NULL, NULL), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 2 << 20), 0);
  tm_free(heap, TM_OBJ, tm_malloc(heap, TM_OBJ, 8 << 20));
  assert_true(tm_poll(heap) >= 1);
  metrics(TM_TEXT_OPENMETRICS);
  for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
    snprintf(
        sample, sizeof sample,
        "tidemark_action_duration_seconds_bucket{heap=\"histogram\",action=\"full\",le=\"%s\"}",
        bounds[i]);
    assert_true(value_of(sample) >= before);
    before = value_of(sample);
  }
  assert_true(before >= 1);
  assert_int_equal(
      value_of("tidemark_action_duration_seconds_count{heap=\"histogram\",action=\"full\"}"),
      before);
  assert_int_equal(
      value_of("tidemark_actions_total{heap=\"histogram\",action=\"full\",result=\"done\"}"),
      before);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* A heap without a hook has its reasons counted too. */
static void what_did_not_run_is_counted(void **state)
{
  tm_heap *heap = new_heap("idle");
  char sample[256];
  (void)state;
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 1 << 20), 0);
  void *block = tm_malloc(heap, TM_OBJ, 8 << 20);
  metrics(TM_TEXT_PROMETHEUS);
  assert_int_equal(value_of("tidemark_action_pending{heap=\"idle\"}"), tm_pending(heap));
  tm_poll(heap);
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
    tm_action_row row;
    assert_int_equal(tm_action_stats_read(heap, (tm_hook_kind)kind, &row), 1);
    metrics(TM_TEXT_PROMETHEUS);
    for (int verdict = TM_SUPPRESSED_COOLDOWN; verdict <= TM_SUPPRESSED_YIELD; verdict++) {
      snprintf(sample, sizeof sample,
               "tidemark_suppressed_total{heap=\"idle\",action=\"%s\",reason=\"%s\"}",
               tm__kind_names[kind], tm__verdict_names[verdict]);
      assert_int_equal(value_of(sample), row.suppressed_total[verdict]);
    }
  }
  tm_free(heap, TM_OBJ, block);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(histogram_adds_up),
      cmocka_unit_test(what_did_not_run_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
