/* test_apart.c - a monitor with a table of descriptors of its own, in a process that closes all. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include <tidemark/monitor.h>

#include "base/hints.h"

/* The answer to a request for /healthz; "" when nobody answers. */
static const char *ask(int port)
{
  static char text[4096];
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct timeval patience = {10, 0};
  size_t length = 0;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (const struct sockaddr *)&there, sizeof there) == 0) {
    char request[128];
    (void)snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
                   port);
    (void)!write(fd, request, strlen(request));
    ssize_t n;
    while (length + 1 < sizeof text && (n = read(fd, text + length, sizeof text - 1 - length)) > 0)
      length += (size_t)n;
  }
  (void)close(fd);
  text[length] = 0;
  return text;
}

static int port_of(int listener)
{
  struct sockaddr_in name = {0};
  socklen_t length = sizeof name;
  assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &length), 0);
  return ntohs(name.sin_port);
}

/* In a child, since it can only be started once and closes what the test needs. */
static int in_child(int (*body)(void))
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(body());
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int serve_on_after_all_is_closed(void)
{
  int listener = tm_monitor_listen("127.0.0.1:0", NULL, 0);
  int port = port_of(listener);
  if (tm_monitor_apart_start(listener, -1) != 0)
    return 1;
  if (!strstr(ask(port), " 200 "))
    return 2;
  if (syscall(SYS_close_range, 3, ~0u, 0) != 0)
    return 3;
  for (int i = 0; i < 100; i++) /* other files under all the numbers that the monitor may have */
    if (open("/dev/null", O_RDWR) < 0)
      return 4;
  for (int i = 0; i < 10; i++)
    if (!strstr(ask(port), " 200 "))
      return 5;
  return 0;
}

static void it_serves_on_after_the_program_closed_all(void **state)
{
  (void)state;
  assert_int_equal(in_child(serve_on_after_all_is_closed), 0);
}

/* The pipe is held open by this process alone: closing it here must end it for the reader. */
static int let_go_of_the_programs_files(void)
{
  int ends[2], kept[2];
  char byte;
  if (pipe(ends) != 0 || pipe(kept) != 0)
    return 1;
  int listener = tm_monitor_listen("127.0.0.1:0", NULL, 0);
  if (tm_monitor_apart_start(listener, kept[1]) != 0)
    return 2;
  (void)close(ends[1]);
  if (read(ends[0], &byte, 1) != 0)
    return 3;
  (void)close(kept[1]); /* that one the monitor keeps */
  (void)fcntl(kept[0], F_SETFL, O_NONBLOCK);
  return read(kept[0], &byte, 1) == -1 ? 0 : 4;
}

static void it_holds_nothing_of_the_program_but_what_it_keeps(void **state)
{
  (void)state;
  assert_int_equal(in_child(let_go_of_the_programs_files), 0);
}

static int add_only_libuvs_pair(void)
{
  int listener = tm_monitor_listen("127.0.0.1:0", NULL, 0);
  int before = dup(0); /* the lowest free number */
  (void)close(before);
  if (tm_monitor_apart_start(listener, -1) != 0)
    return 1;
  if (!strstr(ask(port_of(listener)), " 200 "))
    return 2;
  int after = dup(0);
  return after <= before + 2 ? 0 : 3;
}

static void the_programs_own_table_gets_no_descriptor_of_the_monitor(void **state)
{
  (void)state;
  assert_int_equal(in_child(add_only_libuvs_pair), 0);
}

static int refuse(void)
{
  if (tm_monitor_apart_start(-1, -1) != UV_EINVAL)
    return 1;
  int plain = open("/dev/null", O_RDONLY);
  if (tm_monitor_apart_start(plain, -1) >= 0)
    return 2;
  int listener = tm_monitor_listen("127.0.0.1:0", NULL, 0);
  return tm_monitor_apart_start(listener, -1) == UV_EALREADY ? 0 : 3;
}

static void what_it_refuses(void **state)
{
  (void)state;
  assert_int_equal(in_child(refuse), 0);
}

int main(void)
{
  if (TM_TSAN) { /* it takes one number in two tables for one file, and calls that a race */
    puts("SKIP: ThreadSanitizer knows one table of descriptors per process");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_serves_on_after_the_program_closed_all),
      cmocka_unit_test(it_holds_nothing_of_the_program_but_what_it_keeps),
      cmocka_unit_test(the_programs_own_table_gets_no_descriptor_of_the_monitor),
      cmocka_unit_test(what_it_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
