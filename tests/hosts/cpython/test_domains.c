/* test_domains.c - Python's domains over the default heap, and what stood there before. */
#include "hosts/cpython/fake_python.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"

static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM,
                                               PYMEM_DOMAIN_OBJ};

/* Blocks that were made before the take-over, one per domain. */
static char *early[3];

static uint64_t live_blocks(tm_family family)
{
  tm_pool_row row;
  assert_int_equal(tm_pool_stats_read(tm_heap_default(), (size_t)family, &row), 1);
  return row.live_blocks;
}

static void each_domain_is_its_family(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(domains); i++) {
    uint64_t before = live_blocks((tm_family)i);
    void *p = fake_malloc(domains[i], 100);
    assert_true(tm_owns(p));
    assert_int_equal(live_blocks((tm_family)i), before + 1);
    fake_free(domains[i], p);
    assert_int_equal(live_blocks((tm_family)i), before);
  }
}

static void zero_bytes_are_distinct_blocks(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(domains); i++) {
    PyMemAllocatorEx *a = &fake.allocators[domains[i]];
    void *p = a->malloc(a->ctx, 0), *q = a->calloc(a->ctx, 0, 7), *r = a->realloc(a->ctx, NULL, 0);
    assert_true(p && q && r && p != q && q != r && p != r);
    p = a->realloc(a->ctx, p, 0); /* resizes, does not free */
    assert_non_null(p);
    a->free(a->ctx, p);
    a->free(a->ctx, q);
    a->free(a->ctx, r);
    a->free(a->ctx, NULL);
  }
}

static void calloc_clears_and_refuses_overflow(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(domains); i++) {
    PyMemAllocatorEx *a = &fake.allocators[domains[i]];
    for (size_t n = 1; n < 200000; n = n * 3 + 1) {
      char *dirty = a->malloc(a->ctx, n);
      memset(dirty, 0x5a, n);
      a->free(a->ctx, dirty);
      char *p = a->calloc(a->ctx, n, 1);
      for (size_t k = 0; k < n; k++)
        assert_int_equal(p[k], 0);
      a->free(a->ctx, p);
    }
    assert_null(a->calloc(a->ctx, SIZE_MAX / 2, 3));
    assert_null(a->malloc(a->ctx, (size_t)PTRDIFF_MAX + 1));
  }
}

static void realloc_keeps_the_content(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(domains); i++) {
    PyMemAllocatorEx *a = &fake.allocators[domains[i]];
    char *p = NULL;
    for (size_t n = 1; n < 300000; n = n * 2 + 1) {
      p = a->realloc(a->ctx, p, n);
      p[n - 1] = (char)n;
      for (size_t k = 1; k < n; k = k * 2 + 1)
        assert_int_equal(p[k - 1], (char)k);
    }
    a->free(a->ctx, p);
  }
}

static void what_is_not_ours_goes_back_to_what_was_found(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(domains); i++) {
    PyMemAllocatorEx *a = &fake.allocators[domains[i]];
    assert_false(tm_owns(early[i]));
    early[i] = a->realloc(a->ctx, early[i], 5000);
    assert_false(tm_owns(early[i])); /* it stays with its allocator */
    assert_int_equal(early[i][0], 'e');
    a->free(a->ctx, early[i]); /* by ours: a foreign pointer would abort */
  }
}

static void *wrapped_malloc(void *ctx, size_t n)
{
  PyMemAllocatorEx *inner = ctx;
  return inner->malloc(inner->ctx, n);
}

static void the_watch_never_cuts_out_a_wrapper(void **state)
{
  (void)state;
  static PyMemAllocatorEx inner;
  PyMemAllocatorEx plain, outer;
  assert_true(tm__cpython_watch_set(false));
  assert_true(tm__cpython_on_top());
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &plain);
  inner = outer = plain;
  outer.malloc = wrapped_malloc;
  outer.ctx = &inner;
  PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &outer);
  assert_false(tm__cpython_on_top());
  assert_false(tm__cpython_watch_set(true));
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &outer);
  assert_true(outer.malloc == wrapped_malloc);
  PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &plain);
  assert_true(tm__cpython_watch_set(true));
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &outer);
  assert_true(outer.malloc != plain.malloc);
  assert_true(tm__cpython_on_top());
}

static int take_over(void **state)
{
  (void)state;
  fake_prepare();
  for (size_t i = 0; i < TM_ARRAY_LEN(domains); i++) {
    early[i] = fake_malloc(domains[i], 100);
    early[i][0] = 'e';
  }
  return !tm__cpython_install();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_domain_is_its_family),
      cmocka_unit_test(zero_bytes_are_distinct_blocks),
      cmocka_unit_test(calloc_clears_and_refuses_overflow),
      cmocka_unit_test(realloc_keeps_the_content),
      cmocka_unit_test(what_is_not_ours_goes_back_to_what_was_found),
      cmocka_unit_test(the_watch_never_cuts_out_a_wrapper),
  };
  return cmocka_run_group_tests(tests, take_over, NULL);
}
