/* test_leaks.c - what is live, as it is told. */
#include <tidemark/inform.h>
#include <tidemark/pool.h>
#include <tidemark/profile.h>

#include "support/books.h"

static tm_heap *heap;
static char text[65536];

static const char *told(void)
{
  size_t length = tm_leaks_text(heap, text, sizeof text);
  assert_int_equal(length, strlen(text));
  return text;
}

static void an_empty_heap_is_one_line(void **state)
{
  (void)state;
  assert_string_equal(told(), "live in heap leaky: 0 B in 0 blocks\n");
}

static void pools_and_tags(void **state)
{
  (void)state;
  tm_pool *pool;
  tm_pool_config config;
  tm_pool_config_init(&config);
  config.name = "Node";
  config.kind = TM_POOL_FIXED;
  config.block_bytes = 48;
  assert_int_equal(tm_pool_new(heap, &config, &pool), 0);
  void *a = tm_pool_alloc(pool, 48), *b = tm_pool_alloc(pool, 48);
  void *c = tm_malloc(heap, TM_MEM, 1000);
  tm_inform(heap, "images", 1 << 20);
  tm_inform(heap, "fonts", 5);
  tm_inform(heap, "fonts", -5);
  assert_string_equal(told(), "live in heap leaky: 1.09 KiB in 3 blocks\n"
                              "\n  by pool\n"
                              "    1.00 KiB in 1 block: mem\n"
                              "        96 B in 2 blocks: Node\n"
                              "\n  outside of the heap, by tag\n"
                              "    1.00 MiB: images\n");
  size_t whole = strlen(text);
  char cut[20];
  assert_int_equal(tm_leaks_text(heap, cut, sizeof cut), whole);
  assert_string_equal(cut, "live in heap leaky:");
  tm_inform(heap, "images", -(1 << 20));
  tm_pool_free(pool, a);
  tm_pool_free(pool, b);
  tm_free(heap, TM_MEM, c);
}

__attribute__((noinline)) static void *forget_small(void)
{
  void *p = tm_malloc(heap, TM_RAW, 100);
  memset(p, 0, 100);
  return p;
}
__attribute__((noinline)) static void *forget_large(void)
{
  void *p = tm_malloc(heap, TM_RAW, 70000);
  memset(p, 0, 70000);
  return p;
}

static void stacks_largest_first_and_of_this_heap_only(void **state)
{
  (void)state;
  assert_int_equal(tm_profile_start(1), 0);
  void *a = forget_small(), *b = forget_large();
  void *other = tm_malloc(tm_heap_default(), TM_RAW, 500000);
  (void)told();
  const char *large = strstr(text, "forget_large\n"), *small = strstr(text, "forget_small\n");
  assert_non_null(large);
  assert_non_null(small);
  assert_true(large < small);
  assert_non_null(strstr(text, "72.0 KiB in 1 block of pool raw\n"));
  assert_null(strstr(text, "estimates")); /* each block was sampled */
  assert_null(strstr(text, "tm_malloc"));
  assert_null(strstr(text, "49")); /* 492 KiB are of another heap */
  tm_free(heap, TM_RAW, a);
  tm_free(heap, TM_RAW, b);
  tm_free(tm_heap_default(), TM_RAW, other);
  assert_int_equal(tm_profile_stop(), 0);
}

static void no_heap_is_no_text(void **state)
{
  (void)state;
  assert_int_equal(tm_leaks_text(NULL, text, sizeof text), 0);
  assert_string_equal(text, "");
}

static int new_heap(void **state)
{
  (void)state;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.name = "leaky";
  return tm_heap_new(&heap, &config);
}

static int close_heap(void **state)
{
  (void)state;
  return tm_heap_close(heap);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_heap, close_heap)
      TEST(an_empty_heap_is_one_line),
      TEST(pools_and_tags),
      TEST(stacks_largest_first_and_of_this_heap_only),
      TEST(no_heap_is_no_text),
#undef TEST
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
