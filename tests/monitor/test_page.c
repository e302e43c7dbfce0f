/* The page for people: its style is the one that its policy allows, its parts are there, and it is
 * well-formed whatever the names in it are. */
#include "monitor/client.h"

#include "monitor/inner.h"
#include "monitor/page.h"
#include "monitor/page_style.h"
#include "monitor/sampler.h"

/* The browser obeys only a style with this hash; another tool computes it again. */
static void style_has_its_hash(void **state)
{
  char line[256] = "";
  (void)state;
  if (system("command -v sha256sum >/dev/null && command -v base64 >/dev/null")) {
    puts("SKIP: sha256sum and base64 are not installed");
    skip();
  }
  FILE *file = fopen("style.css", "w");
  assert_non_null(file);
  fputs(tm__page_style, file);
  fclose(file);
  FILE *tool = popen("printf sha256-; sha256sum <style.css | cut -c1-64 | tr -d '\\n' | "
                     "sed 's/../\\\\x&/g' | xargs -0 printf | base64",
                     "r");
  assert_non_null(fgets(line, sizeof line, tool));
  pclose(tool);
  unlink("style.css");
  line[strcspn(line, "\n")] = 0;
  assert_string_equal(TM__PAGE_STYLE_HASH, line); /* left: what page_style.h must say is right */
}

/* Every element that is opened is closed, in order. */
static void assert_nested(const char *html)
{
  static const char *const empty[] = {"meta", "polygon", "line", "!doctype"};
  char open[64][16];
  size_t depth = 0;
  for (const char *at = html; (at = strchr(at, '<')); at++) {
    char name[16];
    bool closes = at[1] == '/', is_empty = false;
    size_t length = strcspn(at + 1 + closes, " />\n");
    assert_true(length > 0 && length < sizeof name);
    snprintf(name, sizeof name, "%.*s", (int)length, at + 1 + closes);
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++)
      is_empty = is_empty || strcmp(name, empty[i]) == 0;
    if (is_empty)
      continue;
    if (!closes) {
      assert_true(depth < 64);
      strcpy(open[depth++], name);
    } else if (depth == 0 || strcmp(open[--depth], name) != 0) {
      fail_msg("</%s> closes <%s>", name, open[depth]);
    }
  }
  assert_int_equal(depth, 0);
}

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
  const answer *a = get(s, "/");
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
  const answer *a = get(s, "/");
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

/* Coordinates stay inside the drawing for any samples. */
static void chart_stays_inside(void **state)
{
  static tm__ring ring;
  static char text[64 * 1024];
  (void)state;
  ring.heap = tm_heap_default();
  for (int shape = 0; shape < 4; shape++) {
    ring.count = 0;
    for (uint64_t i = 0; i < TM_MONITOR_SAMPLES; i++) {
      tm_monitor_sample *sample = &ring.samples[ring.count++];
      memset(sample, 0, sizeof *sample);
      sample->time_ns = shape == 1 ? 5 : 1 + i * (shape == 2 ? 1 : 1000000000u);
      sample->footprint_bytes = shape == 3 ? UINT64_MAX - i : i * i;
      sample->hard_limit_bytes = shape == 0 ? 4 * i : 0;
      sample->trip_bytes = UINT64_MAX / 2;
    }
    tm__emit e;
    tm__emit_init(&e, text, sizeof text);
    tm__page_chart(&e, &ring);
    assert_true(tm__emit_end(&e) < sizeof text);
    char *at = strstr(text, "points=\"");
    assert_non_null(at);
    at += strlen("points=\"");
    while (*at != '"') {
      unsigned long x = strtoul(at, &at, 10), y = strtoul(at + 1, &at, 10);
      assert_true(x <= 600 && y <= 120);
      at += *at == ' ';
    }
  }
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(style_has_its_hash),      cmocka_unit_test(everything_is_on_it),
      cmocka_unit_test(hostile_names_stay_text), cmocka_unit_test(numbers_for_people),
      cmocka_unit_test(chart_stays_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
