/* Memory pressure on the monitor's loop: a FIFO stands for the service manager. */
#include "monitor/client.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/assert.h"
#include "monitor/inner.h"
#include "support/tree.h"

static char fifo[512];
static tm_heap *heap;
static int trims;

static int trim(void *ctx, const tm_event *event)
{
  (void)ctx, (void)event;
  trims++;
  return TM_HOOK_DONE;
}

static int start(void **state)
{
  trims = 0;
  if (tree_make(state) || tm_heap_new(&heap, NULL) || tm_hook_add(heap, TM_TRIM, trim, NULL, NULL))
    return -1;
  tree_path("fifo", fifo, sizeof fifo);
  unsetenv("MEMORY_PRESSURE_WRITE");
  return mkfifo(fifo, 0600) || setenv("MEMORY_PRESSURE_WATCH", fifo, 1);
}

static int finish(void **state)
{
  return tm_heap_close(heap) || tree_remove(state);
}

#define heap_test(f) cmocka_unit_test_setup_teardown(f, start, finish)

static served *served_with(tm_heap *deliver_heap, tm_heap *pressure_heap)
{
  served *s = malloc(sizeof *s);
  served_init(s);
  s->options.address = NULL;
  s->options.sample_period_ms = 3600000;
  s->options.deliver_heap = deliver_heap;
  s->options.pressure_heap = pressure_heap;
  served_start(s);
  turn(s);
  return s;
}

static void tell(void)
{
  int fd = open(fifo, O_WRONLY | O_NONBLOCK);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, "!", 1), 1);
  close(fd);
}

static void turn_until(served *s, bool (*condition)(served *s))
{
  uint64_t end = wait_end();
  while (!condition(s)) {
    turn(s);
    if (uv_hrtime() > end)
      fail_msg("it does not come true");
  }
}

static bool has_trimmed(served *s)
{
  (void)s;
  return trims > 0;
}

static bool has_come(served *s)
{
  return s->monitor.inner->cost.pressure_events > 0;
}

static void an_event_is_acted_on_by_the_loop(void **state)
{
  (void)state;
  served *s = served_with(heap, NULL);
  for (int i = 0; i < 5; i++)
    turn(s);
  assert_int_equal(trims, 0);
  tell();
  turn_until(s, has_trimmed);
  assert_int_equal(s->monitor.inner->cost.pressure_events, 1);
  served_delete(s);
}

static void another_heap_may_be_named(void **state)
{
  (void)state;
  served *s = served_with(NULL, heap);
  tell();
  turn_until(s, has_come);
  assert_int_equal(trims, 0); /* nobody delivers: the host polls */
  assert_true(tm_pending(heap));
  assert_true(tm_poll(heap) >= 1);
  assert_int_equal(trims, 1);
  served_delete(s);
}

static void without_a_heap_or_the_variable_nothing_is_watched(void **state)
{
  (void)state;
  served *s = served_with(NULL, NULL);
  assert_null(s->monitor.inner->watch);
  served_delete(s);
  unsetenv("MEMORY_PRESSURE_WATCH");
  s = served_with(heap, NULL);
  assert_null(s->monitor.inner->watch);
  served_delete(s);
  setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 1);
  s = served_with(heap, NULL);
  assert_null(s->monitor.inner->watch);
  served_delete(s);
}

static void it_starts_again(void **state)
{
  (void)state;
  int before = count_open_fds();
  served *s = served_with(heap, NULL);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(tm_monitor_stop(&s->monitor), 0);
    assert_int_equal(tm_monitor_start(&s->monitor, &s->options), UV_EBUSY);
    turn(s);
    turn(s);
    assert_null(s->monitor.inner->watch);
    served_start(s);
    assert_non_null(s->monitor.inner->watch);
  }
  tell();
  turn_until(s, has_trimmed);
  served_delete(s);
  assert_int_equal(count_open_fds(), before);
}

static bool is_dropped(served *s)
{
  return s->monitor.inner->watch == NULL;
}

/* What was said on standard error while body ran. */
static const char *said(void (*body)(void))
{
  static char text[1024];
  char name[512];
  tree_path("said", name, sizeof name);
  int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), saved = dup(STDERR_FILENO);
  dup2(file, STDERR_FILENO);
  body();
  dup2(saved, STDERR_FILENO);
  close(saved);
  ssize_t n = pread(file, text, sizeof text - 1, 0);
  close(file);
  text[n > 0 ? n : 0] = 0;
  return text;
}

/* A FIFO that is read only and was replaced: its end cannot be repaired. */
static void break_it(void)
{
  served *s = served_with(heap, NULL);
  int fd = tm_pressure_fd(s->monitor.inner->watch);
  int writer = open(fifo, O_WRONLY | O_NONBLOCK), reader = open(fifo, O_RDONLY | O_NONBLOCK);
  dup3(reader, fd, O_CLOEXEC);
  close(reader);
  unlink(fifo);
  /* libuv waits for the old file; a fresh start waits for the new one */
  (void)uv_poll_stop(&s->monitor.inner->pressure);
  (void)uv_poll_start(&s->monitor.inner->pressure, UV_READABLE, s->monitor.inner->pressure.poll_cb);
  close(writer);
  turn_until(s, is_dropped);
  for (int i = 0; i < 10; i++)
    turn(s);
  served_delete(s);
}

static void a_broken_source_is_said_once_and_dropped(void **state)
{
  (void)state;
  const char *text = said(break_it);
  assert_non_null(strstr(text, "tidemark: memory pressure is not watched any more: "));
  assert_int_equal(strchr(text, '\n') - text, strlen(text) - 1);
}

static void name_nothing(void)
{
  setenv("MEMORY_PRESSURE_WATCH", "relative", 1);
  served *s = served_with(heap, NULL);
  assert_null(s->monitor.inner->watch);
  served_delete(s);
}

static void a_bad_variable_is_said_once(void **state)
{
  (void)state;
  const char *text = said(name_nothing);
  assert_non_null(strstr(text, "MEMORY_PRESSURE_WATCH is not an absolute path"));
  assert_int_equal(strchr(text, '\n') - text, strlen(text) - 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      heap_test(an_event_is_acted_on_by_the_loop),
      heap_test(another_heap_may_be_named),
      heap_test(without_a_heap_or_the_variable_nothing_is_watched),
      heap_test(it_starts_again),
      heap_test(a_broken_source_is_said_once_and_dropped),
      heap_test(a_bad_variable_is_said_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
