/* Heaps in groups as metrics: rows for those and for no other, in both formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tidemark/group.h>
#include <tidemark/tidemark.h>
#include <unistd.h>

#include "gc/group_file.h"

static char text[1 << 20];
static char name[64], path[TM__GROUP_PATH];

static tm_heap *new_heap(const char *called)
{
  tm_heap_config config;
  tm_heap *heap;
  tm_heap_config_init(&config);
  config.name = called;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  return heap;
}

static bool has(const char *line)
{
  char whole[256];
  (void)snprintf(whole, sizeof whole, "\n%s\n", line);
  return strstr(text, whole) != NULL;
}

static void rows_of_members(void **state)
{
  (void)state;
  (void)snprintf(name, sizeof name, "/tmp/metrics.%d", (int)getpid());
  assert_int_equal(tm__group_path(name, path, NULL), 0);
  tm_heap *first = new_heap("first"), *second = new_heap("second"), *outside = new_heap("outside");
  for (int format = TM_TEXT_PROMETHEUS; format <= TM_TEXT_OPENMETRICS; format++) {
    assert_true(tm_stats_metrics((tm_text_format)format, text, sizeof text) < sizeof text);
    assert_null(strstr(text, "tidemark_group")); /* not even a description */
    assert_int_equal(tm_group_join(first, name, 3000000), 0);
    assert_int_equal(tm_group_join(second, name, 3000000), 0);
    /* the first one has not looked again since it was alone: it does so when it asks for memory */
    tm_free(second, TM_OBJ, tm_malloc(second, TM_OBJ, 1 << 20));
    assert_true(tm_stats_metrics((tm_text_format)format, text, sizeof text) < sizeof text);
    char line[160];
    const char *base = strrchr(name, '/') + 1;
    (void)snprintf(line, sizeof line,
                   "tidemark_group_budget_bytes{heap=\"first\",group=\"%s\"} 3000000", base);
    assert_true(has(line));
    (void)snprintf(line, sizeof line, "tidemark_group_members{heap=\"second\",group=\"%s\"} 2",
                   base);
    assert_true(has(line));
    (void)snprintf(line, sizeof line,
                   "tidemark_group_share_bytes{heap=\"second\",group=\"%s\"} 1500000", base);
    assert_true(has(line));
    assert_true(has("# TYPE tidemark_group_live_bytes gauge"));
    assert_null(strstr(text, "{heap=\"outside\",group="));
    assert_int_equal(tm_group_leave(first), 0);
    assert_int_equal(tm_group_leave(second), 0);
  }
  assert_int_equal(tm_heap_close(first), 0);
  assert_int_equal(tm_heap_close(second), 0);
  assert_int_equal(tm_heap_close(outside), 0);
  assert_int_equal(unlink(path), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows_of_members)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
