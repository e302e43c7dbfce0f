/* A monitor's life: init, start, stop, close, in every order, and what it leaves behind. */
#include "monitor/client.h"

#include <dirent.h>
#include <malloc.h>
#include <sys/wait.h>

#include "base/os.h"
#include "monitor/connection.h"
#include "monitor/inner.h"
#include "monitor/sampler.h"

static size_t open_fds(void)
{
  size_t count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder))
    count++;
  closedir(folder);
  return count;
}

static size_t mappings(void)
{
  size_t lines = 0;
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps))
    lines++;
  fclose(maps);
  return lines;
}

static void wrong_calls(void **state)
{
  uv_loop_t loop;
  tm_monitor m = {0};
  (void)state;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(tm_monitor_init(NULL, &m), UV_EINVAL);
  assert_int_equal(tm_monitor_init(&loop, NULL), UV_EINVAL);
  assert_int_equal(tm_monitor_start(&m, NULL), UV_EINVAL); /* not initialised */
  assert_int_equal(tm_monitor_stop(&m), 0);
  assert_int_equal(tm_monitor_close(&m, NULL), UV_EINVAL);
  assert_int_equal(tm_monitor_port(&m), 0);
  assert_string_equal(tm_monitor_error(&m), "");
  tm_monitor_wake(&m);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void no_memory(void **state)
{
  uv_loop_t loop;
  tm_monitor m = {0};
  (void)state;
  assert_int_equal(uv_loop_init(&loop), 0);
  tm__os_fault(1, false);
  assert_int_equal(tm_monitor_init(&loop, &m), UV_ENOMEM);
  tm__os_fault(0, false);
  assert_int_equal(uv_loop_close(&loop), 0); /* nothing was left in it */
}

static void start_and_stop(void **state)
{
  (void)state;
  served *s = served_new();
  assert_int_equal(tm_monitor_start(&s->monitor, NULL), UV_EALREADY);
  assert_int_equal(tm_monitor_stop(&s->monitor), 0);
  assert_int_equal(tm_monitor_port(&s->monitor), 0);
  assert_int_equal(tm_monitor_stop(&s->monitor), 0);
  assert_int_equal(tm_monitor_start(&s->monitor, NULL), UV_EBUSY); /* the loop has not run */
  turn(s);
  assert_int_equal(tm_monitor_start(&s->monitor, NULL), 0);
  assert_int_equal(get(s, "/healthz")->status, 200);
  served_delete(s);
}

static void close_is_once(void **state)
{
  (void)state;
  served *s = served_new();
  int client = connect_client(s);
  turn(s);
  assert_int_equal(tm_monitor_close(&s->monitor, on_monitor_closed), 0);
  assert_int_equal(tm_monitor_close(&s->monitor, NULL), UV_EALREADY);
  assert_int_equal(tm_monitor_start(&s->monitor, NULL), UV_EINVAL);
  assert_int_equal(s->closed, 0); /* never from inside close */
  uv_close((uv_handle_t *)&s->keeper, NULL);
  uv_run(&s->loop, UV_RUN_DEFAULT);
  assert_int_equal(s->closed, 1);
  assert_null(s->monitor.inner);
  assert_int_equal(uv_loop_close(&s->loop), 0);
  char byte;
  assert_true(recv(client, &byte, 1, 0) <= 0); /* closed when close returned */
  close(client);
  free(s);
}

static void loop_ends_without_us(void **state)
{
  (void)state;
  served *s = served_new();
  int client = connect_client(s);
  turn(s);
  assert_int_equal(s->monitor.inner->in_use, 1);
  uv_unref((uv_handle_t *)&s->keeper);
  assert_int_equal(uv_loop_alive(&s->loop), 0);
  assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
  uv_ref((uv_handle_t *)&s->keeper);
  close(client);
  served_delete(s);
}

/* 1,000 times with clients in every state: no descriptor, mapping or handle is left. */
static void thousand_starts(void **state)
{
  (void)state;
  served *s = served_new();
  served_delete(s); /* whatever is made once is made now */
  size_t fds = open_fds(), maps = mappings();
  for (int i = 0; i < 500; i++) {
    s = served_new();
    int idle = connect_client(s), half = connect_client(s);
    say(half, "GET / HTTP/1.1\r\n");
    turn(s);
    if (i % 50 == 0)
      assert_int_equal(get(s, "/metrics")->status, 200);
    if (i % 2) { /* the second start of this round */
      tm_monitor_stop(&s->monitor);
      turn(s);
      served_start(s);
    } else {
      tm_monitor_stop(&s->monitor);
      turn(s);
      assert_int_equal(tm_monitor_start(&s->monitor, NULL), 0);
    }
    int late = connect_client(s);
    if (i % 3)
      turn(s);
    served_delete(s);
    close(idle);
    close(half);
    close(late);
  }
  assert_int_equal(open_fds(), fds);
  assert_true(mappings() <= maps + 2);
}

/* libuv's own requests of memory. */
static size_t uv_requests;

static void *counted_malloc(size_t n)
{
  uv_requests++;
  return malloc(n);
}

static void *counted_realloc(void *p, size_t n)
{
  uv_requests++;
  return realloc(p, n);
}

static void *counted_calloc(size_t count, size_t n)
{
  uv_requests++;
  return calloc(count, n);
}

/* A client of /events that leaves after two samples. */
static void listen_a_while(served *s)
{
  static char text[1 << 20];
  char request[128];
  size_t length = 0;
  int fd = connect_client(s);
  snprintf(request, sizeof request, "GET /events HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
           tm_monitor_port(&s->monitor));
  say(fd, request);
  for (int rounds = 0; rounds < 300 && length < sizeof text - 1; rounds++) {
    turn(s);
    ssize_t n = recv(fd, text + length, sizeof text - 1 - length, MSG_DONTWAIT);
    length += n > 0 ? (size_t)n : 0;
    if (rounds == 100) {
      tm__sample_take(s->monitor.inner);
      tm__connections_stream(s->monitor.inner);
    }
  }
  text[length] = 0;
  assert_non_null(strstr(text, "event: sample"));
  close(fd);
  for (uint64_t end = wait_end(); s->monitor.inner->in_use && uv_hrtime() < end;)
    turn(s);
}

/* Requests of all kinds take nothing from malloc, ours or libuv's. */
static void serving_allocates_nothing(void **state)
{
  static const char *const paths[] = {"/",           "/plain",    "/app.js",       "/metrics",
                                      "/stats.json", "/log.json", "/holders.json", "/healthz",
                                      "/nothing"};
  enum { PATHS = sizeof paths / sizeof paths[0] };
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  puts("SKIP: a sanitizer has its own malloc, which counts nothing");
  skip();
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  puts("SKIP: a sanitizer has its own malloc, which counts nothing");
  skip();
#endif
#endif
  served *s = served_new();
  for (int i = 0; i < PATHS; i++)
    get(s, paths[i]);
  listen_a_while(s);
  while (s->monitor.inner->in_use)
    turn(s);
  int fds[600]; /* libuv's array of watchers is as long as the highest number */
  for (int i = 0; i < 600; i++)
    fds[i] = dup(0);
  size_t before = mallinfo2().uordblks, uv_before = uv_requests;
  uint64_t footprint = tm_footprint(tm_heap_default());
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < PATHS; i++)
      get(s, paths[i]);
    listen_a_while(s);
  }
  assert_int_equal(mallinfo2().uordblks, before);
  assert_int_equal(uv_requests, uv_before);
  for (int i = 0; i < 600; i++)
    close(fds[i]);
  assert_int_equal(tm_footprint(tm_heap_default()), footprint);
  served_delete(s);
}

