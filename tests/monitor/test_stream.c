/* What a client of /events is told, and what it gets after a break. */
#include "monitor/stream_client.h"

#include "monitor/connection.h"
#include "monitor/inner.h"
#include "monitor/sampler.h"
#include "stats/json_check.h"
#include "support/clock.h"

static served *s;

/* The test takes the samples itself. */
static int start(void **state)
{
  (void)state;
  s = malloc(sizeof *s);
  served_init(s);
  s->options.sample_period_ms = 3600000;
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

/* Every "data: " is one line of JSON, and every event ends with an empty line. */
static void assert_events_sound(const stream_client *client)
{
  for (const char *at = client->text; (at = strstr(at, "\ndata: ")); at++) {
    const char *json = at + strlen("\ndata: "), *end = strchr(json, '\n');
    assert_true(end && end[1] == '\n');
    char *copy = strndup(json, (size_t)(end - json));
    if (!json_is_sound(copy))
      fail_msg("no JSON: %s", copy);
    free(copy);
  }
}

static void says_who_it_is_and_what_it_sees(void **state)
{
  tm_heap *heap = tm_heap_default();
  (void)state;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: books\n", 1);
  assert_ptr_equal(strstr(client->text, "HTTP/1.1 200 OK\r\n"), client->text);
  assert_non_null(strstr(client->text, "\r\nContent-Type: text/event-stream; charset=utf-8\r\n"));
  assert_non_null(strstr(client->text, "\r\nCache-Control: no-store\r\n"));
  assert_null(strstr(client->text, "Content-Length"));
  assert_non_null(strstr(client->text, "\r\n\r\nretry: 1000\n\nevent: hello\n"));
  assert_int_equal(stream_member(client, "hello", "pid"), getpid());
  assert_int_equal(stream_member(client, "hello", "sample_period_ms"), 3600000);
  uint64_t now_ns = uv_hrtime(), said_ns = stream_member(client, "hello", "time_ns");
  assert_true(said_ns <= now_ns && said_ns + 60000000000u > now_ns);
  assert_true(stream_member(client, "hello", "unix_ms") / 1000 + 60 > (uint64_t)time(NULL));
  void *block = tm_malloc(heap, TM_OBJ, 777777);
  stream_sample(s);
  stream_until(s, client, "event: books\n", 2);
  tm_stats stats;
  tm_stats_init(&stats);
  assert_int_equal(tm_stats_read(heap, &stats), 0);
#define SAME(name) assert_int_equal(stream_member(client, "sample", #name), stats.name);
  TM__SAMPLE_LEVELS(SAME)
  TM__SAMPLE_TOTALS(SAME)
  assert_int_equal(stream_member(client, "books", "live_bytes"), stats.live_bytes);
  assert_non_null(strstr(strstr(client->text, "event: books"), "\"process\":{\"pid\":"));
  assert_events_sound(client);
  tm_free(heap, TM_OBJ, block);
  stream_close(client);
}

/* Rates are of the time between two samples. */
static void rates(void **state)
{
  tm_monitor_sample before = {0}, now = {0};
  uint64_t cursor = 0;
  (void)state;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: sample\n", 1);
  assert_null(strstr(client->text, "allocated_bytes_per_s")); /* there was none before */
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1000000));
  stream_sample(s);
  stream_until(s, client, "event: sample\n", 2);
  while (tm_monitor_sample_read(&s->monitor, 0, &cursor, &now) == 1 && now.sequence < 2)
    before = now;
  double seconds = (double)(now.time_ns - before.time_ns) / 1e9;
  double expected = (double)(now.allocated_bytes_total - before.allocated_bytes_total) / seconds;
  double told = (double)stream_member(client, "sample", "allocated_bytes_per_s");
  assert_true(expected >= 1000000 && told > expected * 0.999 - 1 && told < expected * 1.001 + 1);
  assert_int_equal(stream_member(client, "sample", "action_ns_per_s"), 0);
  stream_close(client);
}

