/* The page for people: its parts are there, and it is well-formed whatever the names in it are. */
#include "monitor/client.h"

#include "monitor/html_check.h"
#include "monitor/inner.h"
#include "monitor/page.h"
#include "monitor/sampler.h"

static int collect(void *ctx, const tm_event *event)
{
  void **block = ctx;
  tm_free(event->heap, TM_OBJ, *block);
  *block = NULL;
  return TM_HOOK_DONE;
}

static void everything_is_on_it(void **state)
{
  tm_heap *heap = tm_heap_default();
  (void)state;
  served *s = served_new();
  void *block = tm_malloc(heap, TM_OBJ, 3 << 20), *kept = tm_malloc(heap, TM_MEM, 100000);
  tm_hook *hook;
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect, &block, &hook), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 2 << 20), 0);
  tm_inform(heap, "gpu", 500000);
  tm__sample_take(s->monitor.inner);
  tm_poll(heap);
  tm__sample_take(s->monitor.inner);
  const answer *a = get(s, "/plain");
  static const char *const parts[] = {"<h2>Heap default",
                                      "<dt>footprint</dt><dd>",
                                      "<dt>soft limit</dt><dd>2.00 MiB",
                                      "<meter ",
                                      " % of the soft limit",
                                      "<polygon class=\"area\" points=\"",
                                      "Footprint of the last ",
                                      "<caption>Where the bytes are</caption>",
                                      "<th scope=\"row\">mem</th>",
                                      "<caption>Bytes that the host told of</caption>",
                                      "<th scope=\"row\">gpu</th>",
                                      "<caption>What was done</caption>",
                                      "<th scope=\"row\">full</th>",
                                      "Latest decisions",
                                      "<td>ran</td>",
                                      " \xE2\x86\x92 ",
                                      "href=\"/healthz\"",
                                      "lang=\"en\"",
                                      "width=device-width"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (!strstr(a->body, parts[i]))
      fail_msg("%s is missing in %s", parts[i], a->body);
  assert_null(strstr(a->body, "<script"));
  assert_null(strstr(a->body, " style="));
  assert_nested(a->body);
  assert_int_equal(tm_hook_remove(hook), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 0), 0);
  tm_inform(heap, "gpu", -500000);
  tm_free(heap, TM_MEM, kept);
  served_delete(s);
}

static void hostile_names_stay_text(void **state)
{
  tm_heap_config config;
  tm_heap *heap;
  (void)state;
  tm_heap_config_init(&config);
  config.name = "</h2><script>\"'&\x01\xC3";
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  tm_inform(heap, "<td", 1);
  served *s = served_new();
  const answer *a = get(s, "/plain");
  assert_null(strstr(a->body, "<script"));
  assert_non_null(strstr(a->body, "&lt;/h2&gt;&lt;script&gt;&quot;&#39;&amp;"));
  assert_nested(a->body);
  served_delete(s);
  assert_int_equal(tm_heap_close(heap), 0);
}

static const char *shown(void (*show)(tm__emit *, uint64_t), uint64_t value)
{
  static char text[64];
  tm__emit e;
  tm__emit_init(&e, text, sizeof text);
  show(&e, value);
  (void)tm__emit_end(&e);
  return text;
}

static void numbers_for_people(void **state)
{
  (void)state;
  assert_string_equal(shown(tm__page_count, 0), "0");
  assert_string_equal(shown(tm__page_count, 999), "999");
  assert_string_equal(shown(tm__page_count, 1000), "1,000");
  assert_string_equal(shown(tm__page_count, 1234567), "1,234,567");
  assert_string_equal(shown(tm__page_count, UINT64_MAX), "18,446,744,073,709,551,615");
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_is_on_it),
      cmocka_unit_test(hostile_names_stay_text),
      cmocka_unit_test(numbers_for_people),

  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
