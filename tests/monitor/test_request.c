/* Requests in whatever pieces they come, and every limit of them to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/request.h"

static tm__request request;

/* Feeds text in pieces of `step` bytes; true: the request was decided. */
static bool feed(const char *text, size_t length, size_t step)
{
  bool decided = false;
  tm__request_init(&request);
  for (size_t at = 0; at < length && !decided; at += step)
    decided = tm__request_feed(&request, text + at, length - at < step ? length - at : step);
  return decided;
}

static bool feed_text(const char *text)
{
  return feed(text, strlen(text), strlen(text));
}

static void understands_requests_in_any_pieces(void **state)
{
  static const char text[] = "GET /metrics HTTP/1.1\r\nHost: localhost:9464\r\n"
                             "ACCEPT: text/plain\r\nX-Other: 1\r\norigin: http://localhost:9464\r\n"
                             "Accept:  application/openmetrics-text \r\n\r\n";
  (void)state;
  for (size_t step = 1; step <= strlen(text); step++) {
    assert_true(feed(text, strlen(text), step));
    assert_true(request.complete);
    assert_int_equal(request.status, 0);
    assert_true(tm__request_is(&request, HTTP_GET));
    assert_false(tm__request_is(&request, HTTP_HEAD));
    assert_false(request.has_body);
    assert_int_equal(request.header_count, 5);
    assert_string_equal(request.target.bytes, "/metrics");
    assert_string_equal(request.host.bytes, "localhost:9464");
    assert_string_equal(request.origin.bytes, "http://localhost:9464");
    assert_string_equal(request.accept.bytes, "text/plain,application/openmetrics-text ");
  }
}

static void waits_until_the_headers_end(void **state)
{
  (void)state;
  assert_false(feed_text("GET / HTTP/1.1\r\nHost: localhost\r\n"));
  assert_false(request.complete);
  assert_int_equal(request.status, 0);
  tm__request_end(&request);
  assert_int_equal(request.status, 400);
}

static void ignores_what_follows_the_headers(void **state)
{
  (void)state;
  assert_true(feed_text("HEAD / HTTP/1.0\r\n\r\nGET /other HTTP/1.1\r\n\r\n\x01\x02"));
  assert_true(request.complete);
  assert_int_equal(request.status, 0);
  assert_true(tm__request_is(&request, HTTP_HEAD));
  assert_string_equal(request.target.bytes, "/");
}