static void resumed(stream_client *client, uint64_t id)
{
  char more[64];
  uint64_t end = wait_end();
  snprintf(more, sizeof more, "Last-Event-ID: %llu \r\n", (unsigned long long)id);
  stream_client *again = stream_open(s, more);
  stream_until(s, again, "event: books\n", 1);
  /* what comes after the event of that id is the same text, but for nothing before it */
  char line[64];
  snprintf(line, sizeof line, "id: %llu\n", (unsigned long long)id);
  const char *known = strstr(client->text, line);
  assert_non_null(known);
  assert_null(strstr(again->text, line));
  for (known = strstr(known + 1, "\nid: "); known; known = strstr(known + 1, "\nid: ")) {
    snprintf(line, sizeof line, "%.*s\n", (int)strcspn(known + 1, "\n"), known + 1);
    assert_non_null(strstr(again->text, line));
    assert_true(uv_hrtime() < end);
  }
  stream_close(again);
}

static uint64_t id_number(const stream_client *client, int number)
{
  const char *at = client->text;
  for (int i = 0; i <= number && at; i++)
    at = strstr(at + 1, "\nid: ");
  assert_non_null(at);
  return strtoull(at + 5, NULL, 10);
}

static void goes_on_after_the_last_event_that_was_heard(void **state)
{
  (void)state;
  stream_client *client = stream_open(s, "");
  for (int i = 1; i <= 10; i++) {
    stream_until(s, client, "\nevent: sample\n", i);
    stream_sample(s);
  }
  stream_until(s, client, "\nevent: sample\n", 11);
  resumed(client, id_number(client, 0));
  resumed(client, id_number(client, 4));
  resumed(client, id_number(client, 9));
  stream_close(client);
}

/* An id that means nothing here: all that is kept comes. */
static void strange_ids_start_from_the_beginning(void **state)
{
  static const char *const ids[] = {
      "", "x", "12x", "-1", "99999999999999999999999999999999999", "18446744073709551615", "1 2"};
  (void)state;
  stream_sample(s);
  stream_sample(s);
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    char more[128];
    snprintf(more, sizeof more, "Last-Event-ID: %s\r\n", ids[i]);
    stream_client *client = stream_open(s, more);
    stream_until(s, client, "event: books\n", 1);
    assert_int_equal(stream_count(client, "\nevent: sample\n"), 3);
    stream_close(client);
  }
}

/* An hour at once, in pieces of bounded size, each sample once and in order. */
static void the_whole_ring_comes_in_pieces(void **state)
{
  tm__monitor *m = s->monitor.inner;
  uint64_t last = 0;
  size_t longest = 0;
  (void)state;
  for (int i = 0; i < TM_MONITOR_SAMPLES + 50; i++)
    tm__sample_take(m);
  stream_client *client = stream_open(s, "");
  uint64_t end = wait_end();
  while (stream_count(client, "event: books\n") == 0 && uv_hrtime() < end) {
    for (int i = 0; i < 20; i++) {
      stream_listen(s, client);
      for (size_t c = 0; c < TM__CONNECTIONS; c++)
        if (m->connections[c].stream && m->connections[c].body_length > longest)
          longest = m->connections[c].body_length;
    }
  }
  assert_int_equal(stream_count(client, "\nevent: sample\n"), TM_MONITOR_SAMPLES);
  for (int i = 0; i < 3; i++)
    assert_true(id_number(client, i) > last), last = id_number(client, i);
  assert_true(longest > 40000 && longest < 64 * 1024);
  assert_events_sound(client);
  stream_close(client);
}

/* ---- Decisions ------------------------------------------------------------------------------ */

static int collect(void *ctx, const tm_event *event)
{
  void **block = ctx;
  tm_free(event->heap, TM_OBJ, *block);
  *block = NULL;
  return TM_HOOK_DONE;
}

/* A heap with one collection in its log. */
static tm_heap *heap_that_collected(void)
{
  tm_heap *heap;
  tm_hook *hook;
  static void *block;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  block = tm_malloc(heap, TM_OBJ, 3 << 20);
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect, &block, &hook), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 2 << 20), 0);
  tm_poll(heap);
  assert_null(block);
  assert_int_equal(tm_hook_remove(hook), 0);
  return heap;
}

