/* test_image.c - symbols found in what is loaded, compared with what the loader says. */
#define _GNU_SOURCE
#include "hosts/malloc/image.h"

#include <dlfcn.h>

#include "support/check.h"

static void *loader_says(const char *name)
{
  return dlsym(RTLD_DEFAULT, name);
}

static void test_the_image_at_an_address_has_its_symbol(void **state)
{
  (void)state;
  static const char *const names[] = {"getpid", "qsort", "strtoul", "pthread_key_create",
                                      "environ"};
  for (size_t i = 0; i < TM_ARRAY_LEN(names); i++) {
    tm__image image;
    void *there = loader_says(names[i]);
    assert_non_null(there);
    assert_true(tm__image_at(there, &image));
    ElfW(Sym) *symbol = tm__image_symbol(&image, names[i]);
    assert_non_null(symbol);
    assert_ptr_equal(tm__image_address(&image, symbol), there);
  }
}

static void test_what_is_not_there_is_not_found(void **state)
{
  (void)state;
  tm__image image;
  int here = 0;
  assert_false(tm__image_at(&here, &image)); /* the stack */
  assert_false(tm__image_at(NULL, &image));
  assert_false(tm__image_with("tm_there_is_no_such_symbol", &image));
  assert_true(tm__image_at(loader_says("getpid"), &image));
  assert_null(tm__image_symbol(&image, "tm_there_is_no_such_symbol"));
  assert_null(tm__image_symbol(&image, ""));
  assert_null(tm__image_symbol(&image, "getpi"));
}

static void test_an_image_is_found_by_what_it_defines(void **state)
{
  (void)state;
  tm__image image, libc;
  assert_true(tm__image_with("gnu_get_libc_version", &image));
  assert_true(tm__image_at(loader_says("getpid"), &libc));
  assert_true(image.base == libc.base);
  /* a program that only uses a symbol does not define it */
  assert_true(tm__image_with("_cmocka_run_group_tests", &image));
  assert_ptr_equal(tm__image_address(&image, tm__image_symbol(&image, "_cmocka_run_group_tests")),
                   loader_says("_cmocka_run_group_tests"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_image_at_an_address_has_its_symbol),
      cmocka_unit_test(test_what_is_not_there_is_not_found),
      cmocka_unit_test(test_an_image_is_found_by_what_it_defines),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
