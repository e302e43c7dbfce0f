/*
 * test_safepoint.c - where requests meet the engine: when hooks run and when not (R1 to R5), what
 * the engine is told, the emergency round at the hard limit.
 */
#include "heap/safepoint.h"

#include <errno.h>

#include <tidemark/inform.h>

#include "support/books.h"
#include "support/clock.h"
#include "support/threads.h"

enum { MIB = 1 << 20 };

/* A host with garbage: its collect hook frees it. */
typedef struct host {
  tm_heap *heap;
  void *garbage[4000];
  size_t count;
  int collections, notified;
  bool allocates;        /* the hook allocates, too */
  uint64_t live_in_hook; /* what the books said in the last one */
  bool in_request;       /* a realloc or free is on its way: no hook may run */
  tm_event event;
} host;

static int collect(void *ctx, const tm_event *event)
{
  host *h = ctx;
  must(!h->in_request);
  h->collections++;
  h->event = *event;
  h->live_in_hook = books_stats(h->heap).live_bytes;
  must(tm_heap_check(h->heap) == 0);
  while (h->count)
    tm_free(h->heap, TM_OBJ, h->garbage[--h->count]);
  if (h->allocates) {
    void *p = tm_malloc(h->heap, TM_OBJ, 3 * MIB);
    tm_free(h->heap, TM_OBJ, p);
    must(tm_poll(h->heap) == 0); /* actions do not nest */
  }
  return TM_HOOK_DONE;
}

static void note(void *ctx, tm_heap *heap)
{
  host *h = ctx;
  must(heap == h->heap);
  h->notified++;
}

static host *host_new(tm_delivery delivery, uint64_t soft, uint64_t hard)
{
  static host h;
  memset(&h, 0, sizeof h);
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.delivery = delivery;
  config.soft_limit_bytes = soft;
  config.hard_limit_bytes = hard;
  must(tm_heap_new(&h.heap, &config) == 0);
  must(tm_hook_add(h.heap, TM_COLLECT, collect, &h, NULL) == 0);
  must(tm_notify_set(h.heap, note, &h) == 0);
  return &h;
}

static void host_end(host *h)
{
  books_must_balance(h->heap);
  must(tm_heap_close(h->heap) == 0);
}

static void make_garbage(host *h, size_t n)
{
  must(h->count < TM_ARRAY_LEN(h->garbage));
  void *p = tm_malloc(h->heap, TM_OBJ, n);
  must(p != NULL);
  h->garbage[h->count++] = p;
}

/* ---- Deferred ------------------------------------------------------------------------------- */

static void a_deferred_heap_acts_in_poll_only(void **state)
{
  (void)state;
  host *h = host_new(TM_DEFERRED, 8 * MIB, 0);
  while (books_stats(h->heap).live_bytes < 12 * MIB)
    make_garbage(h, 10000);
  assert_int_equal(h->collections, 0);
  assert_int_equal(h->notified, 1); /* once per edge */
  assert_int_equal(tm_pending(h->heap), 1);
  assert_true(tm_poll(h->heap) >= 1);
  assert_int_equal(h->collections, 1);
  assert_int_equal(h->event.kind, TM_COLLECT);
  assert_ptr_equal(h->event.heap, h->heap);
  assert_true(h->event.footprint_bytes >= 12 * MIB);
  assert_int_equal(h->event.soft_limit_bytes, 8 * MIB);
  assert_true(h->live_in_hook >= 12 * MIB);
  assert_int_equal(books_stats(h->heap).live_bytes, 0);
  host_end(h);
}

/* What a loop may test in place of a call: the same answer, at an address that stays. */
static void the_pending_word(void **state)
{
  (void)state;
  assert_null(tm_pending_word(NULL));
  host *h = host_new(TM_DEFERRED, 8 * MIB, 0);
  const volatile uint32_t *pending = tm_pending_word(h->heap);
  while (*pending == 0)
    make_garbage(h, 10000);
  assert_int_equal(tm_pending(h->heap), 1);
  assert_ptr_equal(tm_pending_word(h->heap), (const void *)(uintptr_t)pending);
  while (*pending != 0)
    (void)tm_poll(h->heap);
  assert_int_equal(tm_pending(h->heap), 0);
  assert_true(TM_STRESS_TRIP || h->collections >= 1); /* there the first request crosses */
  host_end(h);
}

static void garbage_comes_and_is_collected(void **state)
{
  (void)state;
  test_clock clock;
  test_clock_start(&clock);
  host *h = host_new(TM_DEFERRED, 16 * MIB, 0);
  for (int i = 0; i < 20000; i++) {
    make_garbage(h, 10000);
    if (tm_pending(h->heap))
      (void)tm_poll(h->heap);
    test_clock_move_ms(&clock, 1);
    must(books_stats(h->heap).footprint_bytes <= 18 * MIB);
  }
  assert_true(h->collections >= 5);
  host_end(h);
  test_clock_stop();
}

