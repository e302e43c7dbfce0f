/* test_spans.c - the set of slices against an array of booleans. */
#include "heap/spans.h"
#include "support/check.h"
#include "support/random.h"

/* The set, and what it should hold. */
typedef struct model {
  tm__spans spans;
  void *memory;
  bool *in;
  uint32_t slices;
} model;

static model model_new(uint32_t slices)
{
  model m = {.slices = slices};
  m.memory = calloc(1, tm__spans_bytes(slices));
  m.in = calloc(slices, sizeof *m.in);
  must(m.memory && m.in);
  tm__spans_init(&m.spans, m.memory, slices);
  return m;
}

static void model_drop(model *m)
{
  free(m->memory);
  free(m->in);
}

static uint32_t count_in(const model *m, uint32_t first, uint32_t length)
{
  uint32_t count = 0;
  for (uint32_t i = first; i < first + length; i++)
    count += m->in[i];
  return count;
}

static void set_run(model *m, uint32_t first, uint32_t length, bool value)
{
  for (uint32_t i = first; i < first + length; i++)
    m->in[i] = value;
}

/* ---- The answers, the slow way --------------------------------------------------------------- */

static int64_t slow_find(const model *m, uint32_t length)
{
  uint32_t run = 0;
  for (uint32_t i = 0; i < m->slices; i++) {
    run = m->in[i] ? run + 1 : 0;
    if (run == length)
      return (int64_t)i + 1 - length;
  }
  return TM_SPANS_NONE;
}

static uint32_t slow_before(const model *m, uint32_t end)
{
  uint32_t length = 0;
  while (length < end && m->in[end - 1 - length])
    length++;
  return length;
}

static uint32_t slow_last(const model *m, uint32_t end, uint32_t most, uint32_t *first)
{
  while (end > 0 && !m->in[end - 1])
    end--;
  uint32_t length = slow_before(m, end);
  length = length < most ? length : most;
  *first = end - length;
  return length;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static void compare(const model *m, test_random *r)
{
  uint32_t first = 0, have_first = 0;
  uint32_t at = (uint32_t)random_below(r, m->slices);
  uint32_t length = (uint32_t)random_below(r, m->slices - at + 1);
  uint32_t end = (uint32_t)random_below(r, m->slices + 1);
  uint32_t most = 1 + (uint32_t)random_below(r, m->slices);
  must_equal(m->spans.count, count_in(m, 0, m->slices));
  must_equal(tm__spans_count(&m->spans, at, length), count_in(m, at, length));
  must_equal(tm__spans_has(&m->spans, at, length), count_in(m, at, length) == length);
  must_equal(tm__spans_before(&m->spans, end), slow_before(m, end));
  uint32_t want = slow_last(m, end, most, &first);
  must_equal(tm__spans_last(&m->spans, end, most, &have_first), want);
  must(want == 0 || first == have_first);
  for (uint32_t find = 1; find <= m->slices; find = find * 3 / 2 + 1)
    must_equal(tm__spans_find(&m->spans, find), slow_find(m, find));
}

/* One change: a run that is wholly inside or outside, or any run cleared. */
static void change(model *m, test_random *r)
{
  uint32_t first = (uint32_t)random_below(r, m->slices);
  uint32_t most = m->slices - first;
  uint32_t length =
      1 + (uint32_t)random_below(r, random_below(r, 4) ? most < 100 ? most : 100 : most);
  uint32_t inside = count_in(m, first, length);
  if (inside == 0) {
    tm__spans_put(&m->spans, first, length);
    set_run(m, first, length, true);
  } else if (inside == length && random_below(r, 2)) {
    tm__spans_take(&m->spans, first, length);
    set_run(m, first, length, false);
  } else if (random_below(r, 8) == 0) {
    must_equal(tm__spans_clear(&m->spans, first, length), inside);
    set_run(m, first, length, false);
  }
}

static void run_model(uint32_t slices, int steps, int compare_every)
{
  test_random r = {slices};
  model m = model_new(slices);
  for (int i = 0; i < steps; i++) {
    change(&m, &r);
    if (i % compare_every == 0)
      compare(&m, &r);
  }
  model_drop(&m);
}

static void small_sets_agree_with_an_array(void **state)
{
  (void)state;
  static const uint32_t sizes[] = {1, 2, 63, 64, 65, 127, 128, 129, 1000};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++)
    run_model(sizes[i], 3000, 1);
}

/* Around the places where the tree gets one more level: 1,024 and 16,384 slices. */
static void large_sets_agree_with_an_array(void **state)
{
  (void)state;
  static const uint32_t sizes[] = {1023, 1024, 1025, 16384, 16385, 20000};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++)
    run_model(sizes[i], 3000, 30);
}

/* ---- Edges ----------------------------------------------------------------------------------- */

static void empty_and_full_sets(void **state)
{
  (void)state;
  uint32_t first;
  model m = model_new(5000);
  assert_int_equal(tm__spans_find(&m.spans, 1), TM_SPANS_NONE);
  assert_int_equal(tm__spans_find(&m.spans, 0), TM_SPANS_NONE);
  assert_int_equal(tm__spans_last(&m.spans, 5000, 9, &first), 0);
  assert_int_equal(tm__spans_before(&m.spans, 0), 0);
  tm__spans_put(&m.spans, 0, 5000);
  assert_int_equal(tm__spans_find(&m.spans, 5000), 0);
  assert_int_equal(tm__spans_find(&m.spans, 5001), TM_SPANS_NONE);
  assert_int_equal(tm__spans_before(&m.spans, 5000), 5000);
  assert_int_equal(tm__spans_last(&m.spans, 5000, 9, &first), 9);
  assert_int_equal(first, 4991);
  assert_true(tm__spans_has(&m.spans, 5000, 0));
  model_drop(&m);
}

/* The lowest run is found, whatever lies above: that is what lets the top empty by itself. */
static void the_lowest_run_is_found(void **state)
{
  (void)state;
  model m = model_new(200000);
  tm__spans_put(&m.spans, 150000, 400);
  tm__spans_put(&m.spans, 70000, 100);
  tm__spans_put(&m.spans, 63, 2); /* across two words */
  assert_int_equal(tm__spans_find(&m.spans, 1), 63);
  assert_int_equal(tm__spans_find(&m.spans, 2), 63);
  assert_int_equal(tm__spans_find(&m.spans, 3), 70000);
  assert_int_equal(tm__spans_find(&m.spans, 101), 150000);
  assert_int_equal(tm__spans_find(&m.spans, 401), TM_SPANS_NONE);
  model_drop(&m);
}

/* 256 GiB of slices: as many as the largest arena has. */
static void the_largest_arena_has_room(void **state)
{
  (void)state;
  uint32_t slices = 4u << 20, first;
  model m = model_new(slices);
  tm__spans_put(&m.spans, slices - 3, 3);
  assert_int_equal(tm__spans_find(&m.spans, 3), slices - 3);
  assert_int_equal(tm__spans_last(&m.spans, slices, 2, &first), 2);
  assert_int_equal(first, slices - 2);
  tm__spans_put(&m.spans, 0, slices - 3);
  assert_int_equal(tm__spans_find(&m.spans, slices), 0);
  assert_int_equal(m.spans.count, slices);
  model_drop(&m);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_sets_agree_with_an_array),
      cmocka_unit_test(large_sets_agree_with_an_array),
      cmocka_unit_test(empty_and_full_sets),
      cmocka_unit_test(the_lowest_run_is_found),
      cmocka_unit_test(the_largest_arena_has_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