static void refuses_what_is_no_request(void **state)
{
  static const struct {
    const char *text;
    int status;
  } cases[] = {{"\x16\x03\x01\x02", 400}, /* TLS */
               {"get / HTTP/1.1\r\n\r\n", 400},
               {"NOSUCH / HTTP/1.1\r\n\r\n", 400},
               {"GET\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\n: empty\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nA B: c\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
               {"GET / HTTP/1.1\r\nOrigin: a\r\nOrigin: b\r\n\r\n", 400},
               {"GET / FTP/1.1\r\n\r\n", 400},
               {"GET / HTTP/3.7\r\n\r\n", 505},
               {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (size_t step = 1; step < 200; step += 198) {
      bool decided = feed(cases[i].text, strlen(cases[i].text), step);
      if (!decided || request.status != cases[i].status)
        fail_msg("%s\nis answered with %d", cases[i].text, request.status);
    }
}

static void sees_bodies(void **state)
{
  (void)state;
  assert_true(feed_text("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"));
  assert_true(request.complete && request.has_body);
  assert_true(feed_text("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
  assert_true(request.complete && request.has_body);
  assert_true(feed_text("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
  assert_true(request.complete && !request.has_body);
}

/* A text of `parts` with the middle one repeated. */
static size_t build(char *out, const char *first, const char *middle, size_t times,
                    const char *last)
{
  char *at = out;
  at += strlen(strcpy(at, first));
  for (size_t i = 0; i < times; i++)
    at += strlen(strcpy(at, middle));
  at += strlen(strcpy(at, last));
  return (size_t)(at - out);
}

static char big[64 * 1024];

static int status_of_line(size_t line, size_t step)
{
  size_t rest = strlen("GET /") + strlen(" HTTP/1.1");
  size_t length = build(big, "GET /", "a", line - rest, " HTTP/1.1\r\n\r\n");
  assert_true(feed(big, length, step));
  return request.status;
}

static void limits_the_request_line(void **state)
{
  static const size_t steps[] = {1, 100, 4096};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(status_of_line(TM__LINE_MAX, steps[i]), 0);
    assert_true(request.target.cut);
    assert_int_equal(status_of_line(TM__LINE_MAX + 1, steps[i]), 414);
    assert_int_equal(status_of_line(20000, steps[i]), 414);
  }
}

/* The line is over when it is, not when it ends. */
static void gives_up_on_endless_lines(void **state)
{
  size_t length = build(big, "GET /", "a", 10000, "");
  (void)state;
  assert_true(feed(big, length, 1));
  assert_int_equal(request.status, 414);
  assert_true(request.raw_bytes <= TM__LINE_MAX + 1);
  length = build(big, "", "\r\n", 20000, "");
  assert_true(feed(big, length, 100));
  assert_int_equal(request.status, 414);
}

static int status_of_headers(size_t bytes, size_t step)
{
  size_t rest = strlen("Host: localhost\r\n") + strlen("A: \r\n");
  size_t length =
      build(big, "GET / HTTP/1.1\r\nHost: localhost\r\nA: ", "b", bytes - rest, "\r\n\r\n");
  assert_true(feed(big, length, step));
  return request.status;
}

static void limits_the_bytes_of_headers(void **state)
{
  static const size_t steps[] = {1, 100, 4096};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(status_of_headers(TM__HEADERS_MAX, steps[i]), 0);
    assert_int_equal(status_of_headers(TM__HEADERS_MAX + 1, steps[i]), 431);
    assert_int_equal(status_of_headers(50000, steps[i]), 431);
  }
  /* blanks that the parser skips are bytes too */
  size_t length = build(big, "GET / HTTP/1.1\r\nA:", " ", 50000, "b\r\n\r\n");
  assert_true(feed(big, length, 1000));
  assert_int_equal(request.status, 431);
}

static void limits_the_number_of_headers(void **state)
{
  (void)state;
  size_t length = build(big, "GET / HTTP/1.1\r\n", "A: b\r\n", TM__HEADER_COUNT_MAX, "\r\n");
  assert_true(feed(big, length, 7));
  assert_int_equal(request.status, 0);
  length = build(big, "GET / HTTP/1.1\r\n", "A: b\r\n", TM__HEADER_COUNT_MAX + 1, "\r\n");
  assert_true(feed(big, length, 7));
  assert_int_equal(request.status, 431);
}

static void keeps_long_values_to_their_buffers(void **state)
{
  (void)state;
  size_t length = build(big, "GET / HTTP/1.1\r\nHost: ", "h", 400, "\r\n\r\n");
  assert_true(feed(big, length, 9));
  assert_int_equal(request.status, 0);
  assert_true(request.host.cut);
  assert_int_equal(request.host.length, sizeof request.host_bytes - 1);
  assert_int_equal(strlen(request.host.bytes), request.host.length);
}

/* Random bytes, and random changes of a sound request: nothing but a verdict comes of it. */
static void survives_noise(void **state)
{
  static const char sound[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
  unsigned seed = 12345;
  (void)state;
  for (int round = 0; round < 20000; round++) {
    char text[sizeof sound];
    memcpy(text, sound, sizeof sound);
    for (int i = 0; i < 1 + round % 4; i++) {
      seed = seed * 1103515245 + 12345;
      text[(seed >> 16) % (sizeof text - 1)] = (char)(seed >> 8);
    }
    feed(text, sizeof text - 1, 1 + (size_t)round % 17);
    tm__request_end(&request);
    assert_true(request.complete || request.status >= 400);
    assert_true(request.target.length < sizeof request.target_bytes);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(understands_requests_in_any_pieces),
      cmocka_unit_test(waits_until_the_headers_end),
      cmocka_unit_test(ignores_what_follows_the_headers),
      cmocka_unit_test(refuses_what_is_no_request),
      cmocka_unit_test(sees_bodies),
      cmocka_unit_test(limits_the_request_line),
      cmocka_unit_test(gives_up_on_endless_lines),
      cmocka_unit_test(limits_the_bytes_of_headers),
      cmocka_unit_test(limits_the_number_of_headers),
      cmocka_unit_test(keeps_long_values_to_their_buffers),
      cmocka_unit_test(survives_noise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
