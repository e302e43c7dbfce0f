/* test_object.c - objects: head, size, the row of their type. */
#define _GNU_SOURCE
#include "pymem/families.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct point {
  PyObject_HEAD double x, y, z;
} point;

typedef struct vector {
  PyObject_VAR_HEAD int items[];
} vector;

static size_t rows_named(const char *name)
{
  tm_pool_row row;
  size_t found = 0;
  for (size_t i = 0; tm_pool_stats_read(tm_heap_default(), i, &row) == 1; i++)
    found += strcmp(row.name, name) == 0;
  return found;
}

/* ---- What a new object looks like ----------------------------------------------------------- */

static void test_new_object(void **state)
{
  (void)state;
  static PyTypeObject type = {.tp_name = "new.point", .tp_basicsize = sizeof(point)};
  point *a = PyObject_New(point, &type);
  point *b = PyObject_NEW(point, &type);
  assert_non_null(a);
  assert_non_null(b);
  assert_ptr_not_equal(a, b);
  assert_int_equal((uintptr_t)a % 16, 0);
  assert_int_equal(a->ob_base.ob_refcnt, 1);
  assert_ptr_equal(a->ob_base.ob_type, &type);
  assert_int_equal(b->ob_base.ob_refcnt, 1);
  pattern_fill(&a->x, sizeof *a - sizeof(PyObject), 1);
  pattern_fill(&b->x, sizeof *b - sizeof(PyObject), 2);
  pattern_expect(&a->x, sizeof *a - sizeof(PyObject), 1);
  PyObject_Del(a);
  PyObject_Free(b);
  PyObject_Del(NULL);
}

static void test_new_var_object(void **state)
{
  (void)state;
  static PyTypeObject type = {
      .tp_name = "new.vector", .tp_basicsize = sizeof(vector), .tp_itemsize = sizeof(int)};
  static const Py_ssize_t counts[] = {0, 1, 2, 3, 100, 1000, 20000, 300000};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    Py_ssize_t n = counts[i];
    vector *v = i % 2 ? PyObject_NEW_VAR(vector, &type, n) : PyObject_NewVar(vector, &type, n);
    assert_non_null(v);
    assert_int_equal(v->ob_base.ob_base.ob_refcnt, 1);
    assert_ptr_equal(v->ob_base.ob_base.ob_type, &type);
    assert_int_equal(v->ob_base.ob_size, n);
    assert_true(tm_usable_size(v) >= sizeof(vector) + (size_t)n * sizeof(int));
    pattern_fill(v->items, (size_t)n * sizeof(int), 7);
    tm_pool_row row;
    assert_true(books_row("new.vector", &row));
    assert_int_equal(row.live_blocks, 1);
    assert_int_equal(row.live_bytes, tm_usable_size(v));
    PyObject_Del(v);
    assert_true(books_row("new.vector", &row));
    assert_int_equal(row.live_bytes, 0);
  }
}

static void test_too_many_items(void **state)
{
  (void)state;
  static PyTypeObject type = {
      .tp_name = "too.many", .tp_basicsize = sizeof(vector), .tp_itemsize = sizeof(int)};
  static const Py_ssize_t counts[] = {
      -1, -2, PTRDIFF_MIN, PTRDIFF_MIN + 1, PTRDIFF_MAX, PTRDIFF_MAX / 4, PTRDIFF_MAX / 2};
  PyObject_Del(PyObject_NewVar(vector, &type, 1)); /* the pool exists: only failures follow */
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    tm_stats before = books_read();
    errno = 0;
    assert_null(PyObject_NewVar(vector, &type, counts[i]));
    assert_int_equal(errno, ENOMEM);
    books_expect_failure(before, TM_FAIL_OVERFLOW);
  }
  static PyTypeObject no_items = {.tp_name = "no.items", .tp_basicsize = sizeof(vector)};
  PyObject_Del(PyObject_NewVar(vector, &no_items, 1));
  tm_stats before = books_read();
  assert_null(PyObject_NewVar(vector, &no_items, -1)); /* whatever the product is */
  books_expect_failure(before, TM_FAIL_OVERFLOW);
  before = books_read();
  assert_null(PyObject_NewVar(vector, &type, PTRDIFF_MAX / 8)); /* no overflow, just too much */
  books_expect_failure(before, TM_FAIL_OS);
}

