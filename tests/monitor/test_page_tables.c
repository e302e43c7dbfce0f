/* The tables of a heap: what is in them, and that nothing empty is shown. */
#include "monitor/client.h"

#include "monitor/html_check.h"
#include "monitor/page.h"

static char text[64 * 1024];

static const char *table_of(void (*show)(tm__emit *, const tm_heap *), const tm_heap *heap)
{
  tm__emit e;
  tm__emit_init(&e, text, sizeof text);
  show(&e, heap);
  assert_true(tm__emit_end(&e) < sizeof text);
  assert_nested(text);
  return text;
}

static tm_heap *new_heap(void)
{
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  return heap;
}

static void empty_heap_has_no_tables(void **state)
{
  (void)state;
  tm_heap *heap = new_heap();
  assert_string_equal(table_of(tm__page_pools, heap), "");
  assert_string_equal(table_of(tm__page_tags, heap), "");
  assert_string_equal(table_of(tm__page_actions, heap), "<p>No action was due so far.</p>\n");
  assert_int_equal(tm_heap_close(heap), 0);
}

static void pools_that_were_used(void **state)
{
  (void)state;
  tm_heap *heap = new_heap();
  void *block = tm_malloc(heap, TM_MEM, 3 << 20);
  table_of(tm__page_pools, heap);
  assert_non_null(strstr(text, "<th scope=\"row\">mem</th><td>3.00 MiB</td><td>1</td>"
                               "<td>3.00 MiB</td><td>1</td></tr>"));
  assert_null(strstr(text, ">raw<"));
  tm_free(heap, TM_MEM, block);
  table_of(tm__page_pools, heap);
  assert_non_null(strstr(text, "<td>0 B</td><td>0</td><td>3.00 MiB</td><td>1</td>"));
  assert_int_equal(tm_heap_close(heap), 0);
}

static void tags_with_their_sign(void **state)
{
  (void)state;
  tm_heap *heap = new_heap();
  tm_inform(heap, "a<b", 2048);
  tm_inform(heap, "down", -1024);
  table_of(tm__page_tags, heap);
  assert_non_null(strstr(text, "a&lt;b</th><td>2.00 KiB</td><td>2.00 KiB</td>"));
  assert_non_null(strstr(text, "down</th><td>\xE2\x88\x92"
                               "1.00 KiB</td>"));
  assert_int_equal(tm_heap_close(heap), 0);
}

static int collect(void *ctx, const tm_event *event)
{
  void **block = ctx;
  tm_free(event->heap, TM_OBJ, *block);
  *block = NULL;
  return TM_HOOK_DONE;
}

static void actions_that_ran(void **state)
{
  char expected[128];
  tm_action_row row;
  (void)state;
  tm_heap *heap = new_heap();
  void *block = NULL;
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect, &block, NULL), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 2 << 20), 0);
  block = tm_malloc(heap, TM_OBJ, 8 << 20);
  assert_true(tm_poll(heap) >= 1);
  assert_int_equal(tm_action_stats_read(heap, TM_COLLECT, &row), 1);
  table_of(tm__page_actions, heap);
  snprintf(expected, sizeof expected, "<th scope=\"row\">full</th><td>%d</td><td>8.00 MiB</td>",
           (int)row.runs_total);
  if (!strstr(text, expected))
    fail_msg("%s is missing in %s", expected, text);
  assert_null(strstr(text, "near_limit"));
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(empty_heap_has_no_tables),
      cmocka_unit_test(pools_that_were_used),
      cmocka_unit_test(tags_with_their_sign),
      cmocka_unit_test(actions_that_ran),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