/* ---- Synchronous ---------------------------------------------------------------------------- */

/* R3: before the block is carved, so that the hook sees the heap without it. */
static void a_synchronous_heap_acts_in_malloc(void **state)
{
  (void)state;
  host *h = host_new(TM_SYNCHRONOUS, 8 * MIB, 0);
  size_t made = 0;
  while (!h->collections && made < 3000) {
    make_garbage(h, 10000);
    made++;
  }
  assert_int_equal(h->collections, 1);
  assert_in_range(made * 10240, TM_STRESS_TRIP ? 0 : 2 * MIB, 9 * MIB);
  assert_int_equal(h->live_in_hook, (made - 1) * 10240);
  assert_int_equal(h->count, 1); /* the block that was asked for came after */
  assert_int_equal(books_stats(h->heap).live_blocks, 1);
  host_end(h);
}

static void each_allocating_call_delivers(void **state)
{
  (void)state;
  for (int which = 0; which < 4; which++) {
    tm_pool *pool;
    tm_pool_config config;
    tm_pool_config_init(&config);
    host *h = host_new(TM_SYNCHRONOUS, 8 * MIB, 0);
    must(tm_pool_new(h->heap, &config, &pool) == 0);
    for (int i = 0; i < 40 && !h->collections; i++) {
      void *p = which == 0   ? tm_malloc(h->heap, TM_RAW, MIB)
                : which == 1 ? tm_calloc(h->heap, TM_RAW, 1, MIB)
                : which == 2 ? tm_aligned_alloc(h->heap, TM_RAW, 4096, MIB)
                             : tm_pool_alloc(pool, MIB);
      must(p != NULL);
    }
    assert_true(h->collections >= 1);
    host_end(h);
  }
}

/* R1, in each of their ways: in place, moving, large, out of a fixed pool, from NULL. */
static void realloc_and_free_run_no_hook(void **state)
{
  (void)state;
  tm_pool *fixed;
  tm_pool_config config;
  tm_pool_config_init(&config);
  config.kind = TM_POOL_FIXED;
  config.block_bytes = 1000;
  host *h = host_new(TM_SYNCHRONOUS, 4 * MIB, 0);
  must(tm_pool_new(h->heap, &config, &fixed) == 0);
  h->in_request = true;
  void *blocks[400];
  for (int i = 0; i < 400; i++)
    blocks[i] = tm_realloc(h->heap, TM_OBJ, NULL, 100);
  for (size_t n = 200; n <= 51200; n *= 2)
    for (int i = 0; i < 400; i++)
      must((blocks[i] = tm_realloc(h->heap, TM_OBJ, blocks[i], n)) != NULL);
  assert_true(books_stats(h->heap).live_bytes > 16 * MIB);
  assert_int_equal(tm_pending(h->heap), 1);
  for (int i = 0; i < 400; i++)
    must((blocks[i] = tm_realloc(h->heap, TM_OBJ, blocks[i], 200000)) != NULL);
  for (int i = 0; i < 400; i++)
    tm_free(h->heap, TM_OBJ, blocks[i]);
  assert_int_equal(h->collections, 0);
  h->in_request = false;
  void *p = tm_pool_alloc(fixed, 1000);
  h->in_request = true;
  tm_inform(h->heap, "x", 64 * MIB);
  must((p = tm_realloc(h->heap, TM_OBJ, p, 5000)) != NULL);
  tm_free(h->heap, TM_OBJ, p);
  tm_inform(h->heap, "x", -64 * MIB);
  h->in_request = false;
  host_end(h);
}

/* R5: it may allocate, and what it crosses meanwhile does not nest. */
static void a_hook_may_allocate(void **state)
{
  (void)state;
  for (int delivery = TM_DEFERRED; delivery <= TM_SYNCHRONOUS; delivery++) {
    host *h = host_new((tm_delivery)delivery, 8 * MIB, 0);
    h->allocates = true;
    for (int i = 0; i < 1500; i++) {
      make_garbage(h, 10000);
      if (delivery == TM_DEFERRED && tm_pending(h->heap))
        (void)tm_poll(h->heap);
    }
    assert_true(h->collections >= 1);
    host_end(h);
  }
}

/* ---- The hard limit -------------------------------------------------------------------------- */

/* R4: one emergency round, one retry. */
static void a_synchronous_heap_collects_before_it_fails(void **state)
{
  (void)state;
  host *h = host_new(TM_SYNCHRONOUS, 0, 8 * MIB);
  for (int i = 0; i < 6; i++)
    make_garbage(h, MIB);
  int before = h->collections;
  void *p = tm_malloc(h->heap, TM_MEM, 7 * MIB);
  assert_non_null(p);
  assert_true(h->collections > before);
  assert_int_equal(books_stats(h->heap).live_bytes, 7 * MIB);
  assert_int_equal(books_stats(h->heap).failures_total[TM_FAIL_LIMIT], 0);
  tm_free(h->heap, TM_MEM, p);
  host_end(h);
}

