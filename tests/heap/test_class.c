/* test_class.c - the tables of the size classes, proved by arithmetic for every size. */
#include "heap/types.h"
#include "support/check.h"

static void the_class_is_the_smallest_that_fits(void **state)
{
  (void)state;
  for (size_t n = 0; n <= TM_BLOCK_MAX; n++) {
    unsigned cls = tm__class_of(n);
    must(cls < TM_CLASSES);
    must(tm__class_bytes[cls] >= n);
    must(cls == 0 || tm__class_bytes[cls - 1] < n);
  }
}

/* Same answer by the table that the fast path uses. */
static void the_small_table_agrees(void **state)
{
  (void)state;
  for (size_t n = 0; n <= TM_SMALL_MAX; n++)
    must_equal(tm__bin_offset(n), tm__class_of(n) * sizeof(tm__bin));
}

static void sizes_are_rounded_by_an_eighth_at_most(void **state)
{
  (void)state;
  assert_int_equal(tm__class_bytes[0], 16);
  assert_int_equal(tm__class_bytes[TM_CLASSES - 1], TM_BLOCK_MAX);
  for (unsigned cls = 0; cls < TM_CLASSES; cls++) {
    uint32_t bytes = tm__class_bytes[cls];
    assert_int_equal(bytes % 16, 0);
    if (cls == 0)
      continue;
    uint32_t smallest = tm__class_bytes[cls - 1] + 1;
    assert_true(bytes > tm__class_bytes[cls - 1]);
    if (smallest > 128)
      assert_true((bytes - smallest) * 8 < bytes);
    else
      assert_true(bytes - smallest <= 15);
  }
}

/* The inverse is asked about offsets in pages of one slice. */
static void inverses_tell_multiples(void **state)
{
  (void)state;
  for (unsigned cls = 0; tm__class_bytes[cls] <= TM_SMALL_MAX; cls++) {
    uint32_t bytes = tm__class_bytes[cls];
    must_equal(tm__class_inverse[cls], tm__inverse_of(bytes));
    for (uint32_t offset = 0; offset < TM_SLICE; offset++)
      must(tm__divides(tm__class_inverse[cls], (uint16_t)offset) == (offset % bytes == 0));
  }
}

/* Pools have blocks of any multiple of 16: the offsets next to each multiple decide. */
static void inverses_of_pool_sizes(void **state)
{
  (void)state;
  for (uint32_t bytes = 16; bytes <= TM_SMALL_MAX; bytes += 16) {
    uint32_t inverse = tm__inverse_of(bytes);
    for (uint32_t at = 0; at + bytes <= TM_SLICE; at += bytes) {
      must(tm__divides(inverse, (uint16_t)at));
      must(!tm__divides(inverse, (uint16_t)(at + 1)));
      must(at == 0 || !tm__divides(inverse, (uint16_t)(at - 1)));
      must(!tm__divides(inverse, (uint16_t)(at + bytes / 2)));
    }
  }
}

/* tm_aligned_alloc looks for a class that is a multiple of the alignment. */
static void each_power_of_two_is_a_class(void **state)
{
  (void)state;
  for (size_t n = 16; n <= TM_BLOCK_MAX; n *= 2)
    assert_int_equal(tm__class_bytes[tm__class_of(n)], n);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_class_is_the_smallest_that_fits),
      cmocka_unit_test(the_small_table_agrees),
      cmocka_unit_test(sizes_are_rounded_by_an_eighth_at_most),
      cmocka_unit_test(inverses_tell_multiples),
      cmocka_unit_test(inverses_of_pool_sizes),
      cmocka_unit_test(each_power_of_two_is_a_class),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
