/*
 * test_mismatch.c - mixed families, in every combination and under every policy: reported by name,
 * freed, and discharged from the family that was charged.
 */
#define _GNU_SOURCE
#include "misuse/crime.h"
#include "pymem/families.h"

/* One crime: a block of one family, ended or resized by another. */
typedef struct mix {
  const family_api *from, *to;
  size_t bytes;
  int by_resize;
  tm_mismatch policy;
} mix;

static const size_t sizes[] = {0, 24, 1000, 20000, 3 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

typedef void (*mix_check_fn)(const char *name, const mix *m);

/* Calls check for each pair of different families, each size, each way. */
static void for_each_mix(tm_mismatch policy, mix_check_fn check)
{
  for (int from = 0; from < FAMILIES; from++)
    for (int to = 0; to < FAMILIES; to++)
      for (int i = 0; i < SIZES && from != to; i++)
        for (int by_resize = 0; by_resize <= 1; by_resize++) {
          mix m = {&families[from], &families[to], sizes[i], by_resize, policy};
          char name[128];
          (void)snprintf(name, sizeof name, "%s(%zu) then %s%s", m.from->alloc_name, m.bytes,
                         m.to->release_name, by_resize ? "'s Realloc" : "");
          check(name, &m);
        }
}

static void mixed_free(const void *arg)
{
  const mix *m = arg;
  (void)tm_mismatch_set(m->policy);
  void *p = crime_launder(m->from->alloc(m->bytes));
  if (m->by_resize)
    p = m->to->resize(p, m->bytes + 100);
  else
    m->to->release(p);
}

/* The exact words of the report for m. */
static void sentence(const mix *m, char *out, size_t capacity)
{
  char by[32];
  (void)snprintf(by, sizeof by, "%s", m->to->release_name);
  if (m->by_resize) /* PyMem_Free -> PyMem_Realloc */
    (void)snprintf(strstr(by, "Free"), 8, "Realloc");
  (void)snprintf(out, capacity, "tidemark: fatal: family mismatch: allocated by %s, %s by %s",
                 m->from->alloc_name, "freed", by);
}

static void expect_abort(const char *name, const mix *m)
{
  char start[160];
  sentence(m, start, sizeof start);
  crime_expect_abort(name, mixed_free, m, start);
}

static void test_abort_names_both(void **state)
{
  (void)state;
  for_each_mix(TM_MISMATCH_ABORT, expect_abort);
}

static void expect_report(const char *name, const mix *m)
{
  char start[160];
  sentence(m, start, sizeof start);
  crime_expect_exit(name, mixed_free, m, start);
}

static void test_report_goes_on(void **state)
{
  (void)state;
  for_each_mix(TM_MISMATCH_REPORT, expect_report);
}

static void expect_silence(const char *name, const mix *m)
{
  crime_expect_exit(name, mixed_free, m, NULL);
}

static void test_ignore_is_silent(void **state)
{
  (void)state;
  for_each_mix(TM_MISMATCH_IGNORE, expect_silence);
}

/* Whatever is said, the books stay right: the charged family is discharged. */
static void check_books(const char *name, const mix *m)
{
  tm_pool_row before[FAMILIES], after;
  tm_stats stats = books_read();
  for (int f = 0; f < FAMILIES; f++)
    assert_true(books_row(families[f].row, &before[f]));
  void *p = m->from->alloc(m->bytes);
  if (m->by_resize) {
    pattern_fill(p, m->bytes, 1);
    p = m->to->resize(p, m->bytes + 5000);
    assert_non_null(p);
    pattern_expect(p, m->bytes, 1);
    assert_int_equal(books_read().live_blocks, stats.live_blocks + 1);
    assert_int_equal(books_read().live_bytes, stats.live_bytes + tm_usable_size(p));
    m->from->release(p); /* still of the family that it was charged to: no second mismatch */
  } else {
    m->to->release(p);
  }
  for (int f = 0; f < FAMILIES; f++) {
    assert_true(books_row(families[f].row, &after));
    if (after.live_bytes != before[f].live_bytes || after.live_blocks != before[f].live_blocks)
      fail_msg("%s: row %s is off by %lld bytes", name, after.name,
               (long long)(after.live_bytes - before[f].live_bytes));
  }
  assert_int_equal(books_read().family_mismatches_total, stats.family_mismatches_total + 1);
}

static void test_books_after_a_mix(void **state)
{
  (void)state;
  assert_int_equal(tm_mismatch_set(TM_MISMATCH_IGNORE), 0);
  for_each_mix(TM_MISMATCH_IGNORE, check_books);
  assert_int_equal(tm_mismatch_set(TM_MISMATCH_ABORT), 0);
  assert_int_equal(tm_heap_check(tm_heap_default()), 0);
}

static void test_policy_is_checked(void **state)
{
  (void)state;
  assert_int_equal(tm_mismatch_set((tm_mismatch)3), TM_EINVAL);
  assert_int_equal(tm_mismatch_set((tm_mismatch)-1), TM_EINVAL);
}

/* ---- Objects -------------------------------------------------------------------------------- */

static PyTypeObject point_type = {.tp_name = "geometry.point", .tp_basicsize = 40};

static void object_freed_as_mem(const void *arg)
{
  (void)arg;
  PyMem_Free(crime_launder(PyObject_New(PyObject, &point_type)));
}

static void object_freed_as_raw(const void *arg)
{
  (void)arg;
  PyMem_RawFree(crime_launder(PyObject_New(PyObject, &point_type)));
}

static void mem_freed_as_object(const void *arg)
{
  (void)arg;
  PyObject_Del(crime_launder(PyMem_New(char, 40)));
}

static void test_objects_are_of_family_obj(void **state)
{
  (void)state;
  crime_expect_abort("object by PyMem_Free", object_freed_as_mem, NULL,
                     "tidemark: fatal: family mismatch: allocated by ");
  crime_expect_abort("object by PyMem_RawFree", object_freed_as_raw, NULL,
                     "tidemark: fatal: family mismatch: allocated by ");
  crime_expect_abort("PyMem_New by PyObject_Del", mem_freed_as_object, NULL,
                     "tidemark: fatal: family mismatch: allocated by PyMem_Malloc, freed by "
                     "PyObject_Free");
}

/* The report says of which type the object was. */
static void test_report_names_the_type(void **state)
{
  (void)state;
  crime_scene scene;
  crime_commit(object_freed_as_mem, NULL, &scene);
  if (!strstr(scene.text, "geometry.point"))
    crime_complain("object by PyMem_Free", "geometry.point in the text", &scene);
  assert_non_null(strstr(scene.text, "geometry.point"));
}

/* ---- Pools ---------------------------------------------------------------------------------- */

static void freed_into_another_pool(const void *arg)
{
  (void)arg;
  tm_pool_config config;
  tm_pool *a, *b;
  tm_pool_config_init(&config);
  config.name = "pool.a";
  if (tm_pool_new(tm_heap_default(), &config, &a) != 0)
    return;
  config.name = "pool.b";
  if (tm_pool_new(tm_heap_default(), &config, &b) != 0)
    return;
  tm_pool_free(b, crime_launder(tm_pool_alloc(a, 100)));
}

static void test_free_into_another_pool(void **state)
{
  (void)state;
  crime_expect_abort("tm_pool_free of another pool's block", freed_into_another_pool, NULL,
                     "tidemark: fatal: family mismatch: allocated by ");
}

/* ---- The environment ------------------------------------------------------------------------ */

/* TM_MISMATCH is read at start: this program runs itself again with it. */
static const char *self;

static void run_self(const void *policy)
{
  (void)setenv("TM_MISMATCH", policy, 1);
  (void)execl(self, self, "--mix", (char *)NULL);
  _exit(98);
}

static void test_environment_sets_the_policy(void **state)
{
  (void)state;
  static const char text[] =
      "tidemark: fatal: family mismatch: allocated by PyMem_Malloc, freed by PyMem_RawFree";
  crime_expect_abort("TM_MISMATCH=abort", run_self, "abort", text);
  crime_expect_exit("TM_MISMATCH=report", run_self, "report", text);
  crime_expect_exit("TM_MISMATCH=ignore", run_self, "ignore", NULL);
  crime_expect_abort("TM_MISMATCH=", run_self, "", text);
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "--mix") == 0) {
    PyMem_RawFree(crime_launder(PyMem_Malloc(10)));
    return 0;
  }
  self = argv[0];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_abort_names_both),
      cmocka_unit_test(test_report_goes_on),
      cmocka_unit_test(test_ignore_is_silent),
      cmocka_unit_test(test_books_after_a_mix),
      cmocka_unit_test(test_policy_is_checked),
      cmocka_unit_test(test_objects_are_of_family_obj),
      cmocka_unit_test(test_report_names_the_type),
      cmocka_unit_test(test_free_into_another_pool),
      cmocka_unit_test(test_environment_sets_the_policy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
