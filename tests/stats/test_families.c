/* The grammar of metric families, and labels that no two heaps share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tidemark/tidemark.h>

#include "stats/families.h"

static char text[4096];
static tm__emit emit;

static tm__metrics begin(tm_text_format format)
{
  tm__emit_init(&emit, text, sizeof text);
  return (tm__metrics){.emit = &emit, .format = format};
}

static const char *end(void)
{
  assert_true(tm__emit_end(&emit) < sizeof text);
  return text;
}

static void counters_are_named_by_the_format(void **state)
{
  (void)state;
  tm__metrics m = begin(TM_TEXT_PROMETHEUS);
  tm__family_u64(&m, "x_bytes_total", "counter", "what it is", 7);
  assert_string_equal(end(), "# HELP x_bytes_total what it is\n# TYPE x_bytes_total counter\n"
                             "x_bytes_total 7\n");
  m = begin(TM_TEXT_OPENMETRICS);
  tm__family_u64(&m, "x_bytes_total", "counter", "what it is", 7);
  assert_string_equal(end(), "# HELP x_bytes what it is\n# TYPE x_bytes counter\n"
                             "# UNIT x_bytes bytes\nx_bytes_total 7\n");
}

static void infos_and_seconds(void **state)
{
  (void)state;
  tm__metrics m = begin(TM_TEXT_PROMETHEUS);
  tm__family_u64(&m, "x_info", "info", "h", 1);
  tm__family_seconds(&m, "y_seconds", "gauge", "h", 1500000000);
  assert_string_equal(end(), "# HELP x_info h\n# TYPE x_info gauge\nx_info 1\n"
                             "# HELP y_seconds h\n# TYPE y_seconds gauge\ny_seconds 1.5\n");
  m = begin(TM_TEXT_OPENMETRICS);
  tm__family_u64(&m, "x_info", "info", "h", 1);
  tm__family_seconds(&m, "y_seconds", "gauge", "h", 1500000000);
  assert_string_equal(end(), "# HELP x h\n# TYPE x info\nx_info 1\n"
                             "# HELP y_seconds h\n# TYPE y_seconds gauge\n"
                             "# UNIT y_seconds seconds\ny_seconds 1.5\n");
}

static void labels_and_suffixes(void **state)
{
  (void)state;
  tm__metrics m = begin(TM_TEXT_PROMETHEUS);
  tm__family(&m, "x", "histogram", "h");
  tm__sample(&m, "_bucket");
  tm__label(&m, "heap", "a\"b");
  tm__label(&m, "le", "+Inf");
  tm__sample_u64(&m, 3);
  tm__sample(&m, "_sum");
  tm__sample_i64(&m, -4);
  assert_string_equal(end(), "# HELP x h\n# TYPE x histogram\n"
                             "x_bucket{heap=\"a\\\"b\",le=\"+Inf\"} 3\nx_sum -4\n");
}

static void families_without_samples_leave_no_trace(void **state)
{
  (void)state;
  tm__metrics m = begin(TM_TEXT_OPENMETRICS);
  tm__family(&m, "x", "gauge", "h");
  tm__family(&m, "y", "gauge", "h");
  assert_string_equal(end(), "");
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

static void labels_are_unique(void **state)
{
  enum { HEAPS = TM__VIEWS + 10 };
  static tm_heap *heaps[HEAPS];
  static tm__heap_views views;
  static char labels[HEAPS + 2][64];
  size_t count = 0;
  const tm__heap_view *view;
  (void)state;
  for (size_t i = 0; i < HEAPS; i++)
    heaps[i] = new_heap(i == 1 ? "same#5" : i == 2 ? "same#6" : i % 2 ? "same" : "default");
  tm__heap_views_read(&views);
  assert_int_equal(views.count, TM__VIEWS);
  for (size_t i = 0; (view = tm__heap_view_at(&views, i)); i++) {
    assert_true(count < HEAPS + 2);
    assert_ptr_equal(view->heap, tm_heap_at(i));
    snprintf(labels[count++], sizeof labels[0], "%s", view->label);
  }
  assert_null(tm_heap_at(count));
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(labels[i], labels[j]);
  for (size_t i = 0; i < HEAPS; i++)
    assert_int_equal(tm_heap_close(heaps[i]), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counters_are_named_by_the_format),
      cmocka_unit_test(infos_and_seconds),
      cmocka_unit_test(labels_and_suffixes),
      cmocka_unit_test(families_without_samples_leave_no_trace),
      cmocka_unit_test(labels_are_unique),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
