/* Every limit of a stream, on real sockets: number, time, bytes, and clients that misbehave. */
#include "monitor/stream_client.h"

#include "monitor/connection.h"
#include "monitor/inner.h"
#include "monitor/sampler.h"

static served *s;

static int start(void **state)
{
  (void)state;
  s = malloc(sizeof *s);
  served_init(s);
  s->options.sample_period_ms = 3600000;
  s->options.header_deadline_ms = 150;
  s->options.request_deadline_ms = 200;
  s->options.write_deadline_ms = 250;
  served_start(s);
  turn(s);
  return 0;
}

static int stop(void **state)
{
  (void)state;
  served_delete(s);
  return 0;
}

static void turn_until_open(int n)
{
  uint64_t end = wait_end();
  while (s->monitor.inner->in_use != n) {
    turn(s);
    if (uv_hrtime() > end)
      fail_msg("%d connections are open, not %d", s->monitor.inner->in_use, n);
  }
}

static void listen_for_ms(stream_client *client, uint64_t ms)
{
  for (uint64_t end = uv_hrtime() + ms * 1000000; uv_hrtime() < end;) {
    struct pollfd ready = {.fd = client->fd, .events = POLLIN};
    stream_listen(s, client);
    (void)poll(&ready, 1, 1);
  }
}

static int streams_taken(void)
{
  int count = 0;
  for (size_t i = 0; i < TM__STREAMS; i++)
    count += s->monitor.inner->streams[i].connection != NULL;
  return count;
}

static void four_at_a_time(void **state)
{
  stream_client *clients[TM__STREAMS];
  (void)state;
  for (int i = 0; i < TM__STREAMS; i++) {
    clients[i] = stream_open(s, "");
    stream_until(s, clients[i], "event: sample\n", 1);
  }
  const answer *a = get(s, "/events");
  assert_int_equal(a->status, 503);
  assert_non_null(header_of(a, "Retry-After"));
  assert_int_equal(get(s, "/healthz")->status, 200);
  assert_true(s->monitor.inner->in_use >= TM__STREAMS); /* they are connections like others */
  stream_close(clients[1]);
  turn_until_open(TM__STREAMS - 1);
  assert_int_equal(streams_taken(), TM__STREAMS - 1);
  clients[1] = stream_open(s, "");
  stream_until(s, clients[1], "event: sample\n", 1);
  stream_sample(s);
  for (int i = 0; i < TM__STREAMS; i++) {
    stream_until(s, clients[i], "event: sample\n", 2);
    stream_close(clients[i]);
  }
  turn_until_open(0);
}

/* Its time has no end, though the request's has. */
static void outlives_the_deadlines_of_requests(void **state)
{
  (void)state;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: sample\n", 1);
  listen_for_ms(client, 600);
  assert_false(client->ended);
  stream_sample(s);
  stream_until(s, client, "event: sample\n", 2);
  assert_int_equal(s->monitor.inner->cost.timeouts, 0);
  stream_close(client);
}

static void says_that_it_lives(void **state)
{
  (void)state;
  assert_int_equal(s->monitor.inner->comment_ms, 15000);
  s->monitor.inner->comment_ms = 60;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "\n: nothing new\n\n", 3);
  assert_int_equal(stream_count(client, "event: sample\n"), 1);
  assert_int_equal(stream_count(client, "event: books\n"), 1);
  stream_close(client);
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

/* A client with little room of its own, and more to be told than the kernel takes. */
static int stream_small(void)
{
  char request[128];
  for (int i = 0; i < TM_MONITOR_SAMPLES; i++)
    tm__sample_take(s->monitor.inner);
  int fd = connect_small();
  snprintf(request, sizeof request, "GET /events HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
           tm_monitor_port(&s->monitor));
  say(fd, request);
  return fd;
}

static const tm__connection *the_connection(void)
{
  const tm__connection *c = s->monitor.inner->streams[0].connection;
  assert_non_null(c);
  return c;
}

static void client_that_never_reads_is_dropped(void **state)
{
  (void)state;
  uint64_t begin = uv_hrtime();
  int fd = stream_small();
  while (s->monitor.inner->cost.timeouts == 0 && uv_hrtime() < begin + 20000000000u)
    turn(s);
  assert_int_equal(s->monitor.inner->cost.timeouts, 1);
  assert_true(uv_hrtime() - begin >= 240000000);
  turn_until_open(0);
  assert_int_equal(streams_taken(), 0);
  /* what was queued for it: the kernel's part and one piece of ours */
  assert_true(s->monitor.inner->cost.sent_bytes < 2 * TM__QUEUED_BYTES + TM__ANSWER_BYTES);
  close(fd);
}

