/* test_heap.c - making, finding and ending heaps; fork of a quiet process. */
#include "heap/heap.h"

#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "heap/arena.h"
#include "misuse/crime.h"
#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

static tm_heap *heap_of(tm_threads threads)
{
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = threads;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  return heap;
}

/* ---- Configuration -------------------------------------------------------------------------- */

static void the_defaults_are_documented(void **state)
{
  (void)state;
  tm_heap_config config;
  tm_heap_config_init(&config);
  assert_int_equal(config.size, sizeof config);
  assert_string_equal(config.name, "heap");
  assert_int_equal(config.delivery, TM_DEFERRED);
  assert_int_equal(config.threads, TM_ONE_THREAD);
  assert_int_equal(config.soft_limit_bytes, 0);
  assert_int_equal(config.hard_limit_bytes, 0);
}

static void must_be_invalid(const tm_heap_config *config)
{
  tm_heap *heap = (tm_heap *)&config;
  assert_int_equal(tm_heap_new(&heap, config), TM_EINVAL);
  assert_ptr_equal(heap, &config);
}

static void bad_configs_are_refused(void **state)
{
  (void)state;
  tm_heap_config good, bad;
  tm_heap_config_init(&good);
  assert_int_equal(tm_heap_new(NULL, &good), TM_EINVAL);
  assert_int_equal(tm_heap_new(NULL, NULL), TM_EINVAL);
  bad = good, bad.size = 0, must_be_invalid(&bad);
  bad = good, bad.size = sizeof good + 1, must_be_invalid(&bad);
  bad = good, bad.delivery = (tm_delivery)2, must_be_invalid(&bad);
  bad = good, bad.delivery = (tm_delivery)-1, must_be_invalid(&bad);
  bad = good, bad.threads = (tm_threads)2, must_be_invalid(&bad);
  bad = good, bad.soft_limit_bytes = 11, bad.hard_limit_bytes = 10, must_be_invalid(&bad);
  bad = good, bad.hard_limit_bytes = UINT64_MAX, must_be_invalid(&bad);
  bad = good, bad.soft_limit_bytes = (uint64_t)1 << 63, must_be_invalid(&bad);
}

