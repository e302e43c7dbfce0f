/* Every limit of a connection, on real sockets: time, bytes, number, and clients that misbehave. */
#include "monitor/client.h"

#include "base/os.h"
#include "monitor/inner.h"
#include "stats/process.h"

static served *s;

/* Deadlines short enough to wait for. */
static int start(void **state)
{
  (void)state;
  s = malloc(sizeof *s);
  served_init(s);
  s->options.header_deadline_ms = 150;
  s->options.request_deadline_ms = 300;
  s->options.write_deadline_ms = 200;
  served_start(s);
  return 0;
}

/* The deadlines that users get. */
static int start_patient(void **state)
{
  (void)state;
  s = served_new();
  return 0;
}

static int stop(void **state)
{
  (void)state;
  served_delete(s);
  return 0;
}

static uint64_t since_ms(uint64_t start_ns)
{
  return (uv_hrtime() - start_ns) / 1000000;
}

static void turn_for_ms(uint64_t ms)
{
  for (uint64_t begin = uv_hrtime(); since_ms(begin) < ms;) {
    struct pollfd nothing = {.fd = -1};
    turn(s);
    (void)poll(&nothing, 1, 1);
  }
}

/* Turns until n connections are in use. */
static void turn_until_open(int n)
{
  uint64_t end = wait_end();
  while (s->monitor.inner->in_use != n) {
    turn(s);
    if (uv_hrtime() > end)
      fail_msg("%d connections are open, not %d", s->monitor.inner->in_use, n);
  }
}

static uint64_t timeouts(void)
{
  return s->monitor.inner->cost.timeouts;
}

/* ---- Time ----------------------------------------------------------------------------------- */

static void silent_client_is_closed(void **state)
{
  (void)state;
  uint64_t begin = uv_hrtime();
  const answer *a = hear(s, connect_client(s));
  assert_int_equal(a->length, 0);
  assert_true(since_ms(begin) >= 140);
  assert_int_equal(timeouts(), 1);
}

