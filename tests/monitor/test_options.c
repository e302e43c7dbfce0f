/* Options of a monitor: each default, each range, and what is copied. */
#include "monitor/client.h"

#include "monitor/inner.h"

static void defaults(void **state)
{
  tm_monitor_options o;
  (void)state;
  memset(&o, 0xAA, sizeof o);
  tm_monitor_options_init(&o);
  assert_int_equal(o.size, sizeof o);
  assert_string_equal(o.address, "127.0.0.1:0");
  assert_int_equal(o.listen_fd, -1);
  assert_null(o.allowed_hosts);
  assert_int_equal(o.sample_period_ms, 1000);
  assert_int_equal(o.header_deadline_ms, 5000);
  assert_int_equal(o.request_deadline_ms, 10000);
  assert_int_equal(o.write_deadline_ms, 10000);
  assert_int_equal(o.accept_retry_ms, 200);
  assert_null(o.deliver_heap);
  assert_null(o.pressure_heap);
}

static void options_are_checked(void **state)
{
  char long_hosts[600];
  (void)state;
  served *s = malloc(sizeof *s);
  served_init(s);
  memset(long_hosts, 'a', sizeof long_hosts - 1);
  long_hosts[sizeof long_hosts - 1] = 0;
#define REFUSED(change, sentence)                                                                  \
  do {                                                                                             \
    tm_monitor_options_init(&s->options);                                                          \
    change;                                                                                        \
    assert_int_equal(tm_monitor_start(&s->monitor, &s->options), UV_EINVAL);                       \
    assert_non_null(strstr(tm_monitor_error(&s->monitor), sentence));                              \
  } while (0)
  REFUSED(s->options.size = 0, "options");
  REFUSED(s->options.size = sizeof s->options + 1, "options");
  REFUSED(s->options.sample_period_ms = 9, "sample_period_ms");
  REFUSED(s->options.sample_period_ms = 3600001, "sample_period_ms");
  REFUSED(s->options.header_deadline_ms = 0, "deadlines");
  REFUSED(s->options.request_deadline_ms = 0, "deadlines");
  REFUSED(s->options.write_deadline_ms = UINT64_MAX, "deadlines");
  REFUSED(s->options.accept_retry_ms = 0, "accept_retry_ms");
  REFUSED(s->options.allowed_hosts = long_hosts, "allowed_hosts");
  REFUSED(s->options.allowed_hosts = "http://x", "allowed_hosts");
  REFUSED(s->options.address = "nowhere", "nowhere");
  /* an older header's shorter struct keeps the defaults for the rest */
  tm_monitor_options_init(&s->options);
  s->options.size = offsetof(tm_monitor_options, sample_period_ms);
  s->options.sample_period_ms = 0;
  served_start(s);
  assert_int_equal(s->monitor.inner->options.sample_period_ms, 1000);
  served_delete(s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),
      cmocka_unit_test(options_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
