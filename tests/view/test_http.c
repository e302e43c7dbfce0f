/* The client against servers that say whatever the test wants. */
#define _GNU_SOURCE
#include "view/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/check.h"

static tm__place place;
static tm__body body;
static tm__complaint complaint;

/* One connection's server: hears a request, then says its text and closes; or never closes. */
typedef struct server {
  pthread_t thread;
  int fd;
  const char *says;
  size_t repeats; /* of the text */
  bool stays;
  char heard[1024];
} server;

static void *serve(void *context)
{
  server *s = context;
  size_t length = 0;
  int fd = accept(s->fd, NULL, NULL);
  while (!strstr(s->heard, "\r\n\r\n")) {
    ssize_t n = recv(fd, s->heard + length, sizeof s->heard - 1 - length, 0);
    if (n <= 0)
      break;
    length += (size_t)n;
  }
  for (size_t i = 0; i <= s->repeats; i++)
    if (send(fd, s->says, strlen(s->says), MSG_NOSIGNAL) <= 0)
      break;
  char rest;
  while (s->stays && recv(fd, &rest, 1, 0) > 0)
    ;
  (void)close(fd);
  return NULL;
}

static void start(server *s, const char *says)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  s->says = says;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  must(bind(s->fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(s->fd, 1) == 0);
  must(getsockname(s->fd, (struct sockaddr *)&address, &size) == 0);
  tm__place_tcp("127.0.0.1", ntohs(address.sin_port), &place);
  must(pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void stop(server *s)
{
  (void)pthread_join(s->thread, NULL);
  (void)close(s->fd);
}

static int get(server *s, const char *says)
{
  start(s, says);
  int result = tm__http_get(&place, "/stats.json", 10000, &body, &complaint);
  stop(s);
  return result;
}

static void a_good_answer(void **state)
{
  server s = {0};
  char host[64];
  (void)state;
  assert_int_equal(get(&s, "HTTP/1.1 200 OK\r\nX: y\r\ncontent-LENGTH: 5\r\n\r\nhello"), 0);
  assert_string_equal(body.text, "hello");
  assert_int_equal(body.length, 5);
  free(body.text);
  assert_ptr_equal(strstr(s.heard, "GET /stats.json HTTP/1.1\r\n"), s.heard);
  (void)snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%s\r\n", place.port);
  assert_non_null(strstr(s.heard, host));
}

static void without_a_length(void **state)
{
  server s = {0};
  (void)state;
  assert_int_equal(get(&s, "HTTP/1.0 200 OK\r\n\r\nall of it"), 0);
  assert_string_equal(body.text, "all of it");
  free(body.text);
}

static void a_long_answer(void **state)
{
  static char part[1 << 20];
  server s = {.repeats = 19};
  (void)state;
  memset(part, 'x', sizeof part - 1);
  memcpy(part, "HTTP/1.1 200 OK\r\n\r\n", 19);
  assert_int_equal(get(&s, part), 0);
  assert_int_equal(body.length, 20 * (sizeof part - 1) - 19);
  free(body.text);
  s = (server){.repeats = 200}; /* more than is taken */
  assert_int_equal(get(&s, part), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "too long"));
  assert_null(body.text);
}

static void bad_answers(void **state)
{
  static const char *const cases[][2] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "cut off"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", "cut off"},
      {"HTTP/1.1 503 Service Unavailable\r\n\r\nToo many.\nLater.", "it answers 503: Too many."},
      {"HTTP/1.1 200 OK\r\n", "speaks no HTTP"},
      {"HTTP/1.1 OK\r\n\r\n", "speaks no HTTP"},
      {"SSH-2.0-x\r\n\r\n", "speaks no HTTP"},
      {"", "speaks no HTTP"},
  };
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    server s = {0};
    assert_int_equal(get(&s, cases[i][0]), TM_EXIT_FAILED);
    if (!strstr(complaint.text, cases[i][1]))
      fail_msg("'%s' was answered by '%s'", cases[i][0], complaint.text);
  }
}

/* It says a part and then nothing: the deadline is the whole call's. */
static void a_server_that_hangs(void **state)
{
  server s = {.stays = true};
  (void)state;
  start(&s, "HTTP/1.1 200 OK\r\n\r\nhel");
  assert_int_equal(tm__http_get(&place, "/", 150, &body, &complaint), TM_EXIT_FAILED);
  stop(&s);
  assert_non_null(strstr(complaint.text, "did not answer in time"));
}

static void nobody_there(void **state)
{
  (void)state;
  tm__place_tcp("127.0.0.1", 1, &place);
  assert_int_equal(tm__http_get(&place, "/", 1000, &body, &complaint), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "http://127.0.0.1:1/: nobody listens there"));
  tm__place_unix("/no/such.sock", &place);
  assert_int_equal(tm__http_get(&place, "/", 1000, &body, &complaint), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "unix:/no/such.sock: nobody listens there"));
}

static void over_a_unix_socket(void **state)
{
  server s = {.says = "HTTP/1.1 200 OK\r\n\r\nhello"};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)state;
  (void)snprintf(address.sun_path, sizeof address.sun_path, "http-test-%d.sock", (int)getpid());
  s.fd = socket(AF_UNIX, SOCK_STREAM, 0);
  must(bind(s.fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(s.fd, 1) == 0);
  must(pthread_create(&s.thread, NULL, serve, &s) == 0);
  tm__place_unix(address.sun_path, &place);
  assert_int_equal(tm__http_get(&place, "/doctor", 10000, &body, &complaint), 0);
  stop(&s);
  (void)unlink(address.sun_path);
  assert_string_equal(body.text, "hello");
  free(body.text);
  assert_non_null(strstr(s.heard, "\r\nHost: localhost\r\n"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_answer),       cmocka_unit_test(without_a_length),
      cmocka_unit_test(a_long_answer),       cmocka_unit_test(bad_answers),
      cmocka_unit_test(a_server_that_hangs), cmocka_unit_test(nobody_there),
      cmocka_unit_test(over_a_unix_socket),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
