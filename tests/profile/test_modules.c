/* test_modules.c - the maps of a process as text, and files that are no good. */
#define _GNU_SOURCE
#include "profile/modules.h"

#include <unistd.h>

#include "support/check.h"

static tm__modules modules;

static void parse(const char *text)
{
  size_t length = strlen(text);
  memcpy(modules.text, text, length);
  tm__modules_parse(&modules, length);
}

static void executable_parts_only(void **state)
{
  (void)state;
  parse("00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/dbus daemon\n"
        "00651000-00652000 r--p 00051000 08:02 173521      /usr/bin/dbus daemon\n"
        "7f1000000000-7f1000001000 r-xp 00000000 00:00 0 \n"
        "7fff00000000-7fff00002000 r-xp 00000000 00:00 0                  [vdso]\n"
        "cut off");
  assert_int_equal(modules.count, 3);
  assert_int_equal(modules.list[0].begin, 0x400000);
  assert_int_equal(modules.list[0].end, 0x452000);
  assert_int_equal(modules.list[0].offset, 0x1000);
  assert_string_equal(modules.list[0].path, "/usr/bin/dbus daemon");
  assert_string_equal(modules.list[1].path, "");
  assert_string_equal(modules.list[2].path, "[vdso]");
  assert_ptr_equal(tm__modules_find(&modules, 0x400000), &modules.list[0]);
  assert_ptr_equal(tm__modules_find(&modules, 0x451fff), &modules.list[0]);
  assert_null(tm__modules_find(&modules, 0x452000));
  assert_null(tm__modules_find(&modules, 0));
  assert_null(tm__modules_find(&modules, UINT64_MAX));
}

static void bad_text_is_no_module(void **state)
{
  (void)state;
  parse("\n-\nzz\n1-2\n1-2 \n1-2 r-x\n5-4 r-xp 0 0 0\n");
  assert_int_equal(modules.count, 0);
  parse("");
  assert_int_equal(modules.count, 0);
}

typedef struct wanted {
  uint64_t address;
  char name[64];
} wanted;

static void note(void *ctx, uint64_t begin, uint64_t end, const char *name)
{
  wanted *w = ctx;
  if (w->address >= begin && w->address < end)
    (void)snprintf(w->name, sizeof w->name, "%s", name);
}

static void this_program_is_found_with_its_names(void **state)
{
  (void)state;
  wanted w = {.address = (uintptr_t)&this_program_is_found_with_its_names};
  tm__modules_read(&modules);
  tm__module *module = tm__modules_find(&modules, w.address);
  assert_non_null(module);
  tm__module_open(module);
  tm__module_symbols(module, note, &w);
  assert_string_equal(w.name, "this_program_is_found_with_its_names");
  tm__modules_close(&modules);
}

/* Each file is one that the dynamic loader would refuse; reading it must end, and stay inside. */
static void damaged_files_are_survived(void **state)
{
  (void)state;
  static unsigned char file[1 << 20];
  wanted w = {0};
  char path[] = "damaged-XXXXXX";
  FILE *self = fopen("/proc/self/exe", "rb");
  must(self != NULL);
  size_t bytes = fread(file, 1, sizeof file, self);
  (void)fclose(self);
  int fd = mkstemp(path);
  must(fd >= 0);
  char *whole = realpath(path, NULL);
  for (size_t i = 0; i < 64; i++) {
    unsigned char old = file[i];
    file[i] = (unsigned char)~old;
    must(pwrite(fd, file, bytes, 0) == (ssize_t)bytes);
    must(ftruncate(fd, (off_t)(i % 3 == 0 ? i * 16 : bytes)) == 0);
    tm__module module = {.path = whole, .begin = 0x1000, .end = 0x100000};
    modules.count = 1;
    modules.list[0] = module;
    tm__module_open(&modules.list[0]);
    tm__module_symbols(&modules.list[0], note, &w);
    tm__modules_close(&modules);
    file[i] = old;
  }
  (void)close(fd);
  (void)unlink(path);
  free(whole);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(executable_parts_only),
      cmocka_unit_test(bad_text_is_no_module),
      cmocka_unit_test(this_program_is_found_with_its_names),
      cmocka_unit_test(damaged_files_are_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
