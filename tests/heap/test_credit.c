/*
 * test_credit.c - the hard limit to the byte, with one thread that asks while others hold credit,
 * after refusals, informs and lowered limits.
 */
#include "heap/credit.h"

#include <errno.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "heap/large.h"
#include "support/books.h"
#include "support/random.h"
#include "support/threads.h"

enum { MIB = 1 << 20 };

static tm_heap *heap_of(tm_threads threads)
{
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = threads;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  return heap;
}

static void needs_every_grant(void)
{
  if (TM_STRESS_OOM) {
    print_message("SKIP: this build refuses requests at random\n");
    skip();
  }
}

static void needs_a_quantum(void)
{
  if (TM_STRESS_TRIP) {
    print_message("SKIP: in this build every request asks: there is no quantum\n");
    skip();
  }
}

static uint64_t charge_of(size_t n)
{
  return n > TM_BLOCK_MAX ? tm__large_usable(n) : tm__class_bytes[tm__class_of(n)];
}

/* The law of credit.h: what was granted is never below what is live. */
static void law_must_hold(tm_heap *heap)
{
  must(atomic_load(&heap->limit_sum) >= (int64_t)books_stats(heap).live_bytes);
}

/* ---- One thread: granted if and only if it fits ---------------------------------------------- */

typedef struct model {
  tm_heap *heap;
  test_random random;
  void *blocks[300];
  size_t count;
  int64_t footprint, informed, limit;
} model;

/* A request is granted iff the footprint with its charge is within the limit. */
static void step_alloc(model *m)
{
  size_t n = random_size(&m->random);
  int64_t charge = (int64_t)charge_of(n);
  bool fits = m->footprint + charge <= m->limit;
  errno = 0;
  void *p = tm_malloc(m->heap, TM_MEM, n);
  if (TM_STRESS_OOM && fits && !p)
    return;
  must((p != NULL) == fits);
  must(fits || errno == ENOMEM);
  if (p) {
    m->blocks[m->count++] = p;
    m->footprint += charge;
  }
}

static void step_resize(model *m)
{
  size_t i = random_below(&m->random, m->count), n = random_size(&m->random);
  int64_t before = (int64_t)tm_usable_size(m->blocks[i]);
  bool grows = (int64_t)n > before;
  void *p = tm_realloc(m->heap, TM_MEM, m->blocks[i], n);
  must(p != NULL || grows);
  must(!grows || (p != NULL) == (m->footprint - before + (int64_t)charge_of(n) <= m->limit));
  m->blocks[i] = p ? p : m->blocks[i];
  m->footprint += (int64_t)tm_usable_size(m->blocks[i]) - before;
}

static void step_free(model *m)
{
  size_t i = random_below(&m->random, m->count);
  m->footprint -= (int64_t)tm_usable_size(m->blocks[i]);
  tm_free(m->heap, TM_MEM, m->blocks[i]);
  m->blocks[i] = m->blocks[--m->count];
}

static void step_inform(model *m)
{
  int64_t delta = (int64_t)random_below(&m->random, 400000) - 200000;
  delta = m->informed + delta < 0 ? -m->informed : delta;
  tm_inform(m->heap, "outside", delta);
  m->informed += delta;
  m->footprint += delta;
}

static void step_limit(model *m)
{
  m->limit = 200000 + (int64_t)random_below(&m->random, 2000000);
  must(tm_limit_set(m->heap, TM_HARD, m->limit) == 0);
}

static void step(model *m)
{
  uint64_t what = random_below(&m->random, 1000);
  if (what < 5)
    step_limit(m);
  else if (what < 30)
    step_inform(m);
  else if (m->count == 0 || (what < 600 && m->count < 300))
    step_alloc(m);
  else if (what < 750)
    step_resize(m);
  else
    step_free(m);
  must_equal(tm_footprint(m->heap), m->footprint);
}

static void run_model(tm_heap *heap, uint64_t seed)
{
  enum { STEPS = TEST_SANITIZED ? 10000 : 60000 };
  static model m;
  m = (model){.heap = heap, .random = {seed}};
  step_limit(&m);
  for (int i = 0; i < STEPS; i++) {
    step(&m);
    law_must_hold(heap);
  }
  while (m.count)
    step_free(&m);
  tm_inform(heap, "outside", -m.informed);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
}

static void exactly_what_fits_is_granted(void **state)
{
  (void)state;
  needs_every_grant();
  tm_heap *one = heap_of(TM_ONE_THREAD), *many = heap_of(TM_MANY_THREADS);
  run_model(one, 1);
  run_model(many, 2);
  run_model(tm_heap_default(), 3);
  assert_int_equal(tm_heap_close(one), 0);
  assert_int_equal(tm_heap_close(many), 0);
}

/* ---- Several threads hold credit ------------------------------------------------------------- */

enum { HOLDERS = 8 };

