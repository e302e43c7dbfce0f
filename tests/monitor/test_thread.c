/* The monitor on a thread of its own: for a process without a loop, over forks and to its end. */
#include "monitor/client.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

/* Children of ours start threads, which ThreadSanitizer refuses unless it is asked not to. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
  return "die_after_fork=0";
}

/* A blocking client: the monitor has its own thread. */
static int status_from(int port, const char *path)
{
  char text[512];
  size_t length = 0;
  ssize_t n;
  int fd = connect_to(port);
  snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", path, port);
  say(fd, text);
  while ((n = recv(fd, text, sizeof text - 1, 0)) > 0 || (n < 0 && errno == EINTR))
    if (length == 0 && n > 12)
      length = (size_t)atoi(text + 9);
  close(fd);
  return (int)length;
}

static size_t open_fds(void)
{
  size_t count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder))
    count++;
  closedir(folder);
  return count;
}

static void starts_serves_stops(void **state)
{
  (void)state;
  tm_monitor_thread_stop(); /* nothing runs: nothing happens */
  assert_int_equal(tm_monitor_thread_port(), 0);
  assert_int_equal(tm_monitor_thread_start(-1), 0);
  int port = tm_monitor_thread_port();
  assert_true(port > 0);
  assert_int_equal(tm_monitor_thread_start(-1), UV_EALREADY);
  assert_int_equal(status_from(port, "/healthz"), 200);
  assert_int_equal(status_from(port, "/metrics"), 200);
  tm_monitor_thread_stop();
  assert_int_equal(tm_monitor_thread_port(), 0);
  /* the port is free again */
  char address[64];
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  int fd = tm_monitor_listen(address, NULL, 0);
  assert_true(fd >= 0);
  /* and is handed over, as a launcher does */
  assert_int_equal(tm_monitor_thread_start(fd), 0);
  assert_int_equal(tm_monitor_thread_port(), port);
  assert_int_equal(status_from(port, "/"), 200);
  tm_monitor_thread_stop();
  assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void failed_start_leaves_nothing(void **state)
{
  tm_monitor_options options;
  (void)state;
  size_t before = open_fds();
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  assert_true(tm_monitor_thread_start(fd) < 0);
  assert_true(fcntl(fd, F_GETFD) >= 0);
  close(fd);
  tm_monitor_options_init(&options);
  options.address = "nowhere";
  assert_int_equal(tm_monitor_thread_start_with(&options), UV_EINVAL);
  assert_int_equal(tm_monitor_thread_port(), 0);
  assert_true(open_fds() <= before + 3); /* libuv keeps a pipe for signals */
}

static void many_starts(void **state)
{
  (void)state;
  assert_int_equal(tm_monitor_thread_start(-1), 0);
  tm_monitor_thread_stop();
  size_t before = open_fds();
  for (int i = 0; i < 100; i++) {
    assert_int_equal(tm_monitor_thread_start(-1), 0);
    int idle = connect_to(tm_monitor_thread_port());
    if (i % 10 == 0)
      assert_int_equal(status_from(tm_monitor_thread_port(), "/healthz"), 200);
    tm_monitor_thread_stop();
    close(idle);
  }
  assert_int_equal(open_fds(), before);
}

static atomic_int caught, caught_by_other;
static pthread_t main_thread;

static void on_signal(int number)
{
  (void)number;
  atomic_fetch_add(&caught, 1);
  if (!pthread_equal(pthread_self(), main_thread))
    atomic_fetch_add(&caught_by_other, 1);
}

/* Signals to the process reach the program's threads, not ours. */
static void signals_are_the_programs(void **state)
{
  struct sigaction action = {.sa_handler = on_signal}, before;
  sigset_t usr1;
  (void)state;
  main_thread = pthread_self();
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  assert_int_equal(tm_monitor_thread_start(-1), 0);
  assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
  pthread_sigmask(SIG_BLOCK, &usr1, NULL); /* now only a thread of ours could take it */
  kill(getpid(), SIGUSR1);
  assert_int_equal(status_from(tm_monitor_thread_port(), "/healthz"), 200);
  assert_int_equal(atomic_load(&caught), 0);
  pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
  assert_int_equal(atomic_load(&caught), 1);
  tm_monitor_thread_stop();
  assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
  assert_int_equal(atomic_load(&caught_by_other), 0);
}

static int wait_for(pid_t child)
{
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The child has neither the thread nor a socket of it, and may start its own. */
static void forked_child_is_free(void **state)
{
  (void)state;
  assert_int_equal(tm_monitor_thread_start(-1), 0);
  int port = tm_monitor_thread_port();
  int held = connect_to(port);
  assert_int_equal(status_from(port, "/healthz"), 200); /* held is accepted by now */
  int pipes[2];
  assert_int_equal(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    close(pipes[1]);
    close(held);
    if (tm_monitor_thread_port() != 0)
      _exit(1);
    tm_monitor_thread_stop(); /* nothing to stop, nothing to wait for */
    if (tm_monitor_thread_start(-1) != 0)
      _exit(2);
    int own = tm_monitor_thread_port();
    if (own <= 0 || own == port || status_from(own, "/healthz") != 200)
      _exit(3);
    tm_monitor_thread_stop();
    (void)!read(pipes[0], &byte, 1); /* lives until the parent has looked */
    _exit(0);
  }
  close(pipes[0]);
  assert_int_equal(status_from(port, "/healthz"), 200);
  tm_monitor_thread_stop();
  /* the child lives, and yet the connection ended and the port is free */
  char byte;
  struct pollfd ready = {.fd = held, .events = POLLIN};
  assert_int_equal(poll(&ready, 1, 5000), 1);
  assert_true(recv(held, &byte, 1, 0) <= 0);
  close(held);
  char address[64];
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  int fd = tm_monitor_listen(address, NULL, 0);
  assert_true(fd >= 0);
  close(fd);
  close(pipes[1]);
  assert_int_equal(wait_for(child), 0);
}

/* Forks while clients come and go, and while the monitor starts and stops: no child hangs. */
static atomic_bool done;

static void *knock(void *unused)
{
  while (!atomic_load(&done)) {
    int port = tm_monitor_thread_port();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)connect(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
  }
  return unused;
}

static void forks_in_motion(void **state)
{
  pthread_t thread;
  (void)state;
  atomic_store(&done, false);
  assert_int_equal(tm_monitor_thread_start(-1), 0);
  assert_int_equal(pthread_create(&thread, NULL, knock, NULL), 0);
  for (int i = 0; i < 100; i++) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      tm_monitor_thread_stop();
      _exit(tm_monitor_thread_port());
    }
    assert_int_equal(wait_for(child), 0);
    if (i % 10 == 0) {
      tm_monitor_thread_stop();
      assert_int_equal(tm_monitor_thread_start(-1), 0);
    }
  }
  atomic_store(&done, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  tm_monitor_thread_stop();
}

/* A process that ends while the monitor runs ends in peace. */
static void exit_while_it_runs(void **state)
{
  (void)state;
  for (int i = 0; i < 10; i++) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      if (tm_monitor_thread_start(-1) != 0)
        _exit(1);
      int idle = connect_to(tm_monitor_thread_port());
      if (i % 2 && status_from(tm_monitor_thread_port(), "/metrics") != 200)
        _exit(2);
      (void)idle;
      exit(0);
    }
    assert_int_equal(wait_for(child), 0);
  }
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
  signal(SIGPIPE, SIG_DFL); /* a client that is gone must not kill us */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(starts_serves_stops),  cmocka_unit_test(failed_start_leaves_nothing),
      cmocka_unit_test(many_starts),          cmocka_unit_test(signals_are_the_programs),
      cmocka_unit_test(forked_child_is_free), cmocka_unit_test(forks_in_motion),
      cmocka_unit_test(exit_while_it_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