static void decisions_come_as_in_the_log(void **state)
{
  (void)state;
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: books\n", 1);
  int decisions = stream_count(client, "event: decision\n");
  assert_int_equal(stream_count(client, "event: action\n"), 0);
  tm_heap *heap = heap_that_collected();
  stream_sample(s);
  stream_until(s, client, "event: books\n", 2);
  assert_int_equal(stream_count(client, "event: action\n"), 1);
  assert_true(stream_count(client, "event: decision\n") >= decisions);
  assert_non_null(strstr(strstr(client->text, "event: action"), "\"verdict\":\"fired\""));
  uint64_t before = stream_member(client, "action", "footprint_before_bytes");
  assert_true(before - stream_member(client, "action", "footprint_after_bytes") >= 3 << 20);
  stream_sample(s);
  stream_until(s, client, "event: books\n", 3);
  assert_int_equal(stream_count(client, "event: action\n"), 1); /* once */
  assert_events_sound(client);
  stream_close(client);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* Those of the second before the last event that was heard come twice rather than not at all. */
static void decisions_after_a_break(void **state)
{
  test_clock clock;
  (void)state;
  test_clock_start(&clock);
  tm_heap *old = heap_that_collected(); /* at a time of the test's */
  uint64_t decided_ns = atomic_load(&clock.now_ns);
  test_clock_stop();
  static const struct {
    int64_t later_ns; /* than the decision */
    int actions;
  } cases[] = {{-1000000000, 1}, {0, 1}, {900000000, 1}, {2000000000, 0}};
  for (size_t i = 0; i < 4; i++) {
    stream_client *client = stream_open(s, "");
    stream_until(s, client, "event: books\n", 1);
    tm__stream *stream = &s->monitor.inner->streams[0];
    stream->decided_ns = (uint64_t)((int64_t)decided_ns + cases[i].later_ns);
    memset(stream->logs, 0, sizeof stream->logs);
    int before = stream_count(client, "event: action\n");
    stream_sample(s);
    stream_until(s, client, "event: books\n", 2);
    assert_int_equal(stream_count(client, "event: action\n") - before, cases[i].actions);
    stream_close(client);
    while (s->monitor.inner->streams[0].connection)
      turn(s);
  }
  assert_int_equal(tm_heap_close(old), 0);
}

/* A heap that is closed, and another one in its place, while a client listens. */
static void heaps_come_and_go(void **state)
{
  (void)state;
  stream_client *client = stream_open(s, "");
  for (int i = 1; i < 8; i++) {
    tm_heap *heap = heap_that_collected();
    stream_sample(s);
    stream_until(s, client, "event: books\n", i);
    assert_int_equal(stream_count(client, "event: action\n"), i); /* each has a log of its own */
    assert_int_equal(tm_heap_close(heap), 0);
    if (i % 2)
      tm__connections_stream(s->monitor.inner); /* the ring still has it */
  }
  stream_sample(s);
  stream_until(s, client, "event: books\n", 8);
  assert_true(stream_count(client, "\"index\":1,") >= 6);
  assert_events_sound(client);
  stream_close(client);
}

/* Books that are larger than a piece may be are left out; samples go on. */
static void long_books_are_left_out(void **state)
{
  enum { HEAPS = 12, POOLS = 200 };
  tm_heap *heaps[HEAPS];
  tm_pool_config config;
  tm_pool *pool;
  (void)state;
  tm_pool_config_init(&config);
  for (int i = 0; i < HEAPS; i++) {
    assert_int_equal(tm_heap_new(&heaps[i], NULL), 0);
    for (int p = 0; p < POOLS; p++)
      assert_int_equal(tm_pool_new(heaps[i], &config, &pool), 0);
  }
  stream_client *client = stream_open(s, "");
  stream_until(s, client, "event: sample\n", 1);
  for (int i = 2; i < 6; i++) {
    stream_sample(s);
    stream_until(s, client, "event: sample\n", i);
  }
  assert_int_equal(stream_count(client, "event: books\n"), 0);
  assert_events_sound(client);
  stream_close(client);
  for (int i = 0; i < HEAPS; i++)
    assert_int_equal(tm_heap_close(heaps[i]), 0);
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
  const struct CMUnitTest tests[] = {
      SERVED(says_who_it_is_and_what_it_sees),
      SERVED(rates),
      SERVED(goes_on_after_the_last_event_that_was_heard),
      SERVED(strange_ids_start_from_the_beginning),
      SERVED(the_whole_ring_comes_in_pieces),
      SERVED(decisions_come_as_in_the_log),
      SERVED(decisions_after_a_break),
      SERVED(heaps_come_and_go),
      SERVED(long_books_are_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
