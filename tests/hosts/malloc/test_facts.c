/* test_facts.c - what the report is made of, read from a real heap and from the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <tidemark/tidemark.h>

#include "base/os.h"
#include "hosts/malloc/report.h"

static void the_kernels_peak_is_read_from_status(void **state)
{
  (void)state;
  assert_int_equal(tm__facts_peak_rss("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t   1234 kB\n"),
                   1234 * 1024);
  assert_int_equal(tm__facts_peak_rss("Name:\tVmHWM:\t1 kB\n"), 0);
  assert_int_equal(tm__facts_peak_rss("Name:\tx\nVmHWM:\tnone\n"), 0);
  assert_int_equal(tm__facts_peak_rss(""), 0);
}

static void facts_of_a_real_heap(void **state)
{
  (void)state;
  tm_heap *heap;
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  tm_pool_config config;
  tm_pool *pools[TM__FACTS_POOLS + 2];
  tm_pool_config_init(&config);
  for (size_t i = 0; i < TM_ARRAY_LEN(pools); i++) {
    char name[] = "p?";
    name[1] = (char)('a' + (int)i);
    config.name = name;
    assert_int_equal(tm_pool_new(heap, &config, &pools[i]), 0);
    assert_non_null(tm_pool_alloc(pools[i], 1024 * (i + 1)));
  }
  tm__facts f;
  tm__facts_read(&f, heap, tm__os_now_ns());
  assert_int_equal(f.pid, getpid());
  assert_true(f.elapsed_ns < 1000000000);
  assert_true(f.peak_rss_bytes > 1u << 20);
  assert_non_null(strstr(f.command, "test_facts"));
  assert_int_equal(f.pool_count, TM__FACTS_POOLS);
  assert_int_equal(f.pools_left_out, 2);
  assert_string_equal(f.pools[0].name, "pj"); /* the most bytes first; unused ones not at all */
  assert_string_equal(f.pools[TM__FACTS_POOLS - 1].name, "pc");
  assert_int_equal(f.stats.live_blocks, TM_ARRAY_LEN(pools));

  char json[16384], short_json[16];
  size_t length = tm__facts_json(&f, heap, json, sizeof json);
  assert_true(length < sizeof json);
  assert_int_equal(strlen(json), length);
  assert_int_equal(tm__facts_json(&f, heap, short_json, sizeof short_json), length);
  assert_int_equal(tm__facts_json(&f, heap, NULL, 0), length);
  assert_non_null(strstr(json, "\"policy\":\"growth\",\"heap\":{"));
  assert_string_equal(json + length - 3, "}}\n");
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_kernels_peak_is_read_from_status),
      cmocka_unit_test(facts_of_a_real_heap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
