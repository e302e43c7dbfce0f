/* What top shows, from answers that the test makes up. */
#include "support/check.h"
#include "view/frame.h"

static tm__screen s;
static tm__source source;
static tm__look before, now;
static char all[1 << 16];

static json_t *parse(const char *text)
{
  json_error_t error;
  json_t *value = json_loads(text, 0, &error);
  if (!value)
    fail_msg("%s", error.text);
  return value;
}

static const char *draw(int width)
{
  tm__screen_clear(&s, width, false, false);
  tm__frame_draw(&s, &source, &before, &now);
  all[0] = 0;
  for (int i = 0; i < s.count; i++) {
    assert_true(s.rows[i].columns <= width);
    strcat(strcat(all, s.rows[i].bytes), "\n");
  }
  return all;
}

static void has(const char *text, const char *part)
{
  if (!strstr(text, part))
    fail_msg("'%s' is not in\n%s", part, text);
}

#define STATS(allocated)                                                                           \
  "{\"heaps\":[{\"name\":\"vm\",\"footprint_bytes\":94371840,\"live_bytes\":94371840,"             \
  "\"live_blocks\":1234,\"soft_limit_bytes\":104857600,\"trip_bytes\":99614720,"                   \
  "\"committed_bytes\":125829120,\"free_bytes\":31457280,\"failures_total\":{\"limit\":2,"         \
  "\"os\":1},\"pools\":[{\"name\":\"obj\",\"live_bytes\":94371840,\"live_blocks\":1234,"           \
  "\"allocated_bytes_total\":" #allocated ",\"freed_bytes_total\":0,\"allocs_total\":10},"         \
  "{\"name\":\"unused\",\"allocs_total\":0}],\"tags\":[{\"name\":\"gpu\","                         \
  "\"informed_bytes\":-5,\"informed_peak_bytes\":1024}],"                                          \
  "\"actions\":{\"full\":{\"runs_total\":7,\"reclaimed_bytes_total\":1048576,"                     \
  "\"duration_ns_total\":5000000,\"duration_max_ns\":2000000,\"suppressed_total\":"                \
  "{\"cap\":3,\"cooldown\":1}},\"minor\":{\"runs_total\":0}}}],"                                   \
  "\"process\":{\"pid\":42,\"resident_bytes\":134217728,\"start_time_ns\":1000000000}}"

static int take(void **state)
{
  (void)state;
  tm__place_tcp("127.0.0.1", 9464, &source.place);
  source.local = true;
  now = (tm__look){parse(STATS(20971520)), parse("{\"findings\":[]}"), parse("[]"), 10000000000,
                   61000000000};
  return 0;
}

static int drop(void **state)
{
  (void)state;
  tm__look_drop(&before);
  tm__look_drop(&now);
  return 0;
}

static void the_books(void **state)
{
  (void)state;
  const char *text = draw(80);
  has(text, "tidemark top  process 42  up 60.0 s  resident 128 MiB");
  has(text, "http://127.0.0.1:9464/\n");
  has(text, "\nvm  footprint 90.0 MiB  blocks 1,234  failed requests 3\n");
  has(text, "####.... 90 % of soft 100 MiB\n");
  has(text, "\n  trip 95.0 MiB  soft 100 MiB\n");
  has(text, "\n  committed 120 MiB  live 90.0 MiB  free 30.0 MiB\n");
  has(text, "\nfull                  7   1.00 MiB    5.00 ms    2.00 ms          4\n");
  has(text, "\ngpu             below 0   1.00 KiB\n");
  assert_null(strstr(text, "unused"));
  assert_null(strstr(text, "minor"));
}

static void rates_are_those_between_the_looks(void **state)
{
  (void)state;
  has(draw(80), "341 KiB/s"); /* 20 MiB in the minute since the start */
  before = (tm__look){parse(STATS(10485760)), NULL, NULL, 9500000000, 60500000000};
  has(draw(80), "20.0 MiB/s");
}

static void limits_choose_the_meter(void **state)
{
  (void)state;
  json_t *heap = json_array_get(json_object_get(now.stats, "heaps"), 0);
  json_object_del(heap, "soft_limit_bytes");
  has(draw(80), " 95 % of trip 95.0 MiB\n");
  json_object_set_new(heap, "hard_limit_bytes", json_integer(188743680));
  has(draw(80), " 50 % of hard 180 MiB\n");
  json_object_set_new(heap, "pending_since", json_integer(1));
  has(draw(80), "an action is due");
}

static void findings_and_decisions(void **state)
{
  (void)state;
  json_decref(now.doctor);
  json_decref(now.log);
  now.doctor = parse("{\"findings\":[{\"id\":\"near-limit\",\"level\":\"alarm\",\"heap\":\"vm\","
                     "\"what\":\"It is full.\",\"do\":\"Free.\"}]}");
  now.log = parse("[{\"verdict\":\"fired\",\"kind\":\"full\",\"time_ns\":8000000000},"
                  "{\"verdict\":\"cap\",\"kind\":\"minor\",\"time_ns\":9000000000},"
                  "{\"verdict\":\"deferred\",\"time_ns\":9500000000}]");
  const char *text = draw(80);
  has(text, "\nalarm: near-limit (vm)\n  It is full.\n");
  has(text, "LATEST DECISIONS\n     1.00 s ago  minor ");
  has(text, "\n     2.00 s ago  full ");
  assert_null(strstr(text, "deferred"));
  source.local = false; /* its clock is another one */
  has(draw(80), "\n          -      full ");
}

static void any_width(void **state)
{
  (void)state;
  for (int width = 20; width < 200; width++)
    (void)draw(width);
}

#define LOOK(name) cmocka_unit_test_setup_teardown(name, take, drop)

int main(void)
{
  const struct CMUnitTest tests[] = {
      LOOK(the_books),
      LOOK(rates_are_those_between_the_looks),
      LOOK(limits_choose_the_meter),
      LOOK(findings_and_decisions),
      LOOK(any_width),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
