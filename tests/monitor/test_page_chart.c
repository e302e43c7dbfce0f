/* The drawing of a heap's last hour. */
#include "monitor/client.h"

#include "monitor/html_check.h"
#include "monitor/inner.h"
#include "monitor/page.h"

static tm__ring ring;
static char text[64 * 1024];

/* The drawing of `count` samples; footprint and limits are made by `fill`. */
static const char *drawn(uint64_t count, void (*fill)(tm_monitor_sample *, uint64_t))
{
  tm__emit e;
  memset(&ring, 0, sizeof ring);
  ring.heap = tm_heap_default();
  for (uint64_t i = 0; i < count; i++) {
    tm_monitor_sample *sample = &ring.samples[ring.count++ % TM_MONITOR_SAMPLES];
    memset(sample, 0, sizeof *sample);
    sample->sequence = ring.count;
    sample->time_ns = 1 + i * 1000000000u;
    fill(sample, i);
  }
  tm__emit_init(&e, text, sizeof text);
  tm__page_chart(&e, &ring);
  assert_true(tm__emit_end(&e) < sizeof text);
  assert_nested(text);
  return text;
}

static void flat(tm_monitor_sample *sample, uint64_t i)
{
  (void)i;
  sample->footprint_bytes = 1 << 20;
}

static void limited(tm_monitor_sample *sample, uint64_t i)
{
  flat(sample, i);
  sample->trip_bytes = 3 << 19;
  sample->soft_limit_bytes = 2 << 20;
  sample->hard_limit_bytes = (uint64_t)1 << 40; /* far above: it would press the rest flat */
}

static void empty(tm_monitor_sample *sample, uint64_t i)
{
  (void)sample, (void)i;
}

static void nothing_to_draw(void **state)
{
  (void)state;
  assert_string_equal(drawn(0, flat), "");
  assert_string_equal(drawn(1, flat), "");
  assert_string_equal(drawn(50, empty), "");
  assert_true(strlen(drawn(2, flat)) > 0);
}

static void says_what_it_shows(void **state)
{
  (void)state;
  assert_non_null(
      strstr(drawn(61, flat), "Footprint of the last 60.0 s: from 1.00 MiB to 1.00 MiB"));
  assert_null(strstr(text, "<line"));
  assert_null(strstr(text, "class=\"key"));
  drawn(61, limited);
  assert_non_null(strstr(text, "<line class=\"trip\""));
  assert_non_null(strstr(text, "<line class=\"soft\""));
  assert_null(strstr(text, "<line class=\"hard\""));
  assert_non_null(strstr(text, "<span class=\"key soft\">soft limit</span>"));
}

/* The last hour is the last hour, also when the ring has turned over. */
static void turned_over(void **state)
{
  (void)state;
  assert_non_null(strstr(drawn(2 * TM_MONITOR_SAMPLES, flat), "Footprint of the last 59 min 59 s"));
}

/* Coordinates stay inside the drawing for any samples. */
static void chart_stays_inside(void **state)
{
  (void)state;
  ring.heap = tm_heap_default();
  for (int shape = 0; shape < 4; shape++) {
    ring.count = 0;
    for (uint64_t i = 0; i < TM_MONITOR_SAMPLES; i++) {
      tm_monitor_sample *sample = &ring.samples[ring.count++];
      memset(sample, 0, sizeof *sample);
      sample->time_ns = shape == 1 ? 5 : 1 + i * (shape == 2 ? 1 : 1000000000u);
      sample->footprint_bytes = shape == 3 ? UINT64_MAX - i : i * i;
      sample->hard_limit_bytes = shape == 0 ? 4 * i : 0;
      sample->trip_bytes = UINT64_MAX / 2;
    }
    tm__emit e;
    tm__emit_init(&e, text, sizeof text);
    tm__page_chart(&e, &ring);
    assert_true(tm__emit_end(&e) < sizeof text);
    char *at = strstr(text, "points=\"");
    assert_non_null(at);
    at += strlen("points=\"");
    while (*at != '"') {
      unsigned long x = strtoul(at, &at, 10), y = strtoul(at + 1, &at, 10);
      assert_true(x <= 600 && y <= 120);
      at += *at == ' ';
    }
  }
}

int main(void)
{
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 1));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_to_draw),
      cmocka_unit_test(says_what_it_shows),
      cmocka_unit_test(turned_over),
      cmocka_unit_test(chart_stays_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
