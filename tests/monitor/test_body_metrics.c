/* The whole of /metrics, the monitor's own families included: the grammar, and the real tool. */
#include "monitor/client.h"

#include "stats/metrics_check.h"

static served *s;

static int start(void **state)
{
  (void)state;
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 100));
  s = served_new();
  turn(s);
  return 0;
}

static int stop(void **state)
{
  (void)state;
  served_delete(s);
  return 0;
}

static void both_formats_are_sound(void **state)
{
  (void)state;
  size_t older = metrics_check_text(get(s, "/metrics")->body, false);
  const answer *a = ask(s, "GET", "/metrics", "Accept: application/openmetrics-text\r\n");
  size_t open = metrics_check_text(a->body, true);
  assert_int_equal(older, open);
}

static void names_are_as_promised(void **state)
{
  static const char *const names[] = {"tidemark_monitor_samples_total ",
                                      "tidemark_monitor_sample_cpu_seconds_total ",
                                      "tidemark_monitor_serve_cpu_seconds_total ",
                                      "tidemark_monitor_connections_total ",
                                      "tidemark_monitor_open_connections ",
                                      "tidemark_monitor_timeouts_total ",
                                      "tidemark_monitor_accept_failures_total ",
                                      "tidemark_monitor_sent_bytes_total ",
                                      "tidemark_monitor_deliveries_total ",
                                      "tidemark_monitor_requests_total{code=\"200\"} ",
                                      "tidemark_monitor_requests_total{code=\"503\"} ",
                                      "tidemark_monitor_resident_bytes "};
  (void)state;
  const char *body = get(s, "/metrics")->body;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char line[128];
    snprintf(line, sizeof line, "\n%s", names[i]);
    if (!strstr(body, line))
      fail_msg("%s is missing", names[i]);
  }
}

static void promtool_accepts(void **state)
{
  (void)state;
  if (system("command -v promtool >/dev/null")) {
    puts("SKIP: promtool (Debian: prometheus) is not installed");
    skip();
  }
  const answer *a = get(s, "/metrics");
  FILE *tool = popen("promtool check metrics 2>&1", "w");
  assert_non_null(tool);
  assert_int_equal(fwrite(a->body, 1, a->body_length, tool), a->body_length);
  assert_int_equal(pclose(tool), 0);
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
  const struct CMUnitTest tests[] = {
      SERVED(both_formats_are_sound),
      SERVED(names_are_as_promised),
      SERVED(promtool_accepts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