typedef struct holding {
  tm_heap *heap;
  pthread_barrier_t barrier;
  void *blocks[HOLDERS];
  uint64_t more[HOLDERS];
} holding;

static void wait_here(holding *h)
{
  (void)pthread_barrier_wait(&h->barrier);
}

/* Takes a block, and with it credit for more, that stays unused while the main thread works. */
static void hold_credit(holding *h, unsigned index)
{
  h->blocks[index] = tm_malloc(h->heap, TM_MEM, 1000);
  must(h->blocks[index] != NULL);
}

/* Blocks of 16 bytes until one is refused; returns how many bytes were granted. */
static uint64_t fill_up(tm_heap *heap)
{
  uint64_t bytes = 0;
  while (tm_malloc(heap, TM_MEM, 1))
    bytes += 16;
  return bytes;
}

static void holder(void *ctx, unsigned index)
{
  holding *h = ctx;
  hold_credit(h, index);
  wait_here(h);
  wait_here(h); /* the main thread fills the heap */
  h->more[index] = fill_up(h->heap);
  wait_here(h);
}

typedef void (*while_held_fn)(holding *h);

/* Runs `check` on the main thread while HOLDERS threads are parked with credit drawn. */
static void *holders_main(void *arg)
{
  threads_run(HOLDERS, holder, arg);
  return NULL;
}

static void with_holders(holding *h, while_held_fn check)
{
  pthread_t helper;
  (void)pthread_barrier_init(&h->barrier, NULL, HOLDERS + 1);
  must(pthread_create(&helper, NULL, holders_main, h) == 0);
  wait_here(h);
  check(h);
  wait_here(h);
  wait_here(h);
  must(pthread_join(helper, NULL) == 0);
  (void)pthread_barrier_destroy(&h->barrier);
}

/* What others hold and do not use is called back: the last byte can be had. */
static void take_all(holding *h)
{
  must(atomic_load(&h->heap->limit_sum) > (int64_t)books_stats(h->heap).live_bytes ||
       TM_STRESS_TRIP);
  uint64_t live = books_stats(h->heap).live_bytes;
  must_equal(live + fill_up(h->heap), 2 * MIB);
  must_equal(tm_footprint(h->heap), 2 * MIB);
}

static void unused_credit_of_others_is_called_back(void **state)
{
  (void)state;
  needs_every_grant();
  holding h = {.heap = heap_of(TM_MANY_THREADS)};
  assert_int_equal(tm_limit_set(h.heap, TM_HARD, 2 * MIB), 0);
  with_holders(&h, take_all);
  for (int i = 0; i < HOLDERS; i++)
    assert_int_equal(h.more[i], 0); /* their old credit is worth nothing now */
  assert_int_equal(tm_footprint(h.heap), 2 * MIB);
  assert_int_equal(tm_heap_close(h.heap), 0);
}

/* One request for all that is left, to the byte, and not one more. */
static void take_the_rest_at_once(holding *h)
{
  uint64_t rest = 2 * MIB - books_stats(h->heap).live_bytes, large = rest / 4096 * 4096;
  must(tm_malloc(h->heap, TM_MEM, large + 4096) == NULL);
  must(tm_malloc(h->heap, TM_MEM, large) != NULL);
  must_equal(fill_up(h->heap), rest - large);
}

static void the_rest_can_be_one_block(void **state)
{
  (void)state;
  needs_every_grant();
  holding h = {.heap = heap_of(TM_MANY_THREADS)};
  assert_int_equal(tm_limit_set(h.heap, TM_HARD, 2 * MIB), 0);
  with_holders(&h, take_the_rest_at_once);
  assert_int_equal(tm_footprint(h.heap), 2 * MIB);
  assert_int_equal(tm_heap_close(h.heap), 0);
}

/* Credit that was drawn on a higher limit, or before bytes were informed, is worth nothing. */
static void lower_the_limit(holding *h)
{
  must(tm_limit_set(h->heap, TM_HARD, (int64_t)books_stats(h->heap).live_bytes + 160) == 0);
  must_equal(books_stats(h->heap).slack_bytes, 0); /* nothing is out */
}

static void inform_nearly_all(holding *h)
{
  tm_inform(h->heap, "outside", 2 * MIB - 160 - (int64_t)books_stats(h->heap).live_bytes);
}

static void no_credit_outlives_the_limit(void **state)
{
  (void)state;
  static const while_held_fn changes[] = {lower_the_limit, inform_nearly_all};
  for (size_t i = 0; i < TM_ARRAY_LEN(changes); i++) {
    uint64_t more = 0;
    holding h = {.heap = heap_of(TM_MANY_THREADS)};
    assert_int_equal(tm_limit_set(h.heap, TM_HARD, 2 * MIB), 0);
    with_holders(&h, changes[i]);
    for (int t = 0; t < HOLDERS; t++)
      more += h.more[t];
    assert_true(more <= 160);
    assert_true(more == 160 || TM_STRESS_OOM);
    assert_int_equal(tm_heap_close(h.heap), 0);
  }
}

