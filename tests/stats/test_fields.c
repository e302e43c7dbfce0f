/* The table of fields: every field of the snapshot, once, at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tidemark/stats.h>

#include "stats/fields.h"

static void init_stamps_and_clears(void **state)
{
  tm_stats stats;
  (void)state;
  memset(&stats, 0xAA, sizeof stats);
  tm_stats_init(&stats);
  assert_int_equal(stats.size, sizeof stats);
  assert_int_equal(stats.version, 1);
  for (const tm__field *f = tm__fields; f->name; f++)
    assert_int_equal(tm__field_value(&stats, f->offset), 0);
}

static const tm__field *field_named(const char *name)
{
  for (const tm__field *f = tm__fields; f->name; f++)
    if (strcmp(f->name, name) == 0)
      return f;
  return NULL;
}

/* The fields follow each other without a gap from the version to the end of the struct. */
static void table_covers_the_snapshot(void **state)
{
  size_t at = offsetof(tm_stats, live_bytes);
  (void)state;
  for (const tm__field *f = tm__fields; f->name; f++) {
    assert_int_equal(f->offset, at);
    assert_ptr_equal(field_named(f->name), f); /* no name comes twice */
    assert_true(strlen(f->help) > 0);
    at += f->kind == TM__FIELD_REASONS ? 8 * TM_FAIL_COUNT : 8;
  }
  assert_int_equal(at, sizeof(tm_stats));
}

static void rows_say_what_fields_are(void **state)
{
  (void)state;
  assert_true(field_named("informed_bytes")->is_signed);
  assert_false(field_named("live_bytes")->is_signed);
  assert_true(field_named("live_bytes")->in_pools);
  assert_int_equal(field_named("live_bytes")->pool_offset, offsetof(tm_pool_row, live_bytes));
  assert_false(field_named("trip_bytes")->in_pools);
  assert_int_equal(field_named("trip_bytes")->kind, TM__FIELD_BOUND);
  assert_int_equal(field_named("failures_total")->kind, TM__FIELD_REASONS);
  assert_int_equal(field_named("footprint_peak_bytes")->kind, TM__FIELD_PEAK);
}

static void values_are_read_where_they_stand(void **state)
{
  tm_stats stats;
  (void)state;
  tm_stats_init(&stats);
  stats.informed_bytes = -5;
  stats.pages = 77;
  assert_int_equal((int64_t)tm__field_value(&stats, field_named("informed_bytes")->offset), -5);
  assert_int_equal(tm__field_value(&stats, field_named("pages")->offset), 77);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(init_stamps_and_clears),
      cmocka_unit_test(table_covers_the_snapshot),
      cmocka_unit_test(rows_say_what_fields_are),
      cmocka_unit_test(values_are_read_where_they_stand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