static void test_types_that_make_no_sense(void **state)
{
  (void)state;
  static PyTypeObject no_head = {.tp_name = "bad.head", .tp_basicsize = sizeof(PyObject) - 1};
  static PyTypeObject negative = {.tp_name = "bad.size", .tp_basicsize = -40};
  static PyTypeObject items = {.tp_name = "bad.items", .tp_basicsize = 64, .tp_itemsize = -8};
  static PyTypeObject no_var_head = {.tp_name = "bad.var", .tp_basicsize = sizeof(PyObject)};
  PyTypeObject *bad[] = {&no_head, &negative, &items, NULL};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    tm_stats before = books_read();
    errno = 0;
    assert_null((PyObject_New)(bad[i]));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null((PyObject_NewVar)(bad[i], 1));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(books_read().live_bytes, before.live_bytes);
  }
  errno = 0;
  assert_null((PyObject_NewVar)(&no_var_head, 0));
  assert_int_equal(errno, EINVAL);
  assert_int_equal(rows_named("bad.head") + rows_named("bad.size") + rows_named("bad.items"), 0);
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static void test_booked_by_type(void **state)
{
  (void)state;
  static PyTypeObject small = {.tp_name = "row.small", .tp_basicsize = 24};
  static PyTypeObject large = {.tp_name = "row.large", .tp_basicsize = 72};
  enum { COUNT = 1000 };
  PyObject *objects[2 * COUNT];
  tm_pool_row row, obj_before, obj_after;
  assert_int_equal(rows_named("row.small"), 0);
  assert_true(books_row("obj", &obj_before));
  tm_stats before = books_read();
  for (int i = 0; i < COUNT; i++) {
    objects[2 * i] = PyObject_New(PyObject, &small);
    objects[2 * i + 1] = PyObject_New(PyObject, &large);
  }
  assert_true(books_row("row.small", &row));
  assert_int_equal(row.family, TM_OBJ);
  assert_int_equal(row.live_blocks, COUNT);
  assert_int_equal(row.live_bytes, COUNT * 32); /* rounded to 16 */
  assert_true(books_row("row.large", &row));
  assert_int_equal(row.live_blocks, COUNT);
  assert_int_equal(row.live_bytes, COUNT * 80);
  assert_int_equal(books_read().live_bytes, before.live_bytes + COUNT * (32 + 80));
  for (int i = 0; i < 2 * COUNT; i++)
    PyObject_Del(objects[i]);
  assert_true(books_row("row.small", &row));
  assert_int_equal(row.live_bytes, 0);
  assert_int_equal(row.allocs_total, COUNT);
  assert_int_equal(row.frees_total, COUNT);
  assert_true(books_row("obj", &obj_after));
  assert_int_equal(obj_after.allocs_total, obj_before.allocs_total);
  assert_int_equal(rows_named("row.small"), 1);
  assert_int_equal(books_read().live_bytes, before.live_bytes);
}

/* A size that is no multiple of a word: still of its own pool, with room for whole words. */
static void test_odd_basicsize(void **state)
{
  (void)state;
  static PyTypeObject type = {.tp_name = "row.odd", .tp_basicsize = 41};
  PyObject *object = PyObject_New(PyObject, &type);
  tm_pool_row row;
  assert_true(books_row("row.odd", &row));
  assert_int_equal(row.live_blocks, 1);
  assert_int_equal(row.live_bytes, 48);
  PyObject_Del(object);
}