static void what_cannot_fit_fails_once(void **state)
{
  (void)state;
  host *h = host_new(TM_SYNCHRONOUS, 0, 8 * MIB);
  void *keep = tm_malloc(h->heap, TM_MEM, 6 * MIB);
  assert_non_null(keep);
  errno = 0;
  assert_null(tm_malloc(h->heap, TM_MEM, 3 * MIB));
  assert_int_equal(errno, ENOMEM);
  assert_int_equal(books_stats(h->heap).failures_total[TM_FAIL_LIMIT], 1);
  assert_int_equal(books_stats(h->heap).live_bytes, 6 * MIB);
  int after_first = h->collections;
  for (int i = 0; i < 100; i++) /* decision 6: no round each time */
    assert_null(tm_malloc(h->heap, TM_MEM, 3 * MIB));
  assert_true(h->collections <= after_first + 1);
  assert_non_null(tm_malloc(h->heap, TM_MEM, 2 * MIB)); /* what fits is granted */
  host_end(h);
}

static void a_deferred_heap_just_fails(void **state)
{
  (void)state;
  host *h = host_new(TM_DEFERRED, 0, 8 * MIB);
  while (books_stats(h->heap).live_bytes < 7 * MIB)
    make_garbage(h, 100000);
  assert_null(tm_malloc(h->heap, TM_MEM, 3 * MIB));
  assert_int_equal(h->collections, 0);
  assert_int_equal(tm_pending(h->heap), 1); /* and the host learns of it */
  (void)tm_poll(h->heap);
  assert_int_equal(h->collections, 1);
  assert_non_null(tm_malloc(h->heap, TM_MEM, 3 * MIB));
  host_end(h);
}

/* ---- Debt ------------------------------------------------------------------------------------ */

/* Debt is gross, and looked at only when the footprint is at the trip: what the host frees by hand
 * is never asked for, however much of it there was. */
static void debt_waits_for_the_footprint(void **state)
{
  (void)state;
  if (TM_STRESS_TRIP) {
    print_message("SKIP: stress-trip crosses at every request\n");
    skip();
  }
  tm_policy policy;
  tm_policy_init(&policy);
  policy.kinds = TM_POLICY_DEBT;
  host *h = host_new(TM_DEFERRED, 0, 0);
  assert_int_equal(tm_policy_set(h->heap, &policy), 0);
  make_garbage(h, 4 * MIB);
  for (int i = 0; i < 200; i++) { /* 12 times D */
    void *p = tm_malloc(h->heap, TM_MEM, MIB);
    assert_non_null(p);
    tm_free(h->heap, TM_MEM, p);
  }
  assert_int_equal(tm_pending(h->heap), 0);
  assert_int_equal(h->notified, 0);
  while (!tm_pending(h->heap))
    make_garbage(h, MIB);
  assert_in_range(tm_footprint(h->heap), 16 * MIB,
                  17 * MIB + 4096); /* T = U + (D - A) at the look */
  assert_int_equal(tm_poll(h->heap), 1);
  assert_int_equal(h->event.reasons, TM_REASON_DEBT);
  host_end(h);
}

/* ---- Limits --------------------------------------------------------------------------------- */

static void limits_can_be_read_back(void **state)
{
  (void)state;
  host *h = host_new(TM_DEFERRED, 0, 0);
  assert_int_equal(tm_limit_get(h->heap, TM_SOFT), 0);
  assert_int_equal(tm_limit_set(h->heap, TM_HARD, 100 * MIB), 0);
  assert_int_equal(tm_limit_set(h->heap, TM_SOFT, 101 * MIB), TM_EINVAL);
  assert_int_equal(tm_limit_set(h->heap, TM_SOFT, 80 * MIB), 0);
  assert_int_equal(tm_limit_set(h->heap, TM_HARD, 60 * MIB), 0); /* lowers soft with it */
  assert_int_equal(tm_limit_get(h->heap, TM_SOFT), 60 * MIB);
  assert_int_equal(tm_limit_set(h->heap, TM_HARD, -1), TM_EINVAL);
  assert_int_equal(tm_limit_set(h->heap, (tm_limit_kind)2, 1), TM_EINVAL);
  assert_int_equal(tm_limit_set(NULL, TM_HARD, 1), TM_EINVAL);
  assert_int_equal(tm_limit_set(h->heap, TM_HARD, 0), 0);
  assert_int_equal(tm_limit_get(h->heap, TM_HARD), 0);
  assert_int_equal(tm_limit_get(NULL, TM_HARD), 0);
  host_end(h);
}

