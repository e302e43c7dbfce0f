/* What the log tells of an action and of what was held back; the rows that add it all up. */
#include "gc/fake_port.h"

static tm_action_row row_of(fake *f, tm_hook_kind kind)
{
  tm_action_row row;
  assert_int_equal(tm__engine_action_row(&f->engine, kind, &row), 1);
  return row;
}

/* R9: bytes and time are the engine's own measure; the record tells all. */
static void what_a_record_tells(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 3 * MIB, .takes_ns = 7 * MS, .answer = TM_HOOK_NOTHING};
  fake_hook_add(f, TM_COLLECT, &full);
  atomic_store(&f->committed, 9 * MIB);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  tm_record r = fake_record(f, TM_FIRED);
  assert_int_equal(r.time_ns, 1000 * SECOND);
  assert_string_equal(r.heap, "fake");
  assert_int_equal(r.reasons, TM_REASON_GROWTH);
  assert_int_equal(r.policy, TM_REASON_GROWTH);
  assert_int_equal(r.kind, TM_COLLECT);
  assert_int_equal(r.result, TM_HOOK_NOTHING); /* what it says, */
  assert_int_equal(r.footprint_before_bytes, 5 * MIB);
  assert_int_equal(r.footprint_after_bytes, 2 * MIB); /* and what it did */
  assert_int_equal(r.committed_before_bytes, 9 * MIB);
  assert_int_equal(r.committed_after_bytes, 9 * MIB);
  assert_int_equal(r.live_bytes, 0);
  assert_int_equal(r.allocated_bytes, 5 * MIB);
  assert_int_equal(r.trip_before_bytes, 4 * MIB);
  assert_int_equal(r.trip_after_bytes, 6 * MIB);
  assert_int_equal(r.duration_ns, 7 * MS);
  assert_int_equal(r.yield_bytes_per_ms, 3 * MIB / 7);
  assert_int_equal(r.bucket_fill_percent, 0);
  tm_action_row row = row_of(f, TM_COLLECT);
  assert_int_equal(row.runs_total, 1);
  assert_int_equal(row.results_total[TM_HOOK_NOTHING], 1);
  assert_int_equal(row.reclaimed_bytes_total, 3 * MIB);
  assert_int_equal(row.duration_ns_total, 7 * MS);
  assert_int_equal(row.duration_max_ns, 7 * MS);
  assert_int_equal(row.duration_histogram[3], 1);
  assert_int_equal(full.last.kind, TM_COLLECT);
  assert_int_equal(full.last.footprint_bytes, 5 * MIB);
  assert_int_equal(full.last.reasons, TM_REASON_GROWTH);
  assert_ptr_equal(full.last.heap, f);
}

static void durations_by_size(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t ns;
    size_t bucket;
  } table[] = {{0, 0},           {10000, 0},       {10001, 1},          {100000, 1},
               {1000000, 2},     {10000000, 3},    {100000000, 4},      {1000000000, 5},
               {10000000000, 6}, {10000000001, 7}, {UINT64_MAX / 64, 7}};
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    fake *f = fake_fresh();
    fake_hook full = {.frees = 5 * MIB, .takes_ns = table[i].ns};
    fake_hook_add(f, TM_COLLECT, &full);
    fake_allocate(f, 5 * MIB);
    assert_int_equal(tm__engine_poll(&f->engine), 1);
    for (size_t bucket = 0; bucket < 8; bucket++)
      assert_int_equal(row_of(f, TM_COLLECT).duration_histogram[bucket], bucket == table[i].bucket);
    assert_int_equal(tm_hook_remove(full.handle), 0);
  }
}

/* Running means and sums over several runs. */
static void rows_add_up(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 5 * MIB, .takes_ns = 2 * MS};
  fake_hook_add(f, TM_COLLECT, &full);
  for (unsigned i = 1; i <= 4; i++) {
    fake_allocate(f, 5 * MIB);
    assert_int_equal(tm__engine_poll(&f->engine), 1);
    atomic_fetch_add(&f->now_ns, SECOND);
    assert_int_equal(row_of(f, TM_COLLECT).runs_total, i);
    assert_int_equal(row_of(f, TM_COLLECT).duration_ns_total, i * 2 * MS);
    assert_int_equal(row_of(f, TM_COLLECT).duration_max_ns, 2 * MS);
    assert_int_equal(row_of(f, TM_COLLECT).reclaimed_bytes_total, i * 5 * MIB);
    assert_int_equal(fake_record(f, TM_FIRED).yield_bytes_per_ms, 5 * MIB / 2);
  }
}

/* What was held back: the numbers of that moment, and nothing of an action. */
static void what_was_held_back(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 5 * MIB, .takes_ns = 10 * MS};
  fake_hook_add(f, TM_COLLECT, &full);
  fake_allocate(f, 5 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  fake_allocate(f, 6 * MIB);
  assert_int_equal(tm__engine_poll(&f->engine), 0);
  tm_record r = fake_record(f, TM_SUPPRESSED_COOLDOWN);
  assert_int_equal(r.kind, TM_COLLECT);
  assert_int_equal(r.result, -1);
  assert_int_equal(r.reasons, TM_REASON_GROWTH);
  assert_int_equal(r.footprint_before_bytes, 6 * MIB);
  assert_int_equal(r.footprint_after_bytes, 6 * MIB);
  assert_int_equal(r.allocated_bytes, 6 * MIB);
  assert_int_equal(r.trip_before_bytes, 4 * MIB);
  assert_int_equal(r.trip_after_bytes, 4 * MIB);
  assert_int_equal(r.duration_ns, 0);
  assert_int_equal(r.bucket_fill_percent, 1); /* 10 ms of 1 s */
  assert_int_equal(r.yield_bytes_per_ms, 5 * MIB / 10);
  assert_int_equal(row_of(f, TM_COLLECT).suppressed_total[TM_SUPPRESSED_COOLDOWN], 1);
  assert_int_equal(row_of(f, TM_COLLECT).runs_total, 1);
}

static void long_and_missing_names(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  tm_inputs in = {.now_ns = 1};
  tm_record r;
  f->engine.port.name = "a name that is longer than what a record has room for";
  tm__record_fill(&f->engine, &in, &r);
  assert_string_equal(r.heap, "a name that is longer than what");
  f->engine.port.name = NULL;
  tm__record_fill(&f->engine, &in, &r);
  assert_string_equal(r.heap, "");
}

static void ten_a_second(void **unused)
{
  (void)unused;
  uint64_t last = 0;
  assert_true(tm__record_due(&last, 0)); /* the first, at whatever time */
  assert_false(tm__record_due(&last, 99 * MS));
  assert_true(tm__record_due(&last, 200 * MS));
  assert_false(tm__record_due(&last, 300 * MS - 1));
  assert_true(tm__record_due(&last, 300 * MS));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_record_tells),
      cmocka_unit_test(durations_by_size),
      cmocka_unit_test(rows_add_up),
      cmocka_unit_test(what_was_held_back),
      cmocka_unit_test(long_and_missing_names),
      cmocka_unit_test(ten_a_second),
  };
  if (TM_STRESS_TRIP) {
    print_message("SKIP: exact counts, because stress-trip acts at every crossing\n");
    return 0;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
