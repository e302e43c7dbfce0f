/*
 * test_suppressed.c - every reason why an action did not run, provoked on a living heap: found by
 * the iterator, in JSON, and in the row of the rung.
 */
#include <tidemark/inform.h>

#include "heap/safepoint.h"
#include "support/books.h"
#include "support/clock.h"

#define MIB ((int64_t)1 << 20)

static test_clock now;

/* A host whose bytes are told, not allocated: its hooks take time and tell of less. */
typedef struct host {
  tm_heap *heap;
  int64_t frees;
  unsigned takes_ms, runs, asked;
  bool polls; /* in its hook */
} host;

static int act(void *ctx, const tm_event *event)
{
  host *h = ctx;
  if (event->kind == TM_NEAR_LIMIT)
    h->asked++;
  else
    h->runs++;
  test_clock_move_ms(&now, h->takes_ms);
  if (h->polls)
    must(tm_poll(h->heap) == 0 && tm_poll(h->heap) == 0);
  if (h->frees)
    tm_inform(h->heap, "data", -h->frees);
  return TM_HOOK_DONE;
}

static void host_new(host *h, tm_delivery delivery, int64_t soft, int64_t hard)
{
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.name = "held";
  config.delivery = delivery;
  config.soft_limit_bytes = (uint64_t)soft;
  config.hard_limit_bytes = (uint64_t)hard;
  must(tm_heap_new(&h->heap, &config) == 0);
}

static void hook(host *h, tm_hook_kind kind)
{
  must(tm_hook_add(h->heap, kind, act, h, NULL) == 0);
}

/* The log has it, with a reason and the numbers of the moment; so have JSON and the rung's row. */
static void said(host *h, tm_verdict verdict, const char *name, tm_hook_kind kind)
{
  tm_record r, found = {0};
  tm_action_row row;
  uint64_t cursor = 0;
  char json[1024], part[64];
  while (tm_log_read(h->heap, &cursor, &r) == 1)
    if (r.verdict == verdict)
      found = r;
  if (!found.sequence)
    fail_msg("nothing in the log says %s", name);
  assert_string_equal(found.heap, "held");
  assert_int_equal(found.kind, kind);
  assert_int_equal(found.result, -1); /* no hook was called */
  assert_true(found.footprint_before_bytes > 0 && found.trip_before_bytes > 0);
  assert_int_equal(found.soft_limit_bytes, tm_limit_get(h->heap, TM_SOFT));
  assert_int_equal(found.hard_limit_bytes, tm_limit_get(h->heap, TM_HARD));
  assert_true(tm_record_json(&found, json, sizeof json) < sizeof json);
  (void)snprintf(part, sizeof part, "\"verdict\":\"%s\"", name);
  assert_non_null(strstr(json, part));
  assert_int_equal(tm_action_stats_read(h->heap, kind, &row), 1);
  assert_true(row.suppressed_total[verdict] >= 1);
  assert_int_equal(tm_heap_close(h->heap), 0);
}

static void no_hook(void **state)
{
  (void)state;
  host h = {0};
  host_new(&h, TM_DEFERRED, 0, 0);
  tm_inform(h.heap, "data", 5 * MIB);
  assert_int_equal(tm_poll(h.heap), 0);
  assert_int_equal(tm_pending(h.heap), 0); /* nobody could do anything later, either */
  said(&h, TM_SUPPRESSED_NO_HOOK, "no_hook", TM_COLLECT);
}

/* Caches that were dropped a moment ago are above the soft limit still. */
static void floor_of_bytes(void **state)
{
  (void)state;
  host h = {.frees = 4 * MIB};
  host_new(&h, TM_DEFERRED, 32 * MIB, 0);
  hook(&h, TM_DROP_CACHES);
  tm_inform(h.heap, "data", 40 * MIB);
  assert_int_equal(tm_poll(h.heap), 1);
  assert_int_equal(tm_pending(h.heap), 1);
  tm_inform(h.heap, "data", MIB); /* bytes make it due */
  assert_int_equal(tm_poll(h.heap), 1);
  said(&h, TM_SUPPRESSED_FLOOR, "floor", TM_DROP_CACHES);
}

static void cooldown(void **state)
{
  (void)state;
  host h = {.frees = 5 * MIB, .takes_ms = 10};
  host_new(&h, TM_DEFERRED, 0, 0);
  hook(&h, TM_COLLECT);
  tm_inform(h.heap, "data", 5 * MIB);
  assert_int_equal(tm_poll(h.heap), 1);
  tm_inform(h.heap, "data", 5 * MIB);
  assert_int_equal(tm_poll(h.heap), 0);
  assert_int_equal(tm_pending(h.heap), 1); /* decision 3: suppressed is not lost */
  assert_int_equal(tm_next_due_ns(h.heap), atomic_load(&now.now_ns) + 40 * 1000000);
  test_clock_move_ms(&now, 40);
  assert_int_equal(tm_poll(h.heap), 1);
  said(&h, TM_SUPPRESSED_COOLDOWN, "cooldown", TM_COLLECT);
}