/* A byte now and then does not move the deadline of the piece. */
static void client_that_reads_bytewise_is_dropped(void **state)
{
  (void)state;
  uint64_t begin = uv_hrtime();
  int fd = stream_small();
  while (s->monitor.inner->cost.timeouts == 0 && uv_hrtime() < begin + 20000000000u) {
    char byte;
    turn(s);
    (void)poll(NULL, 0, 1); /* at most a thousand bytes a second, whatever the machine */
    (void)recv(fd, &byte, 1, MSG_DONTWAIT);
  }
  assert_int_equal(s->monitor.inner->cost.timeouts, 1);
  close(fd);
}

/* Nor does it make us spin: a loop that waits for 100 ms goes round a few times. */
static void stuck_client_costs_nothing(void **state)
{
  int rounds = 0;
  (void)state;
  s->monitor.inner->options.write_deadline_ms = 60000;
  int fd = stream_small();
  uint64_t sent = 1, end = wait_end();
  while (sent != s->monitor.inner->cost.sent_bytes || sent == 0) {
    sent = s->monitor.inner->cost.sent_bytes;
    for (int i = 0; i < 300; i++)
      turn(s);
    assert_true(uv_hrtime() < end);
  }
  assert_true(the_connection()->stream->more);
  assert_int_equal(uv_timer_start(&s->keeper, on_keeper, 100, 0), 0);
  while (uv_is_active((uv_handle_t *)&s->keeper)) {
    uv_run(&s->loop, UV_RUN_ONCE);
    rounds++;
  }
  assert_true(rounds < 50);
  uint64_t piece = the_connection()->body_length;
  for (int i = 0; i < 100; i++) /* and its queue does not grow */
    stream_sample(s);
  assert_int_equal(the_connection()->body_length, piece);
  close(fd);
}

/* The loop ends while somebody listens. */
static void does_not_hold_the_loop(void **state)
{
  (void)state;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: books\n", 1);
  uv_unref((uv_handle_t *)&s->keeper);
  assert_int_equal(uv_loop_alive(&s->loop), 0);
  assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
  uv_ref((uv_handle_t *)&s->keeper);
  stream_close(client);
}

static void flood_ends_it(void **state)
{
  (void)state;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: books\n", 1);
  say(client->fd, "a little more is let pass");
  listen_for_ms(client, 20);
  assert_false(client->ended);
  char bytes[4096];
  memset(bytes, 'x', sizeof bytes);
  for (int i = 0; i < 200 && !client->ended; i++) {
    (void)send(client->fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    stream_listen(s, client);
  }
  stream_until_end(s, client);
  turn_until_open(0);
  assert_int_equal(streams_taken(), 0);
  stream_close(client);
}

static void clients_that_vanish(void **state)
{
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  (void)state;
  for (int i = 0; i < 40; i++) {
    stream_client *client = stream_open(s, "");
    if (i % 3)
      stream_until(s, client, "event: hello\n", 1);
    if (i % 2)
      setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    stream_close(client);
    if (i % 5 == 0)
      stream_sample(s);
    turn_until_open(0);
  }
  assert_int_equal(streams_taken(), 0);
  assert_int_equal(get(s, "/healthz")->status, 200);
}

static void stop_ends_it(void **state)
{
  (void)state;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: books\n", 1);
  int port = tm_monitor_port(&s->monitor);
  tm_monitor_stop(&s->monitor);
  assert_int_equal(streams_taken(), 0);
  stream_until_end(s, client);
  stream_close(client);
  char address[64];
  snprintf(address, sizeof address, "127.0.0.1:%d", port); /* the same one: a page comes back */
  s->options.address = address;
  turn(s);
  served_start(s);
  client = stream_open(s, "");
  stream_until(s, client, "event: books\n", 1);
  stream_close(client);
}

static void head_has_an_end(void **state)
{
  (void)state;
  const answer *a = ask(s, "HEAD", "/events", "");
  assert_int_equal(a->status, 200);
  assert_int_equal(a->body_length, 0);
  assert_null(header_of(a, "Content-Length"));
  assert_int_equal(streams_taken(), 0);
  assert_int_equal(ask(s, "POST", "/events", "")->status, 405);
  assert_int_equal(ask(s, "GET", "/events", "Origin: http://evil.example\r\n")->status, 403);
  assert_int_equal(streams_taken(), 0);
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
  const struct CMUnitTest tests[] = {
      SERVED(four_at_a_time),
      SERVED(outlives_the_deadlines_of_requests),
      SERVED(says_that_it_lives),
      SERVED(client_that_never_reads_is_dropped),
      SERVED(client_that_reads_bytewise_is_dropped),
      SERVED(stuck_client_costs_nothing),
      SERVED(does_not_hold_the_loop),
      SERVED(flood_ends_it),
      SERVED(clients_that_vanish),
      SERVED(stop_ends_it),
      SERVED(head_has_an_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
