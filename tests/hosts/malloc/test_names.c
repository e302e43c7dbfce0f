/* test_names.c - the C library's own names for malloc, before and after they lead to ours. */
#define _GNU_SOURCE
#include "hosts/malloc/names.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <malloc.h>

#include <tidemark/tidemark.h>

#include "support/check.h"

extern void *__libc_malloc(size_t n);
extern void __libc_free(void *p);

static void *libc;

static void *get_from_libc(size_t n)
{
  void *(*get)(size_t);
  *(void **)&get = dlsym(libc, "malloc");
  return get(n);
}

static void give_to_libc(void *p)
{
  void (*give)(void *);
  *(void **)&give = dlsym(libc, "free");
  give(p);
}

/* Group set-up: what the test of the names would not show if it were so from the start. */
static int before(void **state)
{
  (void)state;
  libc = dlopen(LIBC_SO, RTLD_NOW | RTLD_NOLOAD);
  must(libc != NULL);
  void *p = get_from_libc(100), *q = malloc(100);
  must(!tm_owns(p) && tm_owns(q));
  must(tm__names_libc_usable_size(p) == 0);
  give_to_libc(p);
  free(q);
  tm__names_take();
  return 0;
}

static void test_the_handle_of_the_c_library_has_our_malloc(void **state)
{
  (void)state;
  void *p = get_from_libc(100);
  assert_int_equal(tm_owns(p), 1);
  free(p);
  give_to_libc(malloc(100));
  give_to_libc(strdup("made by the C library, with our malloc"));
  assert_ptr_equal(dlsym(libc, "calloc"), dlsym(RTLD_DEFAULT, "calloc"));
  assert_ptr_equal(dlsym(libc, "posix_memalign"), dlsym(RTLD_DEFAULT, "posix_memalign"));
}

static void test_other_symbols_are_as_they_were(void **state)
{
  (void)state;
  char *(*copy)(const char *);
  *(void **)&copy = dlsym(libc, "strdup");
  char *p = copy("text");
  assert_string_equal(p, "text");
  free(p);
  assert_ptr_not_equal(dlsym(libc, "__libc_malloc"), dlsym(libc, "malloc"));
}

static void test_blocks_of_the_c_library_have_their_size(void **state)
{
  (void)state;
  void *small = __libc_malloc(100), *large = __libc_malloc(300000);
  assert_int_equal(tm_owns(small), 0);
  assert_in_range(malloc_usable_size(small), 100, 120);
  assert_in_range(malloc_usable_size(large), 300000, 304096);
  assert_int_equal(tm__names_libc_usable_size(NULL), 0);
  free(small);
  __libc_free(large);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_handle_of_the_c_library_has_our_malloc),
      cmocka_unit_test(test_other_symbols_are_as_they_were),
      cmocka_unit_test(test_blocks_of_the_c_library_have_their_size),
  };
  return cmocka_run_group_tests(tests, before, NULL);
}
