/* What each route answers, on real sockets. */
#include "monitor/client.h"

#include <tidemark/profile.h>

static served *s;

static int start(void **state)
{
  (void)state;
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 100));
  s = served_new();
  return 0;
}

static int stop(void **state)
{
  (void)state;
  served_delete(s);
  return 0;
}

/* What holds for every answer, errors included. */
static void assert_sound(const answer *a)
{
  assert_non_null(header_of(a, "Content-Length"));
  assert_int_equal(atoi(header_of(a, "Content-Length")), a->body_length);
  assert_string_equal(header_of(a, "Connection"), "close");
  assert_string_equal(header_of(a, "Cache-Control"), "no-store");
  assert_string_equal(header_of(a, "X-Content-Type-Options"), "nosniff");
  assert_string_equal(header_of(a, "X-Frame-Options"), "DENY");
  assert_string_equal(header_of(a, "Referrer-Policy"), "no-referrer");
  assert_string_equal(header_of(a, "Cross-Origin-Resource-Policy"), "same-origin");
  assert_non_null(strstr(header_of(a, "Content-Security-Policy"), "default-src 'none'"));
  assert_null(strstr(header_of(a, "Content-Security-Policy"), "unsafe"));
  assert_null(header_of(a, "Access-Control-Allow-Origin"));
  assert_non_null(header_of(a, "Date"));
  assert_true(a->body_length > 0 && a->body[a->body_length - 1] == '\n');
}

static void health(void **state)
{
  (void)state;
  const answer *a = get(s, "/healthz");
  assert_int_equal(a->status, 200);
  assert_sound(a);
  assert_string_equal(a->body, "ok\n");
}

/* Of no profile, too: pprof opens it and says that it is empty. */
static void heap_profile(void **state)
{
  (void)state;
  char empty[3];
  const answer *a = get(s, "/heap.pb.gz");
  assert_int_equal(a->status, 200);
  assert_string_equal(header_of(a, "Content-Type"), "application/octet-stream");
  assert_int_equal(atoi(header_of(a, "Content-Length")), a->body_length);
  memcpy(empty, a->body, sizeof empty);
  assert_memory_equal(empty, "\x1f\x8b\x08", 3);
  size_t before = (size_t)a->body_length;
  assert_int_equal(tm_profile_start(1), 0);
  void *p = tm_malloc(tm_heap_default(), TM_MEM, 100);
  a = get(s, "/heap.pb.gz");
  assert_int_equal(tm_profile_stop(), 0);
  assert_memory_equal(a->body, "\x1f\x8b\x08", 3);
  assert_true((size_t)a->body_length > before);
  tm_free(tm_heap_default(), TM_MEM, p);
}

static void holders(void **state)
{
  (void)state;
  const answer *a = get(s, "/holders.json");
  assert_int_equal(a->status, 200);
  assert_sound(a);
  assert_string_equal(header_of(a, "Content-Type"), "application/json");
  assert_int_equal(tm_profile_start(1), 0);
  void *p = tm_malloc(tm_heap_default(), TM_MEM, 5 << 20);
  a = get(s, "/holders.json");
  assert_ptr_equal(strstr(a->body, "{\"mean_bytes\":1,\"running\":true,"), a->body);
  assert_non_null(strstr(a->body, "\"pool\":\"mem\",\"who\":\"holders\","));
  assert_int_equal(tm_profile_stop(), 0);
  tm_free(tm_heap_default(), TM_MEM, p);
  a = get(s, "/holders.json");
  assert_non_null(strstr(a->body, "\"running\":false,"));
  assert_null(strstr(a->body, "\"who\":\"holders\""));
}

static void metrics_in_the_older_format(void **state)
{
  (void)state;
  const answer *a = get(s, "/metrics");
  assert_int_equal(a->status, 200);
  assert_sound(a);
  assert_string_equal(header_of(a, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  assert_string_equal(header_of(a, "Vary"), "Accept");
  assert_non_null(strstr(a->body, "# TYPE tidemark_heap_live_bytes gauge\n"));
  assert_non_null(strstr(a->body, "# TYPE tidemark_monitor_requests_total counter\n"));
  assert_non_null(strstr(a->body, "# TYPE process_resident_memory_bytes gauge\n"));
  assert_null(strstr(a->body, "# EOF"));
}

static void metrics_in_openmetrics(void **state)
{
  (void)state;
  const answer *a = ask(s, "GET", "/metrics", "Accept: application/openmetrics-text\r\n");
  assert_int_equal(a->status, 200);
  assert_sound(a);
  assert_string_equal(header_of(a, "Content-Type"),
                      "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assert_non_null(strstr(a->body, "# TYPE tidemark_monitor_requests counter\n"));
  const char *end = strstr(a->body, "# EOF\n");
  assert_non_null(end);
  assert_int_equal(strlen(end), 6);
}

static void stats(void **state)
{
  (void)state;
  const answer *a = get(s, "/stats.json");
  assert_int_equal(a->status, 200);
  assert_sound(a);
  assert_string_equal(header_of(a, "Content-Type"), "application/json");
  assert_ptr_equal(strstr(a->body, "{\"heaps\":[{\"name\":\"default\","), a->body);
  assert_non_null(strstr(a->body, "\"pools\":[{\"name\":\"raw\""));
  assert_non_null(strstr(a->body, "],\"process\":{\"pid\":"));
}

static void log_is_an_array(void **state)
{
  (void)state;
  const answer *a = get(s, "/log.json");
  assert_int_equal(a->status, 200);
  assert_sound(a);
  assert_string_equal(header_of(a, "Content-Type"), "application/json");
  assert_int_equal(a->body[0], '[');
  assert_string_equal(a->body + a->body_length - 2, "]\n");
}

static void page(void **state)
{
  (void)state;
  const answer *a = get(s, "/plain");
  assert_int_equal(a->status, 200);
  assert_sound(a);
  assert_string_equal(header_of(a, "Content-Type"), "text/html; charset=utf-8");
  assert_non_null(strstr(a->body, "<h2>Heap default"));
  assert_non_null(strstr(a->body, "href=\"/metrics\""));
}

static void head_has_no_body(void **state)
{
  static const char *const paths[] = {"/",        "/plain",        "/app.js",
                                      "/metrics", "/stats.json",   "/log.json",
                                      "/doctor",  "/holders.json", "/healthz"};
  (void)state;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    const answer *a = ask(s, "HEAD", paths[i], "");
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body_length, 0);
    assert_true(atoi(header_of(a, "Content-Length")) > 0);
  }
}

static void other_paths_are_not_found(void **state)
{
  static const char *const paths[] = {"/nothing",  "/metrics/",  "/metrics?x=1", "/METRICS",
                                      "//metrics", "/../etc",    "/%6detrics",   "*",
                                      "/healthz#", "/stats.jso", "/metrics%00"};
  (void)state;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    const answer *a = get(s, paths[i]);
    if (a->status != 404 && a->status != 400) /* llhttp refuses some */
      fail_msg("%s is answered with %d", paths[i], a->status);
    assert_sound(a);
  }
}

