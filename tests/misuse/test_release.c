/*
 * test_release.c - what the release build promises to catch, one case per crime, family and size:
 * double free, invalid pointer, foreign pointer, wrong heap. Each says so and ends by SIGABRT.
 */
#define _GNU_SOURCE
#include "misuse/crime.h"
#include "pymem/families.h"

#define DOUBLE_FREE "tidemark: fatal: double free"
#define INVALID "tidemark: fatal: invalid pointer"
#define FOREIGN "tidemark: fatal: foreign pointer"
#define WRONG_HEAP "tidemark: fatal: wrong heap"

typedef struct crime {
  const family_api *api;
  size_t bytes;
  size_t offset; /* interior pointers */
  void *stray;   /* foreign pointers */
  int by_resize; /* 1: the second function is Realloc */
} crime;

static const size_t sizes[] = {1, 24, 512, 1008, 9000, 40000, 65536, 200000, 5 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void end_block(const crime *c, void *p)
{
  if (c->by_resize)
    (void)c->api->resize(p, 333);
  else
    c->api->release(p);
}

/* Runs one crime in each family, by Free and by Realloc. */
static void in_each_family(const char *what, crime_fn fn, crime c, const char *start)
{
  for (int f = 0; f < FAMILIES; f++) {
    for (c.by_resize = 0; c.by_resize <= 1; c.by_resize++) {
      char name[128];
      c.api = &families[f];
      (void)snprintf(name, sizeof name, "%s, %s, %zu bytes, offset %zu%s", what, c.api->row,
                     c.bytes, c.offset, c.by_resize ? ", by Realloc" : "");
      crime_expect_abort(name, fn, &c, start);
    }
  }
}

/* ---- Double free ---------------------------------------------------------------------------- */

static void free_twice(const void *arg)
{
  const crime *c = arg;
  void *p = crime_launder(c->api->alloc(c->bytes));
  c->api->release(p);
  end_block(c, p);
}

/* Other blocks of the class live on the page, as in any real program. */
static void free_twice_among_others(const void *arg)
{
  const crime *c = arg;
  void *p = NULL;
  for (int i = 0; i < 10; i++)
    p = crime_launder(c->api->alloc(c->bytes));
  c->api->release(p);
  end_block(c, p);
}

static void test_double_free(void **state)
{
  (void)state;
  for (int i = 0; i < SIZES; i++) {
    in_each_family("double free", free_twice, (crime){.bytes = sizes[i]}, DOUBLE_FREE);
    in_each_family("double free among others", free_twice_among_others, (crime){.bytes = sizes[i]},
                   DOUBLE_FREE);
  }
}

static PyTypeObject point_type = {.tp_name = "geometry.point", .tp_basicsize = 40};

static void delete_twice(const void *arg)
{
  (void)arg;
  void *object = crime_launder(PyObject_New(PyObject, &point_type));
  PyObject_Del(object);
  PyObject_Del(object);
}

static void test_double_free_of_an_object(void **state)
{
  (void)state;
  crime_expect_abort("PyObject_Del twice", delete_twice, NULL, DOUBLE_FREE);
}

/* ---- Invalid pointers ----------------------------------------------------------------------- */

static void free_inside(const void *arg)
{
  const crime *c = arg;
  char *p = crime_launder(c->api->alloc(c->bytes));
  end_block(c, p + c->offset);
}

static void test_interior_and_misaligned(void **state)
{
  (void)state;
  static const size_t offsets[] = {1, 4, 8, 15, 16, 17, 32, 48, 64, 4096, 65536, 65552, 131072};
  for (int i = 0; i < SIZES; i++)
    for (size_t o = 0; o < sizeof offsets / sizeof offsets[0]; o++)
      if (offsets[o] < sizes[i] && (sizes[i] > 16 || offsets[o] < 16))
        in_each_family("inside a block", free_inside,
                       (crime){.bytes = sizes[i], .offset = offsets[o]}, INVALID);
}

/* The private heap's address range goes on far behind the last page. */
static void free_where_nothing_is(const void *arg)
{
  const crime *c = arg;
  char *p = crime_launder(c->api->alloc(100));
  char *far_away = p + c->offset;
  if (!tm_owns(far_away))
    _exit(97); /* the case would test something else */
  end_block(c, far_away);
}

static void test_page_that_holds_nothing(void **state)
{
  (void)state;
  static const size_t distances[] = {(size_t)64 << 20, (size_t)1 << 30, (size_t)1 << 33};
  for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++)
    in_each_family("far behind", free_where_nothing_is, (crime){.offset = distances[i]}, INVALID);
}