static void test_names_of_rows(void **state)
{
  (void)state;
  static PyTypeObject fits = {.tp_name = "a.package.of.31.characters.name", .tp_basicsize = 16};
  static PyTypeObject dotted = {.tp_name = "a.very.long.package.of.packages.parser",
                                .tp_basicsize = 16};
  static PyTypeObject endless = {.tp_name = "abcdefghijklmnopqrstuvwxyzabcdefghijkl",
                                 .tp_basicsize = 16};
  static PyTypeObject nameless = {.tp_basicsize = 16};
  PyTypeObject *types[] = {&fits, &dotted, &endless, &nameless};
  static const char *const names[] = {"a.package.of.31.characters.name", "parser",
                                      "abcdefghijklmnopqrstuvwxyzabcde", "object"};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    PyObject *object = PyObject_New(PyObject, types[i]);
    assert_non_null(object);
    assert_int_equal(rows_named(names[i]), 1);
    PyObject_Del(object);
    assert_int_equal(tm_type_close(types[i]), 0);
  }
}

/* A type's own wishes: kind, block size, cache. Name and family follow from the type. */
static void test_tp_pool(void **state)
{
  (void)state;
  tm_pool_config wish;
  tm_pool_config_init(&wish);
  wish.name = "ignored";
  wish.family = TM_RAW;
  wish.kind = TM_POOL_CACHED;
  wish.cache_blocks = 8;
  PyTypeObject cached = {.tp_name = "wish.cached", .tp_basicsize = 100, .tp_pool = &wish};
  PyObject *object = PyObject_New(PyObject, &cached);
  assert_non_null(object);
  assert_int_equal(tm_usable_size(object), 112);
  assert_int_equal(rows_named("wish.cached"), 1);
  assert_int_equal(rows_named("ignored"), 0);
  PyObject_Del(object); /* of family obj whatever the wish was, or this aborts */
  assert_int_equal(tm_type_close(&cached), 0);
}

/* A pool of small blocks for a type with items: what does not fit goes to the row obj. */
static void test_object_above_the_block_size(void **state)
{
  (void)state;
  tm_pool_config wish;
  tm_pool_config_init(&wish);
  wish.kind = TM_POOL_FIXED;
  wish.block_bytes = 64;
  PyTypeObject type = {.tp_name = "wish.fixed",
                       .tp_basicsize = sizeof(vector),
                       .tp_itemsize = sizeof(int),
                       .tp_pool = &wish};
  tm_pool_row row, obj_before, obj;
  assert_true(books_row("obj", &obj_before));
  vector *fits = PyObject_NewVar(vector, &type, 10);
  vector *too_large = PyObject_NewVar(vector, &type, 11);
  assert_true(books_row("wish.fixed", &row));
  assert_int_equal(row.live_blocks, 1);
  assert_int_equal(row.live_bytes, 64);
  assert_true(books_row("obj", &obj));
  assert_int_equal(obj.live_blocks, obj_before.live_blocks + 1);
  assert_int_equal(obj.live_bytes, obj_before.live_bytes + tm_usable_size(too_large));
  PyObject_Del(fits);
  PyObject_Del(too_large);
  assert_int_equal(tm_type_close(&type), 0);
}

static void test_invalid_tp_pool(void **state)
{
  (void)state;
  tm_pool_config wish;
  memset(&wish, 0, sizeof wish); /* not stamped */
  PyTypeObject type = {.tp_name = "wish.bad", .tp_basicsize = 32, .tp_pool = &wish};
  errno = 0;
  assert_null((PyObject_New)(&type));
  assert_int_equal(errno, EINVAL);
  wish.size = sizeof wish + 8;
  assert_null((PyObject_New)(&type));
  tm_pool_config_init(&wish);
  wish.kind = TM_POOL_FIXED;
  wish.block_bytes = 65537;
  errno = 0;
  assert_null((PyObject_New)(&type));
  assert_int_equal(errno, EINVAL);
  assert_int_equal(rows_named("wish.bad"), 0);
  tm_pool_config_init(&wish); /* and a repaired wish works */
  PyObject *object = PyObject_New(PyObject, &type);
  assert_non_null(object);
  PyObject_Del(object);
  assert_int_equal(tm_type_close(&type), 0);
}