static void lowering_a_limit_can_cross(void **state)
{
  (void)state;
  host *h = host_new(TM_DEFERRED, 64 * MIB, 0);
  for (int i = 0; i < 3; i++)
    make_garbage(h, MIB);
  int before = h->notified;
  assert_int_equal(tm_limit_set(h->heap, TM_SOFT, 2 * MIB), 0);
  assert_int_equal(tm_pending(h->heap), 1);
  assert_int_equal(h->notified, before + (TM_STRESS_TRIP ? 0 : 1));
  host_end(h);
}

static void calls_without_a_heap(void **state)
{
  (void)state;
  uint64_t cursor = 0;
  tm_record record;
  tm_action_row row;
  assert_int_equal(tm_poll(NULL), TM_EINVAL);
  assert_int_equal(tm_pending(NULL), 0);
  assert_int_equal(tm_next_due_ns(NULL), 0);
  assert_int_equal(tm_hook_add(NULL, TM_COLLECT, collect, NULL, NULL), TM_EINVAL);
  assert_int_equal(tm_notify_set(NULL, note, NULL), TM_EINVAL);
  assert_int_equal(tm_policy_set(NULL, NULL), TM_EINVAL);
  assert_int_equal(tm_policy_get(NULL, NULL), TM_EINVAL);
  assert_int_equal(tm_pressure_post(NULL, TM_PRESSURE_LOW), TM_EINVAL);
  assert_int_equal(tm_log_read(NULL, &cursor, &record), TM_EINVAL);
  assert_int_equal(tm_action_stats_read(NULL, TM_COLLECT, &row), TM_EINVAL);
}

/* ---- Threads -------------------------------------------------------------------------------- */

typedef struct crowd {
  tm_heap *heap;
  _Atomic(int) collections, inside;
} crowd;

static int collect_alone(void *ctx, const tm_event *event)
{
  crowd *c = ctx;
  (void)event;
  must(atomic_fetch_add(&c->inside, 1) == 0); /* one action at a time */
  atomic_fetch_add(&c->collections, 1);
  /* It looks at the lists of threads that rest; that they do, ThreadSanitizer cannot know. */
  if (!TM_TSAN)
    (void)tm_heap_check(c->heap);
  atomic_fetch_sub(&c->inside, 1);
  return TM_HOOK_DONE;
}

static void work_in_the_crowd(void *ctx, unsigned index)
{
  crowd *c = ctx;
  void *ring[512] = {NULL};
  for (unsigned i = 0; i < 20000; i++) {
    tm_free(c->heap, TM_OBJ, ring[i % 512]);
    ring[i % 512] = tm_malloc(c->heap, TM_OBJ, 4000 + index);
    if (i % 16 == 0)
      (void)tm_poll(c->heap);
  }
  for (int i = 0; i < 512; i++)
    tm_free(c->heap, TM_OBJ, ring[i]);
}

static void threads_poll_one_at_a_time(void **state)
{
  (void)state;
  for (int delivery = TM_DEFERRED; delivery <= TM_SYNCHRONOUS; delivery++) {
    crowd c = {.heap = NULL};
    tm_heap_config config;
    tm_heap_config_init(&config);
    config.threads = TM_MANY_THREADS;
    config.delivery = (tm_delivery)delivery;
    config.soft_limit_bytes = MIB; /* one thread alone has more */
    must(tm_heap_new(&c.heap, &config) == 0);
    must(tm_hook_add(c.heap, TM_COLLECT, collect_alone, &c, NULL) == 0);
    threads_run(8, work_in_the_crowd, &c);
    assert_true(atomic_load(&c.collections) >= 1);
    assert_int_equal(books_stats(c.heap).live_bytes, 0);
    books_must_balance(c.heap);
    assert_int_equal(tm_heap_close(c.heap), 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_deferred_heap_acts_in_poll_only),
      cmocka_unit_test(the_pending_word),
      cmocka_unit_test(garbage_comes_and_is_collected),
      cmocka_unit_test(a_synchronous_heap_acts_in_malloc),
      cmocka_unit_test(each_allocating_call_delivers),
      cmocka_unit_test(realloc_and_free_run_no_hook),
      cmocka_unit_test(a_hook_may_allocate),
      cmocka_unit_test(a_synchronous_heap_collects_before_it_fails),
      cmocka_unit_test(what_cannot_fit_fails_once),
      cmocka_unit_test(a_deferred_heap_just_fails),
      cmocka_unit_test(debt_waits_for_the_footprint),
      cmocka_unit_test(limits_can_be_read_back),
      cmocka_unit_test(lowering_a_limit_can_cross),
      cmocka_unit_test(calls_without_a_heap),
      cmocka_unit_test(threads_poll_one_at_a_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
