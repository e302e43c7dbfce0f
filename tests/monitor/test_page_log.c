/* The latest decisions on the page: newest first, at most twenty, ran or why not. */
#include "monitor/client.h"

#include "monitor/html_check.h"
#include "monitor/page.h"

static char text[64 * 1024];

static const char *shown(void)
{
  tm__emit e;
  tm__emit_init(&e, text, sizeof text);
  tm__page_log(&e);
  assert_true(tm__emit_end(&e) < sizeof text);
  assert_nested(text);
  return text;
}

static size_t count_of(const char *part)
{
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, part)); at++)
    count++;
  return count;
}

static void *block;

static int collect(void *ctx, const tm_event *event)
{
  (void)ctx;
  tm_free(event->heap, TM_MEM, block);
  block = NULL;
  return TM_HOOK_DONE;
}

/* A heap that decided something: to wait for poll, then to run. */
static tm_heap *heap_with_history(const char *name)
{
  tm_heap_config config;
  tm_heap *heap;
  tm_heap_config_init(&config);
  config.name = name;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect, NULL, NULL), 0);
  block = tm_malloc(heap, TM_MEM, 16 << 20);
  assert_true(tm_poll(heap) >= 1);
  return heap;
}

static void decisions(void **state)
{
  enum { HEAPS = 20 };
  static tm_heap *heaps[HEAPS];
  (void)state;
  assert_string_equal(shown(), "<p>Nothing was decided so far.</p>\n");
  heaps[0] = heap_with_history("log<ged>");
  shown();
  assert_true(count_of("<td>log&lt;ged&gt;</td>") >= 2);
  assert_int_equal(count_of("<td>full</td><td>ran</td>"), 1);
  assert_non_null(strstr(text, "16.0 MiB \xE2\x86\x92 0 B"));
  assert_non_null(strstr(text, " ago</td>"));
  const char *ran = strstr(text, "<td>ran</td>"), *waited = strstr(text, "<td>deferred</td>");
  assert_true(ran && waited && ran < waited); /* the newest stands first */
  for (size_t i = 1; i < HEAPS; i++)
    heaps[i] = heap_with_history("more");
  shown();
  assert_int_equal(count_of("<tr><td>"), 20);
  assert_int_equal(count_of("log&lt;ged"), 0); /* the oldest fell off */
  for (size_t i = 0; i < HEAPS; i++)
    assert_int_equal(tm_heap_close(heaps[i]), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(decisions)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
