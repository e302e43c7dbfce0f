/* test_report.c - the report's text, from facts made up for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hosts/malloc/report.h"

/* A run in which much happened. */
static tm__facts busy_run(void)
{
  tm__facts f;
  memset(&f, 0, sizeof f);
  (void)strcpy(f.command, "python3 app.py");
  f.pid = 4242;
  f.elapsed_ns = 1420000000;
  f.peak_rss_bytes = 96u << 20;
  f.stats.footprint_peak_bytes = 73u << 20;
  f.stats.soft_limit_bytes = 64u << 20;
  f.stats.live_bytes = 2u << 20;
  f.stats.live_blocks = 12345;
  f.stats.allocated_bytes_total = 3u << 29;
  f.stats.allocs_total = 2345678;
  f.stats.reallocs_total = 34567;
  f.stats.committed_bytes = 12u << 20;
  f.stats.free_bytes = 2u << 20;
  f.stats.waste_bytes = 1u << 20;
  f.stats.dirty_bytes = 6u << 20;
  f.stats.meta_bytes = 1u << 20;
  f.stats.os_acquired_bytes_total = 512u << 20;
  f.stats.os_released_bytes_total = 374u << 20;
  f.stats.trip_bytes = 64u << 20;
  f.actions[TM_COLLECT].runs_total = 2;
  f.actions[TM_COLLECT].reclaimed_bytes_total = 310u << 20;
  f.actions[TM_COLLECT].duration_ns_total = 142000000;
  f.actions[TM_COLLECT].duration_max_ns = 100000000;
  f.actions[TM_COLLECT].suppressed_total[TM_SUPPRESSED_COOLDOWN] = 12;
  f.actions[TM_COLLECT_MINOR].suppressed_total[TM_SUPPRESSED_COOLDOWN] = 1;
  f.actions[TM_COLLECT_MINOR].suppressed_total[TM_SUPPRESSED_CAP] = 1;
  f.pool_count = 1;
  (void)strcpy(f.pools[0].name, "c");
  f.pools[0].live_bytes = 2u << 20;
  f.pools[0].live_blocks = 12345;
  f.pools[0].allocated_bytes_total = 3u << 29;
  f.pools[0].allocs_total = 2345678;
  return f;
}

static const char *text_of(const tm__facts *facts)
{
  static char text[8192];
  assert_true(tm__facts_text(facts, text, sizeof text) < sizeof text);
  return text;
}

#define assert_says(facts, words)                                                                  \
  do {                                                                                             \
    if (!strstr(text_of(facts), words))                                                            \
      fail_msg("the report does not say \"%s\":\n%s", words, text_of(facts));                      \
  } while (0)
#define assert_silent(facts, words) assert_null(strstr(text_of(facts), words))

static void a_busy_run_line_by_line(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  assert_string_equal(
      text_of(&f),
      "tidemark: python3 app.py (process 4242) ran for 1.42 s\n"
      "\n"
      "  peak footprint          73.0 MiB   soft limit 64.0 MiB, no hard limit, policy growth\n"
      "  live at exit            2.00 MiB   in 12,345 blocks\n"
      "  allocated in all        1.50 GiB   in 2,345,678 blocks, 34,567 resized\n"
      "  committed at exit       12.0 MiB   2.00 MiB live, 9.00 MiB free, 1.00 MiB books\n"
      "  given back               374 MiB   to the system, of the 512 MiB ever taken from it\n"
      "  peak RSS                96.0 MiB   of the whole process, as the kernel counted\n"
      "\n"
      "  what was done               runs       freed        time     longest\n"
      "  full collection                2     310 MiB      142 ms      100 ms\n"
      "  Together they took 9.9 % of the run.\n"
      "  Held back: 13 times so soon after the last run,\n"
      "             1 time for lack of time left under the cap.\n"
      "\n"
      "  where the bytes are      at exit      blocks   allocated      blocks\n"
      "  c (malloc)              2.00 MiB      12,345    1.50 GiB   2,345,678\n");
}