/* Larger than any FIXED block: the type's pool is VARIABLE by itself. */
static void test_huge_basicsize(void **state)
{
  (void)state;
  static PyTypeObject type = {.tp_name = "huge", .tp_basicsize = 200000};
  PyObject *object = PyObject_New(PyObject, &type);
  assert_non_null(object);
  tm_pool_row row;
  assert_true(books_row("huge", &row));
  assert_int_equal(row.live_blocks, 1);
  assert_true(row.live_bytes >= 200000);
  PyObject_Del(object);
}

/* ---- Resizing ------------------------------------------------------------------------------- */

static void test_realloc_of_a_var_object(void **state)
{
  (void)state;
  static PyTypeObject type = {
      .tp_name = "grow.vector", .tp_basicsize = sizeof(vector), .tp_itemsize = sizeof(int)};
  vector *v = PyObject_NewVar(vector, &type, 10);
  pattern_fill(v->items, 40, 3);
  for (size_t n = 20; n < 200000; n *= 3) {
    v = PyObject_Realloc(v, sizeof *v + n * sizeof(int));
    assert_non_null(v);
    pattern_expect(v->items, 40, 3);
    assert_ptr_equal(v->ob_base.ob_base.ob_type, &type);
    tm_pool_row row;
    assert_true(books_row("grow.vector", &row));
    assert_int_equal(row.live_bytes, tm_usable_size(v)); /* still of its type */
  }
  PyObject_Del(v);
}

static void test_realloc_of_a_fixed_object(void **state)
{
  (void)state;
  static PyTypeObject type = {.tp_name = "grow.point", .tp_basicsize = sizeof(point)};
  tm_stats before = books_read();
  point *p = PyObject_New(point, &type);
  pattern_fill(&p->x, 24, 4);
  p = PyObject_Realloc(p, 5000);
  assert_non_null(p);
  assert_true(tm_usable_size(p) >= 5000);
  pattern_expect(&p->x, 24, 4);
  tm_pool_row row, obj;
  assert_true(books_row("grow.point", &row));
  assert_int_equal(row.live_bytes, 0);
  assert_true(books_row("obj", &obj));
  assert_true(obj.live_bytes >= 5000);
  PyObject_Free(p);
  assert_int_equal(books_read().live_bytes, before.live_bytes);
}

/* ---- First use, last use -------------------------------------------------------------------- */

enum { RACERS = 4, ROUNDS = 150 };
static PyTypeObject race_types[ROUNDS];
static char race_names[ROUNDS][16];
static atomic_int arrived;

/* All racers leave within nanoseconds of each other: a barrier would wake them one by one. */
static void meet(int round)
{
  (void)atomic_fetch_add(&arrived, 1);
  for (int spins = 1; atomic_load(&arrived) < RACERS * (round + 1); spins++)
    if (spins % 10000 == 0)
      (void)sched_yield();
}

static void *race(void *arg)
{
  uintptr_t good = 0;
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    meet(i);
    PyObject *object = PyObject_New(PyObject, &race_types[i]);
    good += object != NULL && object->ob_type == &race_types[i];
    PyObject_Del(object);
  }
  return (void *)good;
}

static void test_threads_race_into_first_use(void **state)
{
  (void)state;
  pthread_t threads[RACERS];
  for (int i = 0; i < ROUNDS; i++) {
    (void)snprintf(race_names[i], sizeof race_names[i], "race.%d", i);
    race_types[i] = (PyTypeObject){.tp_name = race_names[i], .tp_basicsize = 48};
  }
  for (int i = 0; i < RACERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, race, NULL), 0);
  for (int i = 0; i < RACERS; i++) {
    void *good;
    assert_int_equal(pthread_join(threads[i], &good), 0);
    assert_int_equal((uintptr_t)good, ROUNDS);
  }
  for (int i = 0; i < ROUNDS; i++) {
    tm_pool_row row;
    assert_int_equal(rows_named(race_names[i]), 1);
    assert_true(books_row(race_names[i], &row));
    assert_int_equal(row.allocs_total, RACERS);
    assert_int_equal(row.live_blocks, 0);
    assert_int_equal(tm_type_close(&race_types[i]), 0);
  }
}

