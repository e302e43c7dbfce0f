/* test_serve.c - --serve's value: which addresses are taken, which refused, and with what words. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <tidemark/monitor.h>

#include "cli/serve.h"

/* A listening descriptor and the name under which it can be reached. */
static int opened(const char *text, char *url, size_t capacity)
{
  tm__complaint complaint = {0};
  int fd = -1;
  if (tm__serve_open(text, &fd, &complaint) != 0)
    fail_msg("%s: %s", text, complaint.text);
  int listening = 0;
  socklen_t length = sizeof listening;
  assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length), 0);
  assert_int_equal(listening, 1);
  (void)tm_monitor_listen_url(fd, url, capacity);
  return fd;
}

static void every_way_to_say_a_local_port(void **state)
{
  (void)state;
  static const char *const texts[] = {":0", "0", "127.0.0.1:0", "localhost:0", "127.1.2.3:0"};
  for (size_t i = 0; i < TM_ARRAY_LEN(texts); i++) {
    char url[128];
    int fd = opened(texts[i], url, sizeof url);
    assert_non_null(strstr(url, "http://127."));
    assert_null(strstr(url, ":0/"));
    (void)close(fd);
  }
}

static void the_descriptor_is_high_and_inherited(void **state)
{
  (void)state;
  char url[128];
  int fd = opened(":0", url, sizeof url);
  assert_true(fd >= 100);
  assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  (void)close(fd);
}

static void a_unix_socket_is_for_its_owner_and_replaces_a_dead_one(void **state)
{
  (void)state;
  char text[64], url[128];
  (void)snprintf(text, sizeof text, "unix:/tmp/tidemark-serve-%d", (int)getpid());
  int first = opened(text, url, sizeof url);
  assert_string_equal(url, text);
  tm__complaint complaint;
  int fd;
  assert_int_equal(tm__serve_open(text, &fd, &complaint), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "is in use already"));
  (void)close(first);
  int second = opened(text, url, sizeof url); /* nobody listens on the file any more */
  (void)close(second);
  (void)unlink(text + strlen("unix:"));
}

static void a_port_that_is_taken_is_said(void **state)
{
  (void)state;
  char url[128], text[64];
  int first = opened(":0", url, sizeof url), fd = -1;
  tm__complaint complaint;
  (void)snprintf(text, sizeof text, ":%d", atoi(strrchr(url, ':') + 1));
  assert_int_equal(tm__serve_open(text, &fd, &complaint), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "is in use already; choose another address"));
  assert_int_equal(fd, -1);
  (void)close(first);
}

static void other_machines_and_nonsense_are_usage_errors(void **state)
{
  (void)state;
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"0.0.0.0:9100", "not on this machine's loopback"},
      {"*:9100", "not on this machine's loopback"},
      {"[::]:9100", "not on this machine's loopback"},
      {"192.168.0.1:80", "not on this machine's loopback"},
      {"example.org:80", "not on this machine's loopback"},
      {"", "not on this machine's loopback"},
      {"banana", "not on this machine's loopback"},
      {":", "--serve: 127.0.0.1:"},
      {":65536", "the port is not a number from 0 to 65535"},
      {":80a", "the port is not a number"},
      {"127.0.0.1", "the port is missing"},
      {"127.0.0.1.evil.org:80", "the host is not an address"},
      {"127.0.0.999:80", "the host is not an address"},
      {"[::1]", "not on this machine's loopback"},
      {"unix:", "the path of the socket is missing"},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    tm__complaint complaint = {0};
    int fd = -1;
    if (tm__serve_open(cases[i].text, &fd, &complaint) != TM_EXIT_USAGE)
      fail_msg("'%s' is not refused", cases[i].text);
    if (!strstr(complaint.text, cases[i].says))
      fail_msg("'%s': \"%s\" does not say \"%s\"", cases[i].text, complaint.text, cases[i].says);
  }
}

static void a_long_path_and_a_missing_directory(void **state)
{
  (void)state;
  char text[160] = "unix:/tmp/";
  memset(text + strlen(text), 'x', 120);
  tm__complaint complaint;
  int fd;
  assert_int_equal(tm__serve_open(text, &fd, &complaint), TM_EXIT_USAGE);
  assert_non_null(strstr(complaint.text, "longer than 107 bytes"));
  assert_int_equal(tm__serve_open("unix:/nowhere/at/all", &fd, &complaint), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "cannot listen on unix:/nowhere/at/all"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_way_to_say_a_local_port),
      cmocka_unit_test(the_descriptor_is_high_and_inherited),
      cmocka_unit_test(a_unix_socket_is_for_its_owner_and_replaces_a_dead_one),
      cmocka_unit_test(a_port_that_is_taken_is_said),
      cmocka_unit_test(other_machines_and_nonsense_are_usage_errors),
      cmocka_unit_test(a_long_path_and_a_missing_directory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
