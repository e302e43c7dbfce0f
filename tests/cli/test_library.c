/* test_library.c - finding the library beside the program, and the value of LD_PRELOAD. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/library.h"

static char root[] = "/tmp/tidemark-library-XXXXXX";

static const char *in_root(const char *path)
{
  static char name[PATH_MAX];
  (void)snprintf(name, sizeof name, "%s/%s", root, path);
  return name;
}

static void make_directory(const char *path)
{
  assert_int_equal(mkdir(in_root(path), 0700), 0);
}

static void make_file(const char *path)
{
  FILE *file = fopen(in_root(path), "w");
  assert_non_null(file);
  assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
  (void)state;
  if (!mkdtemp(root))
    return -1;
  make_directory("bin");
  make_directory("lib");
  make_directory("a b");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  char command[PATH_MAX];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
  return system(command);
}

static void the_library_is_found_beside_bin(void **state)
{
  (void)state;
  char self[PATH_MAX], path[PATH_MAX];
  tm__complaint complaint = {0};
  (void)snprintf(self, sizeof self, "%s", in_root("bin/tidemark"));
  make_file("lib/libx.so");
  assert_int_equal(tm__library_find(self, "libx.so", path, &complaint), 0);
  assert_string_equal(path, in_root("lib/libx.so"));
}

static void or_in_the_programs_own_directory(void **state)
{
  (void)state;
  char self[PATH_MAX], path[PATH_MAX];
  tm__complaint complaint = {0};
  (void)snprintf(self, sizeof self, "%s", in_root("bin/tidemark"));
  make_file("bin/liby.so");
  assert_int_equal(tm__library_find(self, "liby.so", path, &complaint), 0);
  assert_string_equal(path, in_root("bin/liby.so"));
}

static void a_missing_one_is_named(void **state)
{
  (void)state;
  char self[PATH_MAX], path[PATH_MAX];
  tm__complaint complaint = {0};
  (void)snprintf(self, sizeof self, "%s", in_root("bin/tidemark"));
  assert_int_equal(tm__library_find(self, "libz.so", path, &complaint), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "libz.so is not in "));
  assert_non_null(strstr(complaint.text, "install tidemark whole"));
}

static void a_path_that_the_loader_cannot_read_is_refused(void **state)
{
  (void)state;
  char self[PATH_MAX], path[PATH_MAX];
  tm__complaint complaint = {0};
  (void)snprintf(self, sizeof self, "%s", in_root("a b/tidemark"));
  make_file("a b/libw.so");
  assert_int_equal(tm__library_find(self, "libw.so", path, &complaint), TM_EXIT_FAILED);
  assert_non_null(strstr(complaint.text, "has a blank or a colon"));
}

static void the_program_knows_itself(void **state)
{
  (void)state;
  char path[PATH_MAX];
  assert_true(tm__self_path(path));
  assert_int_equal(access(path, X_OK), 0);
}

static void ours_is_preloaded_first_and_once(void **state)
{
  (void)state;
  static const struct {
    const char *theirs, *value;
  } cases[] = {
      {NULL, "/l/t.so"},
      {"", "/l/t.so"},
      {"a.so", "/l/t.so:a.so"},
      {"a.so b.so", "/l/t.so:a.so:b.so"},
      {":a.so::b.so:", "/l/t.so:a.so:b.so"},
      {"/l/t.so", "/l/t.so"},
      {"a.so:/l/t.so:b.so", "/l/t.so:a.so:b.so"},
      {"/l/t.so.1", "/l/t.so:/l/t.so.1"},
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    char value[64];
    assert_true(tm__preload_value("/l/t.so", cases[i].theirs, value, sizeof value));
    assert_string_equal(value, cases[i].value);
    size_t needed = strlen(cases[i].value) + 1;
    assert_true(tm__preload_value("/l/t.so", cases[i].theirs, value, needed));
    assert_false(tm__preload_value("/l/t.so", cases[i].theirs, value, needed - 1));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_library_is_found_beside_bin),
      cmocka_unit_test(or_in_the_programs_own_directory),
      cmocka_unit_test(a_missing_one_is_named),
      cmocka_unit_test(a_path_that_the_loader_cannot_read_is_refused),
      cmocka_unit_test(the_program_knows_itself),
      cmocka_unit_test(ours_is_preloaded_first_and_once),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