static void a_heap_is_as_configured(void **state)
{
  (void)state;
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.name = "the name of a heap, longer than 31 bytes";
  config.soft_limit_bytes = 10 << 20;
  config.hard_limit_bytes = 20 << 20;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  assert_string_equal(tm_heap_name(heap), "the name of a heap, longer than");
  assert_int_equal(tm_limit_get(heap, TM_SOFT), 10 << 20);
  assert_int_equal(tm_limit_get(heap, TM_HARD), 20 << 20);
  assert_null(tm_malloc(heap, TM_RAW, 21 << 20));
  assert_int_equal(tm_heap_close(heap), 0);
  config.name = NULL;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  assert_string_equal(tm_heap_name(heap), "heap");
  assert_int_equal(tm_heap_close(heap), 0);
  assert_int_equal(tm_heap_new(&heap, NULL), 0);
  assert_string_equal(tm_heap_name(heap), "heap");
  assert_int_equal(tm_limit_get(heap, TM_HARD), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- Finding -------------------------------------------------------------------------------- */

static void the_default_heap_is_always_the_same(void **state)
{
  (void)state;
  tm_heap *d = tm_heap_default();
  assert_non_null(d);
  assert_ptr_equal(tm_heap_default(), d);
  assert_string_equal(tm_heap_name(d), "default");
  assert_int_equal(tm_heap_close(d), TM_EINVAL);
  assert_int_equal(tm_heap_close(NULL), TM_EINVAL);
  assert_string_equal(tm_heap_name(NULL), "");
}

static void heaps_can_be_listed(void **state)
{
  (void)state;
  tm_heap *a = heap_of(TM_ONE_THREAD), *b = heap_of(TM_ONE_THREAD);
  assert_ptr_equal(tm_heap_at(0), tm_heap_default());
  assert_ptr_equal(tm_heap_at(1), a);
  assert_ptr_equal(tm_heap_at(2), b);
  assert_null(tm_heap_at(3));
  assert_int_equal(tm_heap_close(a), 0);
  assert_ptr_equal(tm_heap_at(1), b);
  assert_null(tm_heap_at(2));
  assert_int_equal(tm_heap_close(b), 0);
  assert_null(tm_heap_at(1));
}

/* ---- Ending --------------------------------------------------------------------------------- */

static void closing_frees_everything(void **state)
{
  (void)state;
  tm_heap *d = tm_heap_default();
  for (int threads = TM_ONE_THREAD; threads <= TM_MANY_THREADS; threads++) {
    storm s = {.heap = heap_of((tm_threads)threads), .most_blocks = 3000, .random = {12}};
    storm_pools(s.heap, s.pools);
    for (int i = 0; i < 20000; i++)
      storm_step(&s);
    tm_inform(s.heap, "gpu", 1 << 20);
    uint64_t held = books_stats(s.heap).committed_bytes - books_stats(s.heap).meta_bytes;
    uint64_t dirty = books_stats(d).dirty_bytes;
    assert_true(held > 0);
    assert_int_equal(tm_heap_close(s.heap), 0);
    assert_int_equal(books_stats(d).dirty_bytes, dirty + held); /* its pages, dirty */
    shadow_drop(&s.shadow);
    (void)tm_trim(d);
    books_must_balance(d);
  }
}

static int collect_and_close(void *ctx, const tm_event *event)
{
  *(int *)ctx = tm_heap_close(event->heap);
  return TM_HOOK_DONE;
}

static void closing_in_a_hook_is_busy(void **state)
{
  (void)state;
  int result = 99;
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  assert_int_equal(tm_hook_add(heap, TM_COLLECT, collect_and_close, &result, NULL), 0);
  assert_int_equal(tm_limit_set(heap, TM_SOFT, 2 << 20), 0);
  assert_non_null(tm_malloc(heap, TM_RAW, 4 << 20));
  assert_int_equal(tm_pending(heap), 1);
  assert_true(tm_poll(heap) > 0);
  assert_int_equal(result, TM_EBUSY);
  assert_int_equal(tm_heap_check(heap), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- Again and again ------------------------------------------------------------------------ */

static void use_a_little(void *ctx, unsigned index)
{
  tm_heap *heap = ctx;
  void *p = tm_malloc(heap, TM_MEM, 100 + index);
  must(p != NULL);
  tm_free(heap, TM_MEM, p);
  must(tm_malloc(heap, TM_OBJ, 1 << 17) != NULL); /* left for the close */
}

/* All that a heap can have: pools with rows, handles, tags, blocks, several threads. */
static void live_once(tm_threads threads, bool others)
{
  tm_pool *pools[STORM_POOLS];
  tm_handle handle;
  tm_heap *heap = heap_of(threads);
  storm_pools(heap, pools);
  for (int i = 0; i < STORM_POOLS; i++)
    must(tm_pool_alloc(pools[i], 10) != NULL);
  must(tm_handle_new(heap, 10, &handle) == 0);
  tm_inform(heap, "map", 100);
  use_a_little(heap, 0);
  if (others)
    threads_run(3, use_a_little, heap);
  must(tm_heap_close(heap) == 0);
}

/* Regression: heaps for many threads left a shard behind with each close, and each heap with pools
 * the rows of its shards. */
static void heaps_come_and_go_without_growth(void **state)
{
  (void)state;
  enum { WARM = 20, TIMES = TEST_SANITIZED ? 300 : 2000 };
  tm_heap *d = tm_heap_default();
  for (int kind = 0; kind < 3; kind++) {
    tm_stats before = books_stats(d);
    for (int i = 0; i < WARM + TIMES; i++) {
      if (i == WARM)
        before = books_stats(d);
      live_once(kind ? TM_MANY_THREADS : TM_ONE_THREAD, kind == 2 && i % 20 == 0);
    }
    tm_stats after = books_stats(d);
    /* how many of the threads run at once, and so how many shards a heap has, is the machine's */
    assert_true(after.meta_bytes <= before.meta_bytes + (256 << 10));
    assert_int_equal(after.reserved_bytes - after.meta_bytes,
                     before.reserved_bytes - before.meta_bytes);
    assert_true(after.dirty_bytes <= before.dirty_bytes + (4 << 20));
  }
}

/* A thread that outlives heaps it has used does not keep their shards. */
static void a_thread_forgets_closed_heaps(void **state)
{
  (void)state;
  enum { HEAPS = 200 };
  static tm_heap *heaps[HEAPS];
  tm_heap *d = tm_heap_default();
  uint64_t before = 0;
  for (int round = 0; round < 6; round++) {
    if (round == 2)
      before = books_stats(d).meta_bytes;
    for (unsigned i = 0; i < HEAPS; i++)
      use_a_little(heaps[i] = heap_of(TM_MANY_THREADS), i);
    for (unsigned i = 0; i < HEAPS; i++) /* oldest first, newest first */
      must(tm_heap_close(heaps[round % 2 ? i : HEAPS - 1 - i]) == 0);
  }
  assert_true(books_stats(d).meta_bytes <= before + (64 << 10));
}

/* ---- Threads that end while a heap is closed ------------------------------------------------- */

typedef struct ending {
  tm_heap *heap;
  pthread_barrier_t used, go;
} ending;

/* Uses the heap, and has ended with it, long before it ends itself. */
static void *use_and_end(void *arg)
{
  ending *e = arg;
  use_a_little(e->heap, 0);
  (void)pthread_barrier_wait(&e->used);
  (void)pthread_barrier_wait(&e->go);
  return NULL;
}

/* Regression: the end of a thread gave back its shard of a heap that was being closed. */
static void threads_may_end_while_a_heap_is_closed(void **state)
{
  (void)state;
  enum { ENDERS = 4, TIMES = TEST_SANITIZED ? 100 : 400 };
  ending e;
  (void)pthread_barrier_init(&e.used, NULL, ENDERS + 1);
  (void)pthread_barrier_init(&e.go, NULL, ENDERS + 1);
  for (int i = 0; i < TIMES; i++) {
    pthread_t threads[ENDERS];
    e.heap = heap_of(TM_MANY_THREADS);
    for (int t = 0; t < ENDERS; t++)
      must(pthread_create(&threads[t], NULL, use_and_end, &e) == 0);
    (void)pthread_barrier_wait(&e.used);
    (void)pthread_barrier_wait(&e.go);
    must(tm_heap_close(e.heap) == 0);
    for (int t = 0; t < ENDERS; t++)
      must(pthread_join(threads[t], NULL) == 0);
  }
  (void)pthread_barrier_destroy(&e.used);
  (void)pthread_barrier_destroy(&e.go);
  books_must_balance(tm_heap_default());
}

/* ---- The wrong heap ------------------------------------------------------------------------- */

static void free_through_another_heap(const void *arg)
{
  tm_heap *a, *b;
  size_t n = *(const size_t *)arg;
  must(tm_heap_new(&a, NULL) == 0 && tm_heap_new(&b, NULL) == 0);
  tm_free(b, TM_MEM, crime_launder(tm_malloc(a, TM_MEM, n)));
}

static void resize_through_another_heap(const void *arg)
{
  tm_heap *a;
  size_t n = *(const size_t *)arg;
  must(tm_heap_new(&a, NULL) == 0);
  void *p = crime_launder(tm_malloc(tm_heap_default(), TM_MEM, n));
  must(tm_realloc(a, TM_MEM, p, 2 * n) == NULL);
}

static void a_block_of_another_heap_is_reported(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 3000, 60000, 1 << 20};
  for (size_t i = 0; i < 4; i++) {
    crime_expect_abort("free", free_through_another_heap, &sizes[i], "tidemark: fatal: wrong heap");
    crime_expect_abort("realloc", resize_through_another_heap, &sizes[i],
                       "tidemark: fatal: wrong heap");
  }
}

/* ---- Start-up in a process that has nothing -------------------------------------------------- */

/* Each OS call of start-up fails once, or from then on: requests fail, and later work. */
static void start_up_with_faults(const void *arg)
{
  unsigned nth = *(const unsigned *)arg % 100;
  bool sticky = *(const unsigned *)arg >= 100;
  tm__os_fault(nth, sticky);
  tm_heap *d = tm_heap_default(), *heap = NULL;
  must(d != NULL);
  void *p = tm_malloc(d, TM_RAW, 100);
  must(p == NULL || tm_owns(p));
  must(tm_heap_new(&heap, NULL) == 0 || heap == NULL);
  tm_free(d, TM_RAW, NULL);
  must(tm_usable_size(NULL) == 0);
  tm__os_fault(0, false);
  p = tm_malloc(d, TM_RAW, 100);
  must(p != NULL && tm_owns(p));
  tm_free(d, TM_RAW, p);
  must(tm_heap_check(d) == 0);
}

static int run_alone(crime_fn fn, const void *arg)
{
  crime_scene scene;
  crime_commit(fn, arg, &scene);
  if (scene.status)
    print_error("%s\n", scene.text);
  return scene.status;
}

/* A soft limit bounds what the process keeps dirty, but not longer than its heap lives. */
static void a_closed_heap_bounds_nothing(void **state)
{
  (void)state;
  tm_heap_config config;
  tm_heap *heap;
  tm_heap_config_init(&config);
  config.soft_limit_bytes = 1 << 20;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  for (int i = 0; i < 40; i++) /* each asks: the bound is set */
    tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 900 << 10));
  assert_int_equal(tm_heap_close(heap), 0);
  (void)tm_trim(tm_heap_default());
  void *p = tm_malloc(tm_heap_default(), TM_MEM, 32 << 20);
  must(p != NULL);
  memset(p, 1, 32 << 20);
  tm_free(tm_heap_default(), TM_MEM, p);
  tm_free(tm_heap_default(), TM_MEM, tm_malloc(tm_heap_default(), TM_MEM, 5 << 20));
  assert_true(books_stats(tm_heap_default()).dirty_bytes >= 32 << 20);
  (void)tm_trim(tm_heap_default());
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_closed_heap_bounds_nothing),
      cmocka_unit_test(the_defaults_are_documented),
      cmocka_unit_test(bad_configs_are_refused),
      cmocka_unit_test(a_heap_is_as_configured),
      cmocka_unit_test(the_default_heap_is_always_the_same),
      cmocka_unit_test(heaps_can_be_listed),
      cmocka_unit_test(closing_frees_everything),
      cmocka_unit_test(closing_in_a_hook_is_busy),
      cmocka_unit_test(heaps_come_and_go_without_growth),
      cmocka_unit_test(a_thread_forgets_closed_heaps),
      cmocka_unit_test(threads_may_end_while_a_heap_is_closed),
      cmocka_unit_test(a_block_of_another_heap_is_reported),
  };
  for (unsigned sticky = 0; sticky <= 100; sticky += 100)
    for (unsigned nth = 1; nth <= 30; nth++) {
      unsigned arg = sticky + nth; /* before this process has a heap, in a child each */
      must(run_alone(start_up_with_faults, &arg) == 0);
    }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