static void cap(void **state)
{
  (void)state;
  host h = {.frees = 5 * MIB, .takes_ms = 3000};
  tm_policy policy;
  tm_policy_init(&policy);
  policy.cpu_cap_percent = 10;
  host_new(&h, TM_DEFERRED, 0, 0);
  assert_int_equal(tm_policy_set(h.heap, &policy), 0);
  hook(&h, TM_COLLECT);
  tm_inform(h.heap, "data", 5 * MIB);
  assert_int_equal(tm_poll(h.heap), 1);
  test_clock_move_ms(&now, 12000); /* cool again, and 1.67 s of the 3 are not paid back */
  tm_inform(h.heap, "data", 5 * MIB);
  assert_int_equal(tm_poll(h.heap), 0);
  test_clock_move_ms(&now, (tm_next_due_ns(h.heap) - atomic_load(&now.now_ns)) / 1000000 + 1);
  assert_int_equal(tm_poll(h.heap), 1);
  said(&h, TM_SUPPRESSED_CAP, "cap", TM_COLLECT);
}

static void reentrant(void **state)
{
  (void)state;
  host h = {.frees = 5 * MIB, .polls = true};
  host_new(&h, TM_DEFERRED, 0, 0);
  hook(&h, TM_COLLECT);
  tm_inform(h.heap, "data", 5 * MIB);
  assert_int_equal(tm_poll(h.heap), 1);
  said(&h, TM_SUPPRESSED_REENTRANT, "reentrant", TM_COLLECT);
}

/* A cache that gave nothing is not asked again for a need like that one. */
static void yield(void **state)
{
  (void)state;
  host h = {0};
  host_new(&h, TM_DEFERRED, 32 * MIB, 0);
  hook(&h, TM_DROP_CACHES);
  tm_inform(h.heap, "data", 40 * MIB);
  assert_int_equal(tm_poll(h.heap), 1);
  tm_inform(h.heap, "data", 8 * MIB);
  assert_int_equal(tm_poll(h.heap), 0);
  said(&h, TM_SUPPRESSED_YIELD, "yield", TM_DROP_CACHES);
}

/*
 * Regression: each emergency round found just enough for its request, so none of them failed, and
 * the host collected for half of its time: in a round nobody looked at the strikes. Four runs that
 * took most of the time and freed less than 5 % near the wall are enough: NEAR_LIMIT is asked, and
 * for a second requests that do not fit fail at once.
 */
static void rounds_that_find_just_enough(void **state)
{
  (void)state;
  host h = {.frees = 3 * MIB, .takes_ms = 50};
  void *kept[100];
  size_t count = 0;
  host_new(&h, TM_SYNCHRONOUS, 0, 100 * MIB);
  hook(&h, TM_COLLECT);
  hook(&h, TM_NEAR_LIMIT);
  tm_inform(h.heap, "data", 90 * MIB);
  unsigned failed = 0;
  for (int i = 0; i < 30 && !failed; i++) {
    kept[count] = tm_malloc(h.heap, TM_RAW, 2 * MIB);
    failed += !kept[count];
    count += kept[count] != NULL;
    h.frees = h.asked ? 0 : 3 * MIB; /* what it is asked for in the end, it has not */
    test_clock_move_ms(&now, 1);
  }
  assert_int_equal(failed, 1);
  assert_int_equal(h.asked, 1);
  assert_in_range(h.runs, 4, 6);
  unsigned runs = h.runs;
  for (int i = 0; i < 900; i++) {
    assert_null(tm_malloc(h.heap, TM_RAW, 8 * MIB));
    test_clock_move_ms(&now, 1);
  }
  assert_int_equal(h.runs, runs);
  while (count)
    tm_free(h.heap, TM_RAW, kept[--count]);
  said(&h, TM_SUPPRESSED_INEFFECTIVE, "ineffective", TM_COLLECT);
}

static int start_clock(void **state)
{
  (void)state;
  test_clock_start(&now);
  return 0;
}

static int stop_clock(void **state)
{
  (void)state;
  test_clock_stop();
  return 0;
}

int main(void)
{
#define TIMED(test) cmocka_unit_test_setup_teardown(test, start_clock, stop_clock)
  const struct CMUnitTest tests[] = {
      TIMED(no_hook),
      TIMED(floor_of_bytes),
      TIMED(cooldown),
      TIMED(cap),
      TIMED(reentrant),
      TIMED(yield),
      TIMED(rounds_that_find_just_enough),
  };
  if (TM_STRESS_TRIP) {
    print_message("SKIP: stress-trip acts at every crossing\n");
    return 0;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