/* ---- Foreign pointers ----------------------------------------------------------------------- */

static void free_stray(const void *arg)
{
  const crime *c = arg;
  end_block(c, crime_launder(c->stray));
}

static void free_stack(const void *arg)
{
  char buffer[64] = {0};
  end_block(arg, crime_launder(buffer));
}

static void free_libc_block(const void *arg)
{
  void *p = malloc(100);
  end_block(arg, crime_launder(p));
}

static void test_foreign(void **state)
{
  (void)state;
  static char data[64];
  in_each_family("stack", free_stack, (crime){0}, FOREIGN);
  in_each_family("libc's malloc", free_libc_block, (crime){0}, FOREIGN);
  in_each_family("static data", free_stray, (crime){.stray = data}, FOREIGN);
  in_each_family("a small number", free_stray, (crime){.stray = (void *)16}, FOREIGN);
  in_each_family("not canonical", free_stray, (crime){.stray = (void *)0x8000000000000000u},
                 FOREIGN);
  in_each_family("the last address", free_stray, (crime){.stray = (void *)UINTPTR_MAX}, FOREIGN);
}

/* ---- Wrong heap ----------------------------------------------------------------------------- */

static void free_in_another_heap(const void *arg)
{
  const crime *c = arg;
  tm_heap *other;
  if (tm_heap_new(&other, NULL) != 0)
    _exit(97);
  void *p = crime_launder(tm_malloc(other, c->api->id, c->bytes));
  end_block(c, p); /* the family is right, the heap is not */
}

static void free_of_the_default_heap(const void *arg)
{
  const crime *c = arg;
  tm_heap *other;
  if (tm_heap_new(&other, NULL) != 0)
    _exit(97);
  void *p = crime_launder(c->api->alloc(c->bytes));
  if (c->by_resize)
    (void)tm_realloc(other, c->api->id, p, 333);
  else
    tm_free(other, c->api->id, p);
}

static void test_wrong_heap(void **state)
{
  (void)state;
  for (int i = 0; i < SIZES; i++) {
    crime c = {.bytes = sizes[i]};
    in_each_family("block of another heap", free_in_another_heap, c, WRONG_HEAP);
    in_each_family("into another heap", free_of_the_default_heap, c, WRONG_HEAP);
  }
}

/* ---- The report itself ---------------------------------------------------------------------- */

static void free_twice_without_stderr(const void *arg)
{
  (void)close(STDERR_FILENO);
  free_twice(arg);
}

static void test_abort_also_without_stderr(void **state)
{
  (void)state;
  crime c = {.api = &families[1], .bytes = 24};
  crime_scene scene;
  crime_commit(free_twice_without_stderr, &c, &scene);
  assert_true(WIFSIGNALED(scene.status));
  assert_int_equal(WTERMSIG(scene.status), SIGABRT);
  assert_string_equal(scene.text, "");
}

/* A report is one line, and it names the address that was freed. */
static void free_misaligned_and_say(const void *arg)
{
  (void)arg;
  char *p = crime_launder(PyMem_Malloc(100));
  (void)dprintf(STDERR_FILENO, "%p\n", (void *)(p + 8));
  PyMem_Free(p + 8);
}

static void test_report_names_the_address(void **state)
{
  (void)state;
  crime_scene scene;
  crime_commit(free_misaligned_and_say, NULL, &scene);
  char *report = strchr(scene.text, '\n');
  assert_non_null(report);
  *report++ = 0;
  if (!strstr(report, scene.text))
    crime_complain("address", scene.text, &scene);
  assert_non_null(strstr(report, scene.text));
  assert_ptr_equal(strchr(report, '\n'), report + strlen(report) - 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_double_free),
      cmocka_unit_test(test_double_free_of_an_object),
      cmocka_unit_test(test_interior_and_misaligned),
      cmocka_unit_test(test_page_that_holds_nothing),
      cmocka_unit_test(test_foreign),
      cmocka_unit_test(test_wrong_heap),
      cmocka_unit_test(test_abort_also_without_stderr),
      cmocka_unit_test(test_report_names_the_address),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
