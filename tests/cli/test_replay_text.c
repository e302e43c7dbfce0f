/* The table and the JSON of a replay that is made up. */
#include "cli/replay.h"

#include "support/check.h"

#define MIB ((uint64_t)1 << 20)
#define MS ((uint64_t)1000000)

static tm__tape tape;
static tm__world world;
static tm__replay replay;

static void fill(tm__replay_row *row, const char *name, uint64_t full, uint64_t busy_ms,
                 uint64_t peak_mib)
{
  memset(row, 0, sizeof *row);
  (void)snprintf(row->name, sizeof row->name, "%s", name);
  row->tally.runs[TM_COLLECT] = full;
  row->tally.busy_ns[TM_COLLECT] = busy_ms * MS;
  row->tally.peak_bytes = peak_mib * MIB;
  row->tally.elapsed_ns = 1000 * MS;
}

static int set_up(void **unused)
{
  (void)unused;
  memset(&tape, 0, sizeof tape);
  memset(&world, 0, sizeof world);
  tape.start.pid = 4242;
  tape.start.wall_seconds = 1790000000;
  tape.duration_ns = 1500 * MS;
  memcpy(tape.start.heap, "default", 8);
  replay = (tm__replay){.file = "run.trace", .tape = &tape, .world = &world};
  fill(&replay.recorded, "growth=100", 10, 100, 64);
  world.recorded = replay.recorded.tally;
  fill(&replay.rows[0], "growth=50", 20, 200, 48);
  fill(&replay.rows[1], "growth=100", 10, 100, 64);
  fill(&replay.rows[2], "fixed=1G", 12, 150, 80);
  replay.count = 3;
  tm__replay_mark_front(&replay);
  return 0;
}

static const char *table(void)
{
  static char text[8192];
  assert_true(tm__replay_table(&replay, text, sizeof text) < sizeof text);
  return text;
}

static void has(const char *text, const char *words)
{
  if (!strstr(text, words))
    fail_msg("no \"%s\" in\n%s", words, text);
}

static void a_table(void **unused)
{
  (void)unused;
  const char *text = table();
  has(text, "run.trace: heap default of process 4242, recorded 2026-09-21 14:13:20 UTC, 1.50 s\n");
  has(text, "  recorded growth=100             0       10        0      100 ms   10.0 %    "
            "64.0 MiB           -\n");
  has(text, "* growth=50                       0       20");
  has(text, "* growth=100");
  has(text, "  fixed=1G "); /* beaten by growth=100 in both */
  has(text, "* no other row collects for less time with a lower peak\n");
}

static void doubts_are_told(void **unused)
{
  (void)unused;
  tape.cut = true;
  world.cost[TM_COLLECT].assumed = true;
  replay.rows[0].tally.refused = 2;
  replay.rows[0].tally.refused_first_ns = 1200 * MS;
  const char *text = table();
  has(text, "The recording breaks off");
  has(text, "No full collection was recorded");
  has(text, "growth=50: the hard limit would have been reached 2 times, first after 1.20 s");
  world.recorded.runs[TM_COLLECT] = 0;
  has(table(), "No collection was recorded: what one would free, or cost, is not known.");
}

static void a_soft_limit_has_its_column(void **unused)
{
  (void)unused;
  replay.rows[0].soft_bytes = 32 * MIB;
  replay.rows[0].tally.above_soft_ns = 250 * MS;
  has(table(), "48.0 MiB      250 ms\n");
}

static void one_row_needs_no_front(void **unused)
{
  (void)unused;
  replay.count = 1;
  assert_null(strchr(table(), '*'));
}

static void equals_stand_on_the_front_together(void **unused)
{
  (void)unused;
  fill(&replay.rows[2], "twin", 1, 100, 64);
  tm__replay_mark_front(&replay);
  assert_true(replay.rows[1].front && replay.rows[2].front);
  fill(&replay.rows[2], "better", 1, 90, 64);
  tm__replay_mark_front(&replay);
  assert_true(replay.rows[2].front && !replay.rows[1].front);
}

static void json(void **unused)
{
  (void)unused;
  static char text[8192];
  replay.file = "a \"b\"";
  size_t length = tm__replay_json(&replay, text, sizeof text);
  assert_true(length < sizeof text);
  has(text, "{\"file\":\"a \\\"b\\\"\",\"heap\":\"default\",\"pid\":4242,");
  has(text, "\"recorded\":{\"policy\":\"growth=100\",");
  has(text, "\"replayed\":[{\"policy\":\"growth=50\",\"soft_limit_bytes\":0,");
  has(text, "\"collections\":20,\"drop_caches_runs\":0,\"minor_runs\":0,\"full_runs\":20,");
  has(text, "\"collector_seconds\":0.2,\"elapsed_seconds\":1,\"peak_bytes\":50331648,");
  has(text, "\"front\":false}]}\n");
  char small[16];
  assert_int_equal(tm__replay_json(&replay, small, sizeof small), length); /* the buffer rule */
  assert_int_equal(strlen(small), 15);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(a_table, set_up),
      cmocka_unit_test_setup(doubts_are_told, set_up),
      cmocka_unit_test_setup(a_soft_limit_has_its_column, set_up),
      cmocka_unit_test_setup(one_row_needs_no_front, set_up),
      cmocka_unit_test_setup(equals_stand_on_the_front_together, set_up),
      cmocka_unit_test_setup(json, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
