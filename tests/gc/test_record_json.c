/* A record as JSON: every field, every name, every capacity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tidemark/gc.h>

#include "base/hints.h"

static tm_record some_record(void)
{
  return (tm_record){.sequence = 7,
                     .lost = 2,
                     .time_ns = 123456789,
                     .heap = "default",
                     .verdict = TM_FIRED,
                     .reasons = TM_REASON_GROWTH | TM_REASON_SOFT,
                     .policy = TM_REASON_SOFT,
                     .kind = TM_COLLECT,
                     .result = TM_HOOK_DONE,
                     .pressure = TM_PRESSURE_LOW,
                     .footprint_before_bytes = 11,
                     .footprint_after_bytes = 12,
                     .committed_before_bytes = 13,
                     .committed_after_bytes = 14,
                     .environment = 1u << TM_HARD,
                     .live_bytes = 15,
                     .allocated_bytes = 16,
                     .trip_before_bytes = 17,
                     .trip_after_bytes = UINT64_MAX,
                     .soft_limit_bytes = 19,
                     .hard_limit_bytes = 20,
                     .duration_ns = 21,
                     .bucket_fill_percent = 22,
                     .yield_bytes_per_ms = 23,
                     .returned_bytes = 18446744073709551614u};
}

static const char some_text[] =
    "{\"sequence\":7,\"lost\":2,\"time_ns\":123456789,\"heap\":\"default\",\"verdict\":\"fired\","
    "\"reasons\":[\"growth\",\"soft\"],\"policy\":\"soft\",\"kind\":\"full\",\"result\":\"done\","
    "\"pressure\":\"low\",\"environment\":[\"hard\"],\"footprint_before_bytes\":11,\"footprint_"
    "after_bytes\":12,"
    "\"committed_before_bytes\":13,\"committed_after_bytes\":14,\"live_bytes\":15,"
    "\"allocated_bytes\":16,\"trip_before_bytes\":17,\"trip_after_bytes\":null,"
    "\"soft_limit_bytes\":19,\"hard_limit_bytes\":20,\"duration_ns\":21,"
    "\"bucket_fill_percent\":22,\"yield_bytes_per_ms\":23,"
    "\"returned_bytes\":18446744073709551614}";

static void every_capacity(void **unused)
{
  (void)unused;
  tm_record r = some_record();
  size_t whole = sizeof some_text - 1;
  for (size_t capacity = 0; capacity < whole + 16; capacity++) {
    char buffer[1024];
    memset(buffer, '~', sizeof buffer);
    assert_int_equal(tm_record_json(&r, capacity ? buffer : NULL, capacity), whole);
    size_t cut = capacity > whole ? whole : capacity ? capacity - 1 : 0;
    assert_memory_equal(buffer, some_text, cut);
    if (capacity)
      assert_int_equal(buffer[cut], 0);
    assert_int_equal(buffer[capacity], '~'); /* not one byte further */
  }
}

static void expect_part(const tm_record *r, const char *part)
{
  char buffer[1024];
  assert_true(tm_record_json(r, buffer, sizeof buffer) < sizeof buffer);
  if (!strstr(buffer, part))
    fail_msg("no %s in %s", part, buffer);
}

static void every_verdict(void **unused)
{
  (void)unused;
  static const char *const names[] = {"fired",     "cooldown",       "cap",           "floor",
                                      "reentrant", "ineffective",    "no_hook",       "yield",
                                      "deferred",  "failed_request", "limits_changed"};
  assert_int_equal(TM_ARRAY_LEN(names), TM_VERDICT_COUNT);
  for (int i = 0; i < TM_VERDICT_COUNT; i++) {
    tm_record r = some_record();
    char part[64] = "\"verdict\":\"";
    r.verdict = (tm_verdict)i;
    strcat(strcat(part, names[i]), "\"");
    expect_part(&r, part);
  }
}

static void nothing_is_null(void **unused)
{
  (void)unused;
  tm_record r = some_record();
  r.kind = r.result = -1;
  r.policy = 0;
  r.reasons = 0;
  expect_part(&r, "\"reasons\":[],\"policy\":null,\"kind\":null,\"result\":null");
  r.verdict = TM_VERDICT_COUNT; /* what no table has is no reason to read beyond it */
  r.kind = TM_HOOK_KIND_COUNT;
  r.result = 99;
  r.pressure = (tm_pressure)77;
  r.policy = 1u << 30;
  r.reasons = ~0u;
  expect_part(&r, "\"verdict\":null");
  expect_part(&r, "\"more\",\"fragmented\"],\"policy\":null,\"kind\":null,\"result\":null,"
                  "\"pressure\":null");
}

static void strange_heap_names(void **unused)
{
  (void)unused;
  tm_record r = some_record();
  memcpy(r.heap, "a\"b\\c\n\x01", 8);
  expect_part(&r, "\"heap\":\"a\\\"b\\\\c\\n\\u0001\"");
  memcpy(r.heap, "cut \xc3", 6); /* half a letter */
  expect_part(&r, "\"heap\":\"cut \xef\xbf\xbd\"");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_capacity),
      cmocka_unit_test(every_verdict),
      cmocka_unit_test(nothing_is_null),
      cmocka_unit_test(strange_heap_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