static void a_quiet_run_says_why_nothing_was_needed(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  memset(f.actions, 0, sizeof f.actions);
  f.stats.footprint_peak_bytes = 63u << 20;
  assert_says(&f, "No collection was needed: the footprint never crossed its trip of 64.0 MiB.\n");
  assert_silent(&f, "Held back");
  assert_silent(&f, "runs");
  f.stats.footprint_peak_bytes = 64u << 20;
  assert_says(&f, "crossed its trip of 64.0 MiB, but nothing in this\n  program acted on it.\n");
  f.actions[TM_COLLECT].suppressed_total[TM_SUPPRESSED_NO_HOOK] = 3;
  assert_says(&f, "the footprint called for one, but this program has no collector.\n");
  f.stats.trip_bytes = 0;
  assert_says(&f, "Nothing was collected: no limit and no policy was in force.\n");
}

static void what_was_only_held_back_is_said(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  f.actions[TM_COLLECT].runs_total = 0;
  assert_says(&f, "Held back: 13 times");
  assert_silent(&f, "No collection");
}

static void failures_are_counted_by_reason(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  assert_silent(&f, "failed");
  f.stats.hard_limit_bytes = 128u << 20;
  assert_says(&f, "soft limit 64.0 MiB, hard limit 128 MiB");
  f.stats.environment_soft_bytes = 96u << 20;
  f.stats.environment_hard_bytes = 128u << 20;
  assert_says(&f, "soft limit 64.0 MiB, hard limit 128 MiB (cgroup), policy growth\n");
  f.stats.environment_soft_bytes = 64u << 20;
  assert_says(&f, "soft limit 64.0 MiB (cgroup), hard limit 128 MiB (cgroup), policy growth\n");
  assert_says(&f, "No request failed.\n");
  f.stats.failures_total[TM_FAIL_LIMIT] = 7;
  f.stats.failures_total[TM_FAIL_OVERFLOW] = 1;
  assert_says(&f, "8 requests failed: 7 beyond the hard limit,\n    1 of a size that cannot be.\n");
  f.stats.failures_total[TM_FAIL_LIMIT] = 0;
  assert_says(&f, "1 request failed: 1 of a size that cannot be.\n");
}

static void mixed_families_and_external_bytes_are_said_when_there_are_any(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  assert_silent(&f, "family");
  assert_silent(&f, "outside");
  f.stats.family_mismatches_total = 2;
  f.stats.informed_bytes = 5 << 20;
  assert_says(&f, "2 blocks were freed or resized by another family than allocated it.\n");
  assert_says(&f, "in 12,345 blocks, with 5.00 MiB outside told of\n");
}

static void long_names_keep_the_columns(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  (void)strcpy(f.pools[0].name, "a_pool_of_a_very_long_name_ok_1");
  f.pools_left_out = 1;
  assert_says(&f, "  a_pool_of_a_very_lon    2.00 MiB      12,345    1.50 GiB   2,345,678\n"
                  "  and 1 smaller pool\n");
}

static void a_full_report_is_short_and_narrow(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  memset(&f.stats, 0x7f, sizeof f.stats);
  memset(f.actions, 0x7f, sizeof f.actions);
  for (size_t i = 0; i < TM_FAIL_COUNT; i++)
    f.stats.failures_total[i] = 1000000;
  f.pool_count = TM__FACTS_POOLS;
  for (size_t i = 1; i < TM__FACTS_POOLS; i++)
    f.pools[i] = f.pools[0];
  size_t lines = 0;
  for (const char *line = text_of(&f); *line; lines++) {
    size_t length = strcspn(line, "\n");
    if (length > 120)
      fail_msg("%zu bytes: %.*s", length, (int)length, line);
    line += length + 1;
  }
  assert_in_range(lines, 20, 40);
}

static void a_short_buffer_gets_a_cut_text_and_the_whole_length(void **state)
{
  (void)state;
  tm__facts f = busy_run();
  char text[64], whole[8192];
  size_t length = tm__facts_text(&f, whole, sizeof whole);
  memset(text, 'x', sizeof text);
  assert_int_equal(tm__facts_text(&f, text, 20), length);
  assert_memory_equal(text, whole, 19);
  assert_int_equal(text[19], 0);
  assert_int_equal(text[20], 'x');
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_busy_run_line_by_line),
      cmocka_unit_test(a_quiet_run_says_why_nothing_was_needed),
      cmocka_unit_test(what_was_only_held_back_is_said),
      cmocka_unit_test(failures_are_counted_by_reason),
      cmocka_unit_test(mixed_families_and_external_bytes_are_said_when_there_are_any),
      cmocka_unit_test(long_names_keep_the_columns),
      cmocka_unit_test(a_full_report_is_short_and_narrow),
      cmocka_unit_test(a_short_buffer_gets_a_cut_text_and_the_whole_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
