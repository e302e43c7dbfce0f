/* Who is answered: Host, Origin, method, body; and in which format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/guard.h"

static const tm__guard tcp = {9464, "tm.example.org, proxy:8080,[2001:db8::1]", "10.0.0.5"};
static const tm__guard local_socket = {0, "", ""};

static void knows_its_own_hosts(void **state)
{
  static const struct {
    const char *host;
    bool allowed;
  } cases[] = {{"localhost:9464", true},
               {"LocalHost:9464", true},
               {"127.0.0.1:9464", true},
               {"[::1]:9464", true},
               {"10.0.0.5:9464", true},
               {"tm.example.org:9464", true},
               {"TM.Example.Org:9464", true},
               {"[2001:db8::1]:9464", true},
               {"proxy:8080", true},
               {"proxy:9464", false},
               {"proxy", false},
               {"localhost", false}, /* means port 80 */
               {"localhost:80", false},
               {"localhost:9465", false},
               {"localhost:", false},
               {"localhost:94640", false},
               {"localhost:094640", false},
               {"localhost:9464x", false},
               {"localhost:-1", false},
               {"localhost.:9464", false},
               {"127.0.0.2:9464", false},
               {"10.0.0.6:9464", false},
               {"::1:9464", false},
               {"[::1:9464", false},
               {"evil.example:9464", false},
               {"localhost.evil.example:9464", false},
               {"xlocalhost:9464", false},
               {"evil@localhost:9464", false},
               {"tm.example.org.evil:9464", false},
               {"", false},
               {":9464", false},
               {" localhost:9464", false}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (tm__guard_host(&tcp, cases[i].host, strlen(cases[i].host)) != cases[i].allowed)
      fail_msg("'%s' must be %s", cases[i].host, cases[i].allowed ? "allowed" : "refused");
}

static void ports_do_not_matter_on_a_unix_socket(void **state)
{
  (void)state;
  assert_true(tm__guard_host(&local_socket, "localhost", 9));
  assert_true(tm__guard_host(&local_socket, "localhost:1234", 14));
  assert_false(tm__guard_host(&local_socket, "evil.example", 12));
}

static void no_port_means_80(void **state)
{
  static const tm__guard web = {80, "", ""};
  (void)state;
  assert_true(tm__guard_host(&web, "localhost", 9));
  assert_true(tm__guard_host(&web, "localhost:80", 12));
  assert_false(tm__guard_host(&web, "localhost:9464", 14));
}

static tm__request request;

/* The verdict on a request. */
static int check(const tm__guard *guard, const char *text)
{
  const char *why = NULL;
  tm__request_init(&request);
  assert_true(tm__request_feed(&request, text, strlen(text)));
  assert_true(request.complete);
  int status = tm__guard_check(guard, &request, &why);
  assert_true((status == 0) == (why == NULL));
  return status;
}

#define HOST "Host: localhost:9464\r\n"

static void checks_whole_requests(void **state)
{
  static const struct {
    const char *text;
    int status;
  } cases[] = {{"GET / HTTP/1.1\r\n" HOST "\r\n", 0},
               {"HEAD / HTTP/1.1\r\n" HOST "\r\n", 0},
               {"GET / HTTP/1.0\r\n" HOST "\r\n", 0},
               {"GET / HTTP/1.1\r\n\r\n", 400}, /* no Host */
               {"GET / HTTP/1.0\r\n\r\n", 403},
               {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 403},
               {"GET / HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n", 403},
               {"POST / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403}, /* says nothing of methods */
               {"GET / HTTP/1.1\r\n" HOST "Origin: http://localhost:9464\r\n\r\n", 0},
               {"GET / HTTP/1.1\r\n" HOST "Origin: HTTP://127.0.0.1:9464\r\n\r\n", 0},
               {"GET / HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n\r\n", 403},
               {"GET / HTTP/1.1\r\n" HOST "Origin: https://localhost:9464\r\n\r\n", 403},
               {"GET / HTTP/1.1\r\n" HOST "Origin: http://localhost:3000\r\n\r\n", 403},
               {"GET / HTTP/1.1\r\n" HOST "Origin: null\r\n\r\n", 403},
               {"GET / HTTP/1.1\r\n" HOST "Origin:\r\n\r\n", 403},
               {"POST / HTTP/1.1\r\n" HOST "\r\n", 405},
               {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n", 405},
               {"DELETE / HTTP/1.1\r\n" HOST "\r\n", 405},
               {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 405},
               {"CONNECT localhost:9464 HTTP/1.1\r\n" HOST "\r\n", 405},
               {"TRACE / HTTP/1.1\r\n" HOST "\r\n", 405},
               {"GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 0},
               {"GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 0},
               {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
               {"GET / HTTP/0.9\r\n" HOST "\r\n", 505}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int status = check(&tcp, cases[i].text);
    if (status != cases[i].status)
      fail_msg("%s\nis answered with %d, not %d", cases[i].text, status, cases[i].status);
  }
}

/* The host in an absolute target counts, whatever the header says. */
static void takes_absolute_targets(void **state)
{
  (void)state;
  assert_int_equal(check(&tcp, "GET http://localhost:9464/metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
  assert_string_equal(request.target.bytes, "/metrics");
  assert_int_equal(check(&tcp, "GET http://localhost:9464 HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
  assert_string_equal(request.target.bytes, "/");
  assert_int_equal(check(&tcp, "GET http://evil.example/ HTTP/1.1\r\n" HOST "\r\n"), 403);
  assert_int_equal(check(&tcp, "GET http://a@localhost:9464/ HTTP/1.1\r\n" HOST "\r\n"), 403);
}

static void negotiates(void **state)
{
  static const struct {
    const char *accept;
    tm_text_format format;
  } cases[] = {
      {"", TM_TEXT_PROMETHEUS},
      {"*/*", TM_TEXT_PROMETHEUS},
      {"text/plain", TM_TEXT_PROMETHEUS},
      {"text/html,application/xhtml+xml,*/*;q=0.8", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text", TM_TEXT_OPENMETRICS},
      {"application/openmetrics-text; version=1.0.0", TM_TEXT_OPENMETRICS},
      {"Application/OpenMetrics-Text;Version=1.0.0;charset=utf-8", TM_TEXT_OPENMETRICS},
      /* what Prometheus sends */
      {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
       "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
       TM_TEXT_OPENMETRICS},
      {"application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5",
       TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=0.2,text/plain;q=0.3", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=0.3,text/plain;q=0.3", TM_TEXT_OPENMETRICS},
      {"text/plain;q=0.3, application/openmetrics-text;q=0.301", TM_TEXT_OPENMETRICS},
      {"application/openmetrics-text;q=0.5,*/*;q=0.8", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=0.5,text/*;q=0.4,*/*;q=0.8", TM_TEXT_OPENMETRICS},
      {"application/openmetrics-text;q=0", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=0.000", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=2", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=1.001", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=x", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-text;q=0.1234", TM_TEXT_PROMETHEUS},
      {"application/openmetrics-textual", TM_TEXT_PROMETHEUS},
      {",,;;,", TM_TEXT_PROMETHEUS}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (tm__guard_accept(cases[i].accept) != cases[i].format)
      fail_msg("'%s' gets the wrong format", cases[i].accept);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_its_own_hosts),
      cmocka_unit_test(ports_do_not_matter_on_a_unix_socket),
      cmocka_unit_test(no_port_means_80),
      cmocka_unit_test(checks_whole_requests),
      cmocka_unit_test(takes_absolute_targets),
      cmocka_unit_test(negotiates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