static void draw_and_end(void *ctx, unsigned index)
{
  tm_heap *heap = ctx;
  (void)index;
  tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 100));
}

static void a_thread_that_ends_gives_its_credit_back(void **state)
{
  (void)state;
  tm_heap *heap = heap_of(TM_MANY_THREADS);
  for (int i = 0; i < 20; i++)
    threads_run(8, draw_and_end, heap);
  assert_int_equal(atomic_load(&heap->limit_sum), 0);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- Limits below the footprint -------------------------------------------------------------- */

static void nothing_is_taken_away(void **state)
{
  (void)state;
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  unsigned char *p = tm_malloc(heap, TM_MEM, MIB), *q = tm_malloc(heap, TM_MEM, MIB);
  memset(p, 1, MIB);
  assert_int_equal(tm_limit_set(heap, TM_HARD, MIB + 64), 0);
  assert_int_equal(tm_footprint(heap), 2 * MIB);
  assert_null(tm_malloc(heap, TM_MEM, 1));
  assert_null(tm_realloc(heap, TM_MEM, p, MIB + 1));
  assert_int_equal(p[MIB - 1], 1);
  p = tm_realloc(heap, TM_MEM, p, MIB / 2); /* less is always granted */
  assert_non_null(p);
  assert_null(tm_malloc(heap, TM_MEM, 1));
  tm_free(heap, TM_MEM, q);
  assert_true(tm_malloc(heap, TM_MEM, MIB / 2 + 64 - 16) == NULL); /* charged whole OS pages */
  assert_true(tm_malloc(heap, TM_MEM, MIB / 2) != NULL || TM_STRESS_OOM);
  assert_int_equal(tm_heap_close(heap), 0);
}

static void informing_is_never_refused(void **state)
{
  (void)state;
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  assert_int_equal(tm_limit_set(heap, TM_HARD, MIB), 0);
  tm_inform(heap, "map", 5 * MIB);
  assert_int_equal(tm_footprint(heap), 5 * MIB);
  assert_null(tm_malloc(heap, TM_MEM, 1));
  tm_inform(heap, "map", -4 * MIB - 16);
  assert_true(tm_malloc(heap, TM_MEM, 1) != NULL || TM_STRESS_OOM);
  assert_null(tm_malloc(heap, TM_MEM, 1));
  assert_int_equal(tm_heap_close(heap), 0);
}

/* Regression by rule: a request that the OS refused gives the credit that it had drawn back. */
static void refused_by_the_os_costs_no_credit(void **state)
{
  (void)state;
  needs_every_grant();
  enum { LIMIT = 600 * MIB };
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  assert_int_equal(tm_limit_set(heap, TM_HARD, LIMIT), 0);
  for (int i = 0; i < 50; i++) {
    tm__os_fault(1, true);
    assert_null(tm_malloc(heap, TM_MEM, 500 * MIB));
    tm__os_fault(0, false);
  }
  void *p = tm_malloc(heap, TM_MEM, LIMIT);
  assert_non_null(p);
  assert_null(tm_malloc(heap, TM_MEM, 0));
  assert_int_equal(tm_footprint(heap), LIMIT);
  assert_int_equal(tm_heap_close(heap), 0);
}

/* ---- The quantum ----------------------------------------------------------------------------- */

/* Near the limit the quantum is small, far away it is not more than the largest. */
static void the_quantum_follows_the_room(void **state)
{
  (void)state;
  needs_a_quantum();
  tm_heap *heap = heap_of(TM_ONE_THREAD);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 4096 * (int64_t)MIB), 0);
  void *big = tm_malloc(heap, TM_MEM, 4095 * (size_t)MIB);
  assert_non_null(big);
  void *p = tm_malloc(heap, TM_MEM, 100);
  assert_in_range(books_stats(heap).slack_bytes, TM_QUANTUM_MIN, MIB / 8);
  tm_free(heap, TM_MEM, big);
  tm_free(heap, TM_MEM, p);
  for (int i = 0; i < 100000; i++)
    assert_true(tm_malloc(heap, TM_MEM, 1000) != NULL || TM_STRESS_OOM);
  assert_in_range(books_stats(heap).slack_bytes, TM_QUANTUM_MIN, TM_QUANTUM_MAX);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exactly_what_fits_is_granted),
      cmocka_unit_test(unused_credit_of_others_is_called_back),
      cmocka_unit_test(the_rest_can_be_one_block),
      cmocka_unit_test(no_credit_outlives_the_limit),
      cmocka_unit_test(a_thread_that_ends_gives_its_credit_back),
      cmocka_unit_test(nothing_is_taken_away),
      cmocka_unit_test(informing_is_never_refused),
      cmocka_unit_test(refused_by_the_os_costs_no_credit),
      cmocka_unit_test(the_quantum_follows_the_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