static void errors_say_why(void **state)
{
  (void)state;
  const answer *a = ask(s, "POST", "/metrics", "");
  assert_int_equal(a->status, 405);
  assert_sound(a);
  assert_string_equal(header_of(a, "Allow"), "GET, HEAD");
  assert_string_equal(header_of(a, "Content-Type"), "text/plain; charset=utf-8");
  a = ask_raw(s, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  assert_int_equal(a->status, 403);
  assert_sound(a);
  assert_non_null(strstr(a->body, "allowed_hosts"));
  assert_int_equal(ask_raw(s, "GET / HTTP/1.1\r\n\r\n")->status, 400);
  assert_int_equal(ask_raw(s, "nonsense\r\n\r\n")->status, 400);
  assert_int_equal(ask(s, "GET", "/", "Content-Length: 3\r\n")->status, 400);
  assert_int_equal(ask(s, "GET", "/", "Origin: http://evil.example\r\n")->status, 403);
}

static void answers_once_per_connection(void **state)
{
  char text[512];
  (void)state;
  snprintf(text, sizeof text,
           "GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\nConnection: keep-alive\r\n\r\n"
           "GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
           tm_monitor_port(&s->monitor), tm_monitor_port(&s->monitor));
  const answer *a = ask_raw(s, text);
  assert_int_equal(a->status, 200);
  assert_string_equal(a->body, "ok\n");
}

/* A request in pieces, each its own packet. */
static void takes_requests_in_pieces(void **state)
{
  char text[256];
  (void)state;
  snprintf(text, sizeof text, "GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
           tm_monitor_port(&s->monitor));
  int fd = connect_client(s);
  for (const char *at = text; *at; at++) {
    assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
    turn(s);
  }
  assert_int_equal(hear(s, fd)->status, 200);
}

/* What was answered is counted, by status. */
static void counts_its_answers(void **state)
{
  (void)state;
  char *before = strdup(get(s, "/metrics")->body);
  get(s, "/nothing");
  get(s, "/healthz");
  const char *after = get(s, "/metrics")->body;
  const char *ok = "tidemark_monitor_requests_total{code=\"200\"}";
  const char *missing = "tidemark_monitor_requests_total{code=\"404\"}";
  assert_true(sample_of(after, ok) == sample_of(before, ok) + 2);
  assert_true(sample_of(after, missing) == sample_of(before, missing) + 1);
  assert_true(sample_of(after, "tidemark_monitor_serve_cpu_seconds_total") > 0);
  assert_true(sample_of(after, "tidemark_monitor_sent_bytes_total") >
              sample_of(before, "tidemark_monitor_sent_bytes_total"));
  assert_true(sample_of(after, "tidemark_monitor_resident_bytes") > 0);
  assert_true(sample_of(after, "tidemark_monitor_samples_total") >= 1);
  free(before);
}

/* A name may hold anything: it stays a name in every format. */
static void odd_names_stay_names(void **state)
{
  tm_heap_config config;
  tm_heap *heap;
  (void)state;
  tm_heap_config_init(&config);
  config.name = "<b>\"x\\\n\xC3";
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  tm_inform(heap, "tag</script>", 5);
  assert_null(strstr(get(s, "/plain")->body, "<b>"));
  assert_non_null(strstr(get(s, "/plain")->body, "tag&lt;/script&gt;"));
  assert_non_null(strstr(get(s, "/stats.json")->body, "\"<b>\\\"x\\\\\\n\xEF\xBF\xBD\""));
  assert_non_null(strstr(get(s, "/metrics")->body, "{heap=\"<b>\\\"x\\\\\\n\xEF\xBF\xBD\"}"));
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
  const struct CMUnitTest tests[] = {
      SERVED(health),
      SERVED(heap_profile),
      SERVED(holders),
      SERVED(metrics_in_the_older_format),
      SERVED(metrics_in_openmetrics),
      SERVED(stats),
      SERVED(log_is_an_array),
      SERVED(page),
      SERVED(head_has_no_body),
      SERVED(other_paths_are_not_found),
      SERVED(errors_say_why),
      SERVED(answers_once_per_connection),
      SERVED(takes_requests_in_pieces),
      SERVED(counts_its_answers),
      SERVED(odd_names_stay_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