static void test_more_types_than_pools(void **state)
{
  (void)state;
  enum { TYPES = 300 };
  static PyTypeObject types[TYPES];
  static char names[TYPES][16];
  static PyObject *objects[TYPES];
  tm_pool_row obj_before, obj;
  tm_stats before = books_read();
  assert_true(books_row("obj", &obj_before));
  size_t with_row = 0;
  for (int i = 0; i < TYPES; i++) {
    (void)snprintf(names[i], sizeof names[i], "many.%d", i);
    types[i] = (PyTypeObject){.tp_name = names[i], .tp_basicsize = 40};
    objects[i] = PyObject_New(PyObject, &types[i]);
    assert_non_null(objects[i]);
    assert_ptr_equal(objects[i]->ob_type, &types[i]);
    with_row += rows_named(names[i]);
  }
  assert_true(with_row >= 150 && with_row < 250);
  assert_true(books_row("obj", &obj));
  assert_int_equal(obj.live_blocks - obj_before.live_blocks, TYPES - with_row);
  assert_int_equal(books_read().live_blocks, before.live_blocks + TYPES);
  for (int i = 0; i < TYPES; i++) {
    PyObject_Del(objects[i]);
    assert_int_equal(tm_type_close(&types[i]), 0);
  }
  assert_int_equal(books_read().live_bytes, before.live_bytes);
}

static void test_type_close(void **state)
{
  (void)state;
  PyTypeObject type = {.tp_name = "close.me", .tp_basicsize = 40};
  assert_int_equal(tm_type_close(NULL), TM_EINVAL);
  assert_int_equal(tm_type_close(&type), 0); /* never used */
  PyObject *object = PyObject_New(PyObject, &type);
  assert_int_equal(tm_type_close(&type), TM_EBUSY);
  assert_int_equal(rows_named("close.me"), 1);
  PyObject_Del(object);
  assert_int_equal(tm_type_close(&type), 0);
  assert_int_equal(rows_named("close.me"), 0);
  object = PyObject_New(PyObject, &type); /* and it may be used again */
  assert_non_null(object);
  assert_int_equal(rows_named("close.me"), 1);
  PyObject_Del(object);
  assert_int_equal(tm_type_close(&type), 0);
}

/* ---- Fork ----------------------------------------------------------------------------------- */

static atomic_int racing;

static void *make_types(void *arg)
{
  (void)arg;
  while (atomic_load(&racing)) {
    PyTypeObject type = {.tp_name = "fork.busy", .tp_basicsize = 40};
    PyObject_Del(PyObject_New(PyObject, &type));
    (void)tm_type_close(&type);
  }
  return NULL;
}

/* A child must be able to make a type's first object while another thread of the parent did. */
static void test_fork_while_types_are_made(void **state)
{
  (void)state;
  pthread_t thread;
  atomic_store(&racing, 1);
  assert_int_equal(pthread_create(&thread, NULL, make_types, NULL), 0);
  for (int i = 0; i < 100; i++) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      (void)alarm(20);
      PyTypeObject type = {.tp_name = "fork.child", .tp_basicsize = 40};
      PyObject *object = PyObject_New(PyObject, &type);
      PyObject_Del(object);
      _exit(object ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
  }
  atomic_store(&racing, 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new_object),
      cmocka_unit_test(test_new_var_object),
      cmocka_unit_test(test_too_many_items),
      cmocka_unit_test(test_types_that_make_no_sense),
      cmocka_unit_test(test_booked_by_type),
      cmocka_unit_test(test_odd_basicsize),
      cmocka_unit_test(test_names_of_rows),
      cmocka_unit_test(test_tp_pool),
      cmocka_unit_test(test_object_above_the_block_size),
      cmocka_unit_test(test_invalid_tp_pool),
      cmocka_unit_test(test_huge_basicsize),
      cmocka_unit_test(test_realloc_of_a_var_object),
      cmocka_unit_test(test_realloc_of_a_fixed_object),
      cmocka_unit_test(test_threads_race_into_first_use),
      cmocka_unit_test(test_more_types_than_pools),
      cmocka_unit_test(test_type_close),
      cmocka_unit_test(test_fork_while_types_are_made),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