/* Many answers, small memory: what a long one took is given back. */
static void memory_stays_small(void **state)
{
  (void)state;
  served *s = served_new();
  const tm__monitor *m = s->monitor.inner;
  get(s, "/plain");
  size_t before = tm__os_resident(m, m->mapped_bytes);
  for (int i = 0; i < 300; i++)
    get(s, i % 2 ? "/metrics" : "/plain");
  assert_true(tm__os_resident(m, m->mapped_bytes) <= before + 64 * 1024);
  assert_true(before < 512 * 1024);
  served_delete(s);
}

static void forked_child_has_no_monitor(void **state)
{
  int status;
  (void)state;
  served *s = served_new();
  int port = tm_monitor_port(&s->monitor);
  pid_t child = fork();
  if (child == 0) {
    if (uv_loop_fork(&s->loop))
      _exit(2);
    int client = connect_to(port); /* both processes could take it */
    for (int i = 0; i < 50; i++)
      turn(s);
    close(client);
    _exit(s->monitor.inner->running ? 3 : 0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(get(s, "/healthz")->status, 200);
  served_delete(s);
}

int main(void)
{
  assert_int_equal(uv_replace_allocator(counted_malloc, counted_realloc, counted_calloc, free), 0);
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_calls),
      cmocka_unit_test(no_memory),
      cmocka_unit_test(start_and_stop),
      cmocka_unit_test(close_is_once),
      cmocka_unit_test(loop_ends_without_us),
      cmocka_unit_test(thousand_starts),
      cmocka_unit_test(serving_allocates_nothing),
      cmocka_unit_test(memory_stays_small),
      cmocka_unit_test(forked_child_has_no_monitor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