/* A byte now and then does not move the deadline. */
static void slow_headers_are_cut_off(void **state)
{
  (void)state;
  char first;
  uint64_t begin = uv_hrtime();
  int fd = connect_client(s);
  say(fd, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
  while (recv(fd, &first, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && since_ms(begin) < 5000) {
    (void)send(fd, "y", 1, MSG_NOSIGNAL);
    turn_for_ms(5);
  }
  assert_true(since_ms(begin) >= 140 && since_ms(begin) < 4000);
  assert_int_equal(hear(s, fd)->status, 408);
  assert_int_equal(timeouts(), 1);
}

/* A client that is answered and goes on sending is closed at the request's deadline. */
static void endless_sender_is_cut_off(void **state)
{
  (void)state;
  uint64_t begin = uv_hrtime();
  int fd = connect_client(s);
  say(fd, "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000000\r\n\r\n");
  ssize_t n;
  do {
    n = send(fd, "body body body", 14, MSG_NOSIGNAL | MSG_DONTWAIT);
    turn_for_ms(2);
  } while ((n > 0 || errno == EAGAIN) && since_ms(begin) < 3000);
  assert_true(n < 0 && (errno == EPIPE || errno == ECONNRESET));
  assert_true(since_ms(begin) >= 290 && since_ms(begin) < 2000);
  close(fd);
}

/* Fills a heap's rows so that /stats.json is larger than what sockets buffer. */
static tm_heap *heap_with_pools(const char *name)
{
  tm_heap_config config;
  tm_pool_config pool_config;
  tm_heap *heap;
  tm_pool *pool;
  tm_heap_config_init(&config);
  config.name = name;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  tm_pool_config_init(&pool_config);
  for (int i = 0; i < 200; i++)
    assert_int_equal(tm_pool_new(heap, &pool_config, &pool), 0);
  return heap;
}

static int connect_small(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), little = 1024;
  address.sin_port = htons((uint16_t)tm_monitor_port(&s->monitor));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static void say_get(int fd, const char *path)
{
  char text[256];
  snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", path,
           tm_monitor_port(&s->monitor));
  say(fd, text);
}

enum { HEAPS = 40 };
static tm_heap *heaps[HEAPS];

static int start_large(void **state)
{
  for (size_t i = 0; i < HEAPS; i++)
    heaps[i] = heap_with_pools("large");
  return start(state);
}

static int start_large_patient(void **state)
{
  for (size_t i = 0; i < HEAPS; i++)
    heaps[i] = heap_with_pools("large");
  return start_patient(state);
}

static int stop_large(void **state)
{
  int result = stop(state);
  for (size_t i = 0; i < HEAPS; i++)
    tm_heap_close(heaps[i]);
  return result;
}

static void client_that_never_reads_is_reset(void **state)
{
  (void)state;
  uint64_t begin = uv_hrtime();
  int fd = connect_small();
  say_get(fd, "/stats.json");
  turn_until_open(1);
  uint64_t end = wait_end();
  while (timeouts() == 0 && uv_hrtime() < end)
    turn_for_ms(5);
  assert_int_equal(timeouts(), 1);
  assert_true(since_ms(begin) >= 190);
  turn_until_open(0);
  assert_int_equal(s->monitor.inner->big_answers, 0);
  char byte;
  while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
    ;
  assert_int_equal(errno, ECONNRESET);
  close(fd);
  assert_int_equal(get(s, "/healthz")->status, 200);
}

/* It does not keep the loop turning either: no handle, no request is left that holds it. */
static void stuck_client_does_not_hold_the_loop(void **state)
{
  (void)state;
  int fd = connect_small();
  say_get(fd, "/stats.json");
  turn_until_open(1);
  for (int i = 0; i < 10; i++)
    turn(s);
  uv_unref((uv_handle_t *)&s->keeper);
  assert_int_equal(uv_loop_alive(&s->loop), 0);
  assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
  uv_ref((uv_handle_t *)&s->keeper);
  assert_int_equal(s->monitor.inner->in_use, 1);
  /* and the kernel was not given more than the queue may hold */
  assert_true(s->monitor.inner->connections[0].sent <= 2 * TM__QUEUED_BYTES);
  close(fd);
}

/* A client that has closed its sending side and does not read must not make us spin: a loop that
 * waits for 100 ms goes round a few times. */
static void half_closed_client_costs_nothing(void **state)
{
  int rounds = 0;
  (void)state;
  int fd = connect_small();
  say_get(fd, "/stats.json");
  shutdown(fd, SHUT_WR);
  turn_until_open(1);
  turn_for_ms(20);
  assert_int_equal(s->monitor.inner->connections[0].state, TM__WRITING);
  assert_int_equal(uv_timer_start(&s->keeper, on_keeper, 100, 0), 0);
  while (uv_is_active((uv_handle_t *)&s->keeper)) {
    uv_run(&s->loop, UV_RUN_ONCE);
    rounds++;
  }
  assert_true(rounds < 50);
  close(fd);
}

static void large_answers_arrive_whole(void **state)
{
  static char *copy;
  (void)state;
  int fd = connect_client(s);
  size_t length = 0, capacity = 64 << 20;
  tm__process before, after;
  copy = malloc(capacity);
  tm__process_read(&before);
  say_get(fd, "/stats.json");
  uint64_t end = wait_end();
  ssize_t n = 1;
  while (n != 0 && uv_hrtime() < end) {
    turn(s);
    n = recv(fd, copy + length, capacity - 1 - length, MSG_DONTWAIT);
    length += n > 0 ? (size_t)n : 0;
  }
  close(fd);
  copy[length] = 0;
  char *body = strstr(copy, "\r\n\r\n") + 4;
  if (length <= 1u << 20)
    fail_msg("%zu bytes: %.200s", length, copy);
  assert_int_equal(atoi(strstr(copy, "Content-Length: ") + 16), length - (size_t)(body - copy));
  assert_string_equal(copy + length - 3, "}}\n");
  turn_until_open(0);
  assert_int_equal(s->monitor.inner->big_answers, 0);
  tm__process_read(&after);
  assert_true(after.virtual_bytes < before.virtual_bytes + (1 << 20)); /* its mapping is gone */
  free(copy);
}

/* Only so many large answers at a time; the others are told to come again. */
static void large_answers_are_counted(void **state)
{
  int fds[TM__BIG_ANSWERS];
  (void)state;
  for (int i = 0; i < TM__BIG_ANSWERS; i++) {
    fds[i] = connect_small();
    say_get(fds[i], "/stats.json");
  }
  uint64_t end = wait_end();
  while (s->monitor.inner->big_answers < TM__BIG_ANSWERS && uv_hrtime() < end)
    turn(s);
  const answer *a = get(s, "/stats.json");
  assert_int_equal(a->status, 503);
  assert_non_null(header_of(a, "Retry-After"));
  assert_int_equal(get(s, "/healthz")->status, 200);
  for (int i = 0; i < TM__BIG_ANSWERS; i++)
    close(fds[i]);
  turn_until_open(0);
  assert_int_equal(s->monitor.inner->big_answers, 0);
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

static const answer *ask_with(size_t target, size_t value, size_t headers)
{
  static char path[8192], more[32 * 1024];
  memset(path, 'a', target);
  path[0] = '/';
  path[target] = 0;
  more[0] = 0;
  char *at = more;
  if (value) {
    at += strlen(strcpy(at, "V: "));
    memset(at, 'v', value);
    at += value;
    strcpy(at, "\r\n");
    at += 2;
  }
  for (size_t i = 0; i < headers; i++)
    at += strlen(strcpy(at, "H: x\r\n"));
  return ask(s, "GET", path, more);
}

static void long_requests_are_refused(void **state)
{
  (void)state;
  assert_int_equal(ask_with(100, 0, 0)->status, 404);
  assert_int_equal(ask_with(3000, 0, 0)->status, 414);
  assert_int_equal(ask_with(100, 7000, 0)->status, 404);
  assert_int_equal(ask_with(100, 9000, 0)->status, 431);
  assert_int_equal(ask_with(100, 0, 60)->status, 404);
  assert_int_equal(ask_with(100, 0, 70)->status, 431);
}

static void broken_off_requests(void **state)
{
  (void)state;
  int fd = connect_client(s);
  say(fd, "GET / HTTP/1.1\r\nHost");
  shutdown(fd, SHUT_WR);
  assert_int_equal(hear(s, fd)->status, 400);
  fd = connect_client(s);
  shutdown(fd, SHUT_WR);
  assert_int_equal(hear(s, fd)->length, 0);
  fd = connect_client(s);
  say_get(fd, "/healthz");
  shutdown(fd, SHUT_WR);
  assert_int_equal(hear(s, fd)->status, 200);
}

/* Clients that vanish at every moment. */
static void vanishing_clients(void **state)
{
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  (void)state;
  for (int i = 0; i < 60; i++) {
    int fd = connect_client(s);
    if (i % 3 > 0)
      say(fd, "GET / HTTP/1.1\r\n");
    if (i % 3 > 1)
      say_get(fd, "/");
    if (i % 2)
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (i % 5 == 0)
      turn(s);
    close(fd);
  }
  turn_until_open(0);
  assert_int_equal(get(s, "/healthz")->status, 200);
}

/* ---- Number --------------------------------------------------------------------------------- */

/* 200 clients at once: 64 are served, the others are told so, and nobody waits. */
static void crowd(void **state)
{
  enum { CLIENTS = 200 };
  static int fds[CLIENTS];
  int served_now = 0, refused = 0;
  (void)state;
  for (int i = 0; i < CLIENTS; i++) {
    fds[i] = connect_client(s);
    turn(s);
  }
  for (int i = TM__SERVED; i < CLIENTS; i++) {
    const answer *a = hear(s, fds[i]);
    refused += a->status == 503;
  }
  for (int i = 0; i < TM__SERVED; i++) {
    say_get(fds[i], "/healthz");
    served_now += hear(s, fds[i])->status == 200;
  }
  assert_int_equal(served_now, TM__SERVED);
  assert_int_equal(refused, CLIENTS - TM__SERVED);
  turn_until_open(0);
  assert_int_equal(get(s, "/healthz")->status, 200);
}

static void full_house_has_room_again(void **state)
{
  int fds[TM__SERVED];
  (void)state;
  for (int i = 0; i < TM__SERVED; i++)
    fds[i] = connect_client(s);
  turn_until_open(TM__SERVED);
  assert_int_equal(get(s, "/healthz")->status, 503);
  close(fds[7]);
  turn_until_open(TM__SERVED - 1);
  assert_int_equal(get(s, "/healthz")->status, 200);
  for (int i = 0; i < TM__SERVED; i++)
    if (i != 7)
      close(fds[i]);
}

/* Every connection has had a long answer once: its memory went back, but for the first pages. */
static void long_answers_leave_little_memory(void **state)
{
  enum { FEW = 6 };
  static int fds[TM__SERVED];
  const tm__monitor *m = s->monitor.inner;
  (void)state;
  for (size_t i = 0; i < FEW; i++)
    heaps[i] = heap_with_pools("long");
  for (int i = 0; i < TM__SERVED; i++)
    fds[i] = connect_client(s);
  turn_until_open(TM__SERVED);
  for (int i = 0; i < TM__SERVED; i++)
    say_get(fds[i], "/stats.json");
  for (int i = 0; i < TM__SERVED; i++) {
    const answer *a = hear(s, fds[i]);
    assert_int_equal(a->status, 200);
    assert_true(a->length > 128 * 1024 && a->length < TM__ANSWER_BYTES);
  }
  turn_until_open(0);
  assert_true(tm__os_resident(m, m->mapped_bytes) < 3 << 20);
  for (size_t i = 0; i < FEW; i++)
    tm_heap_close(heaps[i]);
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define LARGE(test) cmocka_unit_test_setup_teardown(test, start_large, stop_large)
#define LARGE_PATIENT(test) cmocka_unit_test_setup_teardown(test, start_large_patient, stop_large)
#define PATIENT(test) cmocka_unit_test_setup_teardown(test, start_patient, stop)
  const struct CMUnitTest tests[] = {
      SERVED(silent_client_is_closed),
      SERVED(slow_headers_are_cut_off),
      SERVED(endless_sender_is_cut_off),
      LARGE(client_that_never_reads_is_reset),
      LARGE_PATIENT(stuck_client_does_not_hold_the_loop),
      LARGE_PATIENT(half_closed_client_costs_nothing),
      LARGE_PATIENT(large_answers_arrive_whole),
      LARGE_PATIENT(large_answers_are_counted),
      SERVED(long_requests_are_refused),
      SERVED(broken_off_requests),
      SERVED(vanishing_clients),
      PATIENT(long_answers_leave_little_memory),
      PATIENT(crowd),
      PATIENT(full_house_has_room_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
