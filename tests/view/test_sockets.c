/* Listening sockets, by the kernel's own tables and by lines of them. */
#define _GNU_SOURCE
#include "view/sockets.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/check.h"

static tm__place place;
static unsigned long inode;

static void lines_of_tcp(void **state)
{
  (void)state;
  assert_true(tm__socket_line("tcp",
                              "   0: 0100007F:24F8 00000000:0000 0A 00000000:00000000 00:00000000 "
                              "00000000     0        0 12345 1 0000000000000000 100 0 0 10 0",
                              &place, &inode));
  assert_string_equal(place.name, "http://127.0.0.1:9464/");
  assert_int_equal(inode, 12345);
  assert_true(tm__socket_line("tcp", "  10: 00000000:0050 00000000:0000 0A 0:0 0:0 0 0 0 7 1",
                              &place, &inode));
  assert_string_equal(place.name, "http://127.0.0.1:80/"); /* any address: this one */
  assert_true(tm__socket_line("tcp6",
                              "   1: 00000000000000000000000001000000:24F8 "
                              "00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 8 1",
                              &place, &inode));
  assert_string_equal(place.name, "http://[::1]:9464/");
  assert_false(tm__socket_line("tcp", "   0: 0100007F:24F8 0100007F:1234 01 0:0 0:0 0 0 0 7 1",
                               &place, &inode)); /* a connection */
  assert_false(
      tm__socket_line("tcp", "  sl  local_address rem_address   st tx_queue", &place, &inode));
  assert_false(tm__socket_line("tcp", "   0: 01007F:24F8 00000000:0000 0A 0:0 0:0 0 0 0 7 1",
                               &place, &inode));
}

static void lines_of_unix(void **state)
{
  char line[300];
  (void)state;
  assert_true(tm__socket_line(
      "unix", "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/my app.sock\n",
      &place, &inode));
  assert_string_equal(place.path, "/run/my app.sock");
  assert_int_equal(inode, 4711);
  static const char *const others[] = {
      "0000000000000000: 00000002 00000000 00000000 0001 01 4711 /run/connected\n",
      "0000000000000000: 00000002 00000000 00010000 0005 01 4711 /run/seqpacket\n",
      "0000000000000000: 00000002 00000000 00010000 0001 01 4711 @abstract\n",
      "0000000000000000: 00000002 00000000 00010000 0001 01 4711\n",
      "Num       RefCount Protocol Flags    Type St Inode Path\n"};
  for (size_t i = 0; i < TM_ARRAY_LEN(others); i++)
    assert_false(tm__socket_line("unix", others[i], &place, &inode));
  (void)snprintf(line, sizeof line, "0: 2 0 00010000 0001 01 4711 /%0200d\n", 0);
  assert_false(tm__socket_line("unix", line, &place, &inode));
}

static int listen_on(int *port)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  *port = ntohs(address.sin_port);
  return fd;
}

static void our_own(void **state)
{
  static tm__sockets found;
  char wanted[2][64];
  int ports[2], fds[2];
  (void)state;
  for (int i = 0; i < 2; i++) {
    fds[i] = listen_on(&ports[i]);
    (void)snprintf(wanted[i], sizeof wanted[i], "http://127.0.0.1:%d/", ports[i]);
  }
  assert_true(tm__sockets_of("/proc", getpid(), &found));
  assert_false(found.denied);
  for (int i = 0; i < 2; i++) {
    size_t at = 0;
    while (at < found.count && strcmp(found.places[at].name, wanted[i]) != 0)
      at++;
    assert_true(at < found.count);
  }
  (void)close(fds[0]);
  (void)close(fds[1]);
  assert_true(tm__sockets_of("/proc", getpid(), &found));
  for (size_t i = 0; i < found.count; i++)
    assert_string_not_equal(found.places[i].name, wanted[0]);
  assert_false(tm__sockets_of("/proc", 4194305, &found));
}

static pthread_barrier_t ready, done;

static void *idle(void *unused)
{
  (void)pthread_setname_np(pthread_self(), "tidemark");
  (void)pthread_barrier_wait(&ready);
  (void)pthread_barrier_wait(&done);
  return unused;
}

static void the_monitors_thread(void **state)
{
  pthread_t thread;
  (void)state;
  assert_false(tm__has_monitor_thread("/proc", getpid()));
  (void)pthread_barrier_init(&ready, NULL, 2);
  (void)pthread_barrier_init(&done, NULL, 2);
  assert_int_equal(pthread_create(&thread, NULL, idle, NULL), 0);
  (void)pthread_barrier_wait(&ready);
  assert_true(tm__has_monitor_thread("/proc", getpid()));
  (void)pthread_barrier_wait(&done);
  (void)pthread_join(thread, NULL);
  assert_false(tm__has_monitor_thread("/proc", 4194305));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_of_tcp),
      cmocka_unit_test(lines_of_unix),
      cmocka_unit_test(our_own),
      cmocka_unit_test(the_monitors_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
