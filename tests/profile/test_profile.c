/* test_profile.c - reading a profile through the public header. */
#include <tidemark/profile.h>

#include <errno.h>
#include <unistd.h>

#include "base/os.h"
#include "support/books.h"

static char text[1 << 20];

__attribute__((noinline)) static void *known_maker(void)
{
  void *p = tm_malloc(tm_heap_default(), TM_MEM, 5000);
  memset(p, 1, 5000);
  return p;
}

static void the_text_tells_who_holds_it(void **state)
{
  (void)state;
  assert_int_equal(tm_profile_start(1), 0);
  void *p = known_maker();
  size_t length = tm_profile_text(TM_PROFILE_FOLDED, text, sizeof text);
  assert_in_range(length, 1, sizeof text - 1);
  assert_int_equal(length, strlen(text));
  assert_non_null(strstr(text, "main;"));
  assert_non_null(strstr(text, ";known_maker 5120\n")); /* no function of ours behind it */
  assert_int_equal(tm_profile_text(TM_PROFILE_FOLDED, NULL, 0), length);
  tm_free(tm_heap_default(), TM_MEM, p);
  (void)tm_profile_text(TM_PROFILE_FOLDED, text, sizeof text);
  assert_null(strstr(text, "known_maker"));
  assert_int_equal(tm_profile_stop(), 0);
}

static void writing_replaces_the_file(void **state)
{
  (void)state;
  FILE *file = fopen("heap.pb.gz", "w");
  for (int i = 0; i < 100000; i++)
    (void)fputc('x', file);
  (void)fclose(file);
  assert_int_equal(tm_profile_write("heap.pb.gz", TM_PROFILE_PPROF), 0);
  file = fopen("heap.pb.gz", "r");
  size_t length = fread(text, 1, sizeof text, file);
  (void)fclose(file);
  assert_in_range(length, 20, 99999);
  assert_memory_equal(text, "\x1f\x8b\x08", 3);
  assert_int_equal(tm_profile_write(NULL, TM_PROFILE_PPROF), TM_EINVAL);
  assert_int_equal(tm_profile_write("x", (tm_profile_format)7), TM_EINVAL);
  assert_int_equal(tm_profile_text((tm_profile_format)7, text, sizeof text), 0);
  assert_int_equal(tm_profile_write("no/such/folder", TM_PROFILE_FOLDED), TM_EIO);
  assert_int_equal(errno, ENOENT);
}

/* The heap that it tells of is not touched. */
static void writing_allocates_nothing(void **state)
{
  (void)state;
  assert_int_equal(tm_profile_start(1), 0);
  void *p = known_maker();
  test_books before, after;
  books_read(tm_heap_default(), &before);
  assert_int_equal(tm_profile_write("heap.folded", TM_PROFILE_FOLDED), 0);
  (void)tm_profile_text(TM_PROFILE_PPROF, text, sizeof text);
  books_read(tm_heap_default(), &after);
  books_must_equal(&before, &after);
  tm_free(tm_heap_default(), TM_MEM, p);
  assert_int_equal(tm_profile_stop(), 0);
}

static void without_memory_it_says_so(void **state)
{
  (void)state;
  int result = TM_ENOMEM;
  for (unsigned nth = 1; result; nth++) {
    tm__os_fault(nth, true);
    result = tm_profile_write("heap.pb.gz", TM_PROFILE_PPROF);
    tm__os_fault(0, false);
    assert_true(result == 0 || result == TM_ENOMEM);
    assert_true(nth < 20);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_text_tells_who_holds_it),
      cmocka_unit_test(writing_replaces_the_file),
      cmocka_unit_test(writing_allocates_nothing),
      cmocka_unit_test(without_memory_it_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
