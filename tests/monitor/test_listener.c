/* Listening: sockets of every kind, and what happens when descriptors run out. */
#include "monitor/client.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "monitor/inner.h"

static int connect_unix(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  strcpy(address.sun_path, path);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static void unix_socket(void **state)
{
  struct stat file;
  char url[128];
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.address = "unix:listener.sock";
  served_start(s);
  assert_int_equal(tm_monitor_port(&s->monitor), 0);
  tm_monitor_url(&s->monitor, url, sizeof url);
  assert_string_equal(url, "unix:listener.sock");
  int fd = connect_unix("listener.sock");
  say(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert_int_equal(hear(s, fd)->status, 200);
  fd = connect_unix("listener.sock");
  say(fd, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  assert_int_equal(hear(s, fd)->status, 403);
  assert_int_equal(tm_monitor_stop(&s->monitor), 0);
  assert_int_equal(stat("listener.sock", &file), -1);
  served_delete(s);
}

/* A file that took the place of our socket is not ours to remove. */
static void unix_socket_that_was_replaced(void **state)
{
  struct stat file;
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.address = "unix:replaced.sock";
  served_start(s);
  unlink("replaced.sock");
  close(open("replaced.sock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  served_delete(s);
  assert_int_equal(stat("replaced.sock", &file), 0);
  unlink("replaced.sock");
}

static void socket_of_the_caller(void **state)
{
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.address = "this is not looked at";
  s->options.listen_fd = tm_monitor_listen("127.0.0.1:0", NULL, 0);
  assert_true(s->options.listen_fd >= 0);
  assert_int_equal(fcntl(s->options.listen_fd, F_SETFD, 0), 0);
  served_start(s);
  assert_true(fcntl(s->options.listen_fd, F_GETFD) & FD_CLOEXEC);
  assert_int_equal(get(s, "/healthz")->status, 200);
  assert_int_equal(tm_monitor_stop(&s->monitor), 0);
  assert_int_equal(fcntl(s->options.listen_fd, F_GETFD), -1); /* it was the monitor's */
  served_delete(s);
}

static void what_is_no_listening_socket(void **state)
{
  int fds[3] = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), open("/dev/null", O_RDONLY), 9999};
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  for (int i = 0; i < 3; i++) {
    s->options.listen_fd = fds[i];
    assert_true(tm_monitor_start(&s->monitor, &s->options) < 0);
    assert_non_null(strstr(tm_monitor_error(&s->monitor), "not a listening socket"));
  }
  assert_true(fcntl(fds[0], F_GETFD) >= 0); /* still the caller's */
  assert_true(fcntl(fds[1], F_GETFD) >= 0);
  close(fds[0]);
  close(fds[1]);
  served_delete(s);
}

static void port_in_use_is_said(void **state)
{
  char address[64];
  (void)state;
  served *first = served_new(), *second = malloc(sizeof *second);
  served_init(second);
  snprintf(address, sizeof address, "127.0.0.1:%d", tm_monitor_port(&first->monitor));
  second->options.address = address;
  assert_int_equal(tm_monitor_start(&second->monitor, &second->options), UV_EADDRINUSE);
  assert_non_null(strstr(tm_monitor_error(&second->monitor), address));
  assert_int_equal(tm_monitor_port(&second->monitor), 0);
  second->options.address = "127.0.0.1:0";
  served_start(second);
  assert_string_equal(tm_monitor_error(&second->monitor), "");
  assert_int_equal(get(second, "/healthz")->status, 200);
  served_delete(second);
  served_delete(first);
}

/* Without an address nothing listens, and the rest works. */
static void no_address(void **state)
{
  char url[64];
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.address = NULL;
  served_start(s);
  assert_int_equal(tm_monitor_port(&s->monitor), 0);
  assert_int_equal(tm_monitor_url(&s->monitor, url, sizeof url), 0);
  turn(s);
  assert_int_equal(s->monitor.inner->cost.samples, 1);
  served_delete(s);
}

/* No descriptor left: accepting pauses, costs nothing meanwhile, and the client is served later. */
static void descriptors_run_out(void **state)
{
  struct rlimit before, low;
  int fds[4096], count = 0;
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.accept_retry_ms = 30;
  served_start(s);
  int client = connect_client(s);
  say(client, "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n");
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 200;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  while ((fds[count] = dup(0)) >= 0)
    count++;
  assert_int_equal(errno, EMFILE);
  tm__cost *cost = &s->monitor.inner->cost;
  uint64_t begin = uv_hrtime(), cpu = cost->serve_cpu_ns;
  while (uv_hrtime() - begin < 200000000u) {
    struct pollfd nothing = {.fd = -1};
    turn(s);
    (void)poll(&nothing, 1, 1);
  }
  uint64_t elapsed_ms = (uv_hrtime() - begin) / 1000000;
  assert_true(cost->accept_failures >= 2 && cost->accept_failures <= elapsed_ms / 30 + 2);
  assert_true(cost->serve_cpu_ns - cpu < 20000000u);
  while (count)
    close(fds[--count]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(hear(s, client)->status, 403); /* served, if not what it wanted */
  assert_int_equal(get(s, "/healthz")->status, 200);
  served_delete(s);
}

static void allowed_hosts(void **state)
{
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  char hosts[] = "tm.example.org:8080";
  s->options.allowed_hosts = hosts;
  served_start(s);
  memset(hosts, 'x', sizeof hosts - 1); /* it was copied */
  assert_int_equal(ask_raw(s, "GET /healthz HTTP/1.1\r\nHost: tm.example.org:8080\r\n\r\n")->status,
                   200);
  assert_int_equal(ask_raw(s, "GET /healthz HTTP/1.1\r\nHost: tm.example.org\r\n\r\n")->status,
                   403);
  served_delete(s);
}

/* The address that a client reached is a name of ours, without being configured. */
static void own_address(void **state)
{
  char text[256];
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.address = "127.0.0.3:0";
  served_start(s);
  int port = tm_monitor_port(&s->monitor);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(0x7F000003);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  snprintf(text, sizeof text, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.3:%d\r\n\r\n", port);
  say(fd, text);
  assert_int_equal(hear(s, fd)->status, 200);
  served_delete(s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unix_socket),          cmocka_unit_test(unix_socket_that_was_replaced),
      cmocka_unit_test(socket_of_the_caller), cmocka_unit_test(what_is_no_listening_socket),
      cmocka_unit_test(port_in_use_is_said),  cmocka_unit_test(no_address),
      cmocka_unit_test(descriptors_run_out),  cmocka_unit_test(allowed_hosts),
      cmocka_unit_test(own_address),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
