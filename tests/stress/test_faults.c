/*
 * test_faults.c - every call to the operating system fails, the first, the second, ... once or from
 * then on, under every public function that may need one: a failed request changes failures_total
 * and nothing else, and later it works. Each case is a process of its own.
 */
#include <errno.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "heap/arena.h"
#include "heap/credit.h"
#include "misuse/crime.h"
#include "support/books.h"
#include "support/shadow.h"
#include "support/threads.h"

/* A heap at work, in a process whose memory is used up: the next page needs the OS. */
typedef struct scene {
  tm_heap *heap, *other; /* other: made by the call that is tested */
  tm_pool *pool, *fresh; /* fresh has no row in any shard */
  tm_handle handle, made;
  void *small, *large, *fixed; /* filled with 0x5a */
  void *got;                   /* what the call returned */
} scene;

enum { SMALL = 1000, LARGE = 3 << 20 };

static int ignore_item(void *ctx, const tm_walk_item *item)
{
  (void)ctx;
  (void)item;
  return 0;
}

static int do_nothing(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  return TM_HOOK_NOTHING;
}

/* ---- The calls ------------------------------------------------------------------------------ */

static bool call_malloc_small(scene *s)
{
  return (s->got = tm_malloc(s->heap, TM_MEM, 3000)) != NULL;
}

static bool call_malloc_medium(scene *s)
{
  return (s->got = tm_malloc(s->heap, TM_MEM, 40000)) != NULL;
}

static bool call_malloc_large(scene *s)
{
  return (s->got = tm_malloc(s->heap, TM_MEM, 50 << 20)) != NULL;
}

static bool call_calloc(scene *s)
{
  return (s->got = tm_calloc(s->heap, TM_MEM, 1 << 10, 5 << 10)) != NULL;
}

static bool call_aligned(scene *s)
{
  return (s->got = tm_aligned_alloc(s->heap, TM_MEM, 16 << 20, 100)) != NULL;
}

static bool call_realloc_null(scene *s)
{
  return (s->got = tm_realloc(s->heap, TM_MEM, NULL, 3000)) != NULL;
}

static bool call_realloc_small(scene *s)
{
  void *p = tm_realloc(s->heap, TM_MEM, s->small, 30000);
  s->small = p ? p : s->small;
  return p != NULL;
}

static bool call_realloc_to_large(scene *s)
{
  void *p = tm_realloc(s->heap, TM_MEM, s->small, LARGE);
  s->small = p ? p : s->small;
  return p != NULL;
}

static bool call_realloc_large(scene *s)
{
  void *p = tm_realloc(s->heap, TM_MEM, s->large, 10 * (size_t)LARGE);
  s->large = p ? p : s->large;
  return p != NULL;
}

static bool call_realloc_to_small(scene *s)
{
  void *p = tm_realloc(s->heap, TM_MEM, s->large, 2000);
  s->large = p ? p : s->large;
  return p != NULL;
}

static bool call_realloc_out_of_pool(scene *s)
{
  void *p = tm_realloc(s->heap, TM_OBJ, s->fixed, 3000);
  if (p)
    s->got = NULL, tm_free(s->heap, TM_OBJ, p);
  s->fixed = p ? NULL : s->fixed;
  return p != NULL;
}

static bool call_pool_alloc(scene *s)
{
  return (s->got = tm_pool_alloc(s->fresh, 100)) != NULL;
}

static bool call_handle_new(scene *s)
{
  return tm_handle_new(s->heap, 3000, &s->made) == 0;
}

static bool call_handles_compact(scene *s)
{
  (void)tm_handles_compact(s->heap);
  return true;
}

static bool call_pool_new(scene *s)
{
  tm_pool_config config;
  tm_pool_config_init(&config);
  return tm_pool_new(s->heap, &config, &s->fresh) == 0;
}

static bool call_heap_new(scene *s)
{
  int error = tm_heap_new(&s->other, NULL);
  must(error == 0 || error == TM_ENOMEM);
  return error == 0;
}

static bool call_check(scene *s)
{
  int error = tm_heap_check(s->heap);
  must(error == 0 || error == TM_ENOMEM);
  return error == 0;
}

static bool call_walk(scene *s)
{
  int error = tm_heap_walk(s->heap, ignore_item, NULL);
  must(error == 0 || error == TM_ENOMEM);
  return error == 0;
}

static bool call_trim(scene *s)
{
  (void)tm_trim(s->heap);
  return true;
}

/* Functions that need nothing and so cannot fail. */
static bool call_the_rest(scene *s)
{
  tm_inform(s->heap, "x", 100);
  tm_inform(s->heap, "x", -100);
  must(tm_limit_set(s->heap, TM_SOFT, 1 << 30) == 0);
  must(tm_limit_set(s->heap, TM_SOFT, 0) == 0);
  must(tm_handle_lock(s->heap, s->handle) != NULL);
  must(tm_handle_unlock(s->heap, s->handle) == 0);
  must(tm_should_move(s->small) == 0);
  must(tm_owns(s->small) == 1);
  must(tm_poll(s->heap) >= 0);
  return true;
}

static bool call_hook_add(scene *s)
{
  tm_hook *hook;
  int error = tm_hook_add(s->heap, TM_COLLECT, do_nothing, NULL, &hook);
  must(error == 0 || error == TM_ENOMEM);
  return error == 0 && tm_hook_remove(hook) == 0;
}

static void use_once(void *ctx, unsigned index)
{
  scene *s = ctx;
  (void)index;
  s->got = tm_malloc(s->heap, TM_RAW, 10);
}

/* A new thread needs a shard of its own. */
static bool call_from_a_new_thread(scene *s)
{
  thread_run(use_once, s);
  if (s->got)
    tm_free(s->heap, TM_RAW, s->got);
  return s->got ? (s->got = NULL, true) : false;
}

typedef struct call {
  const char *name;
  bool (*fn)(scene *s);
  bool request;  /* its failure is counted in failures_total */
  bool keeps;    /* it changes the books when it succeeds only */
  bool needs_os; /* without the OS it fails: a sweep in which it never does proves nothing */
} call;

static const call calls[] = {
    {"malloc small", call_malloc_small, true, true, true},
    {"malloc medium", call_malloc_medium, true, true, true},
    {"malloc large", call_malloc_large, true, true, true},
    {"calloc", call_calloc, true, true, true},
    {"aligned_alloc", call_aligned, true, true, true},
    {"realloc NULL", call_realloc_null, true, true, true},
    {"realloc small", call_realloc_small, true, true, true},
    {"realloc small to large", call_realloc_to_large, true, true, true},
    {"realloc large", call_realloc_large, true, true, true},
    {"realloc large to small", call_realloc_to_small, true, true, true},
    {"realloc out of a pool", call_realloc_out_of_pool, true, true, true},
    {"pool_alloc", call_pool_alloc, true, false, true}, /* the pool's row stays */
    {"handle_new", call_handle_new, true, true, true},
    {"handles_compact", call_handles_compact, false, true, false},
    {"pool_new", call_pool_new, false, true, false},
    {"heap_new", call_heap_new, false, true, true},
    {"heap_check", call_check, false, true, true},
    {"heap_walk", call_walk, false, true, true},
    {"trim", call_trim, false, false, false},
    {"the rest", call_the_rest, false, false, false},
    {"hook_add", call_hook_add, false, true, false},
    {"a new thread", call_from_a_new_thread, true, false, true},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

/* ---- The scene ------------------------------------------------------------------------------ */

/* Nothing that was prepared ahead is left: no free slice, no committed one, no bookkeeping. */
static void use_up(tm_heap *heap)
{
  enum { STEP = 512, CHUNK = 256 << 10 };
  while (tm__arena_top() % STEP != 0)
    must(tm_malloc(heap, TM_RAW, tm__arena_top() % STEP == STEP - 1 ? 16 : 65537) != NULL ||
         tm__arena_top() % STEP == 0);
  unsigned long before = tm__os_calls();
  while (tm__os_calls() == before)
    must(tm__meta_alloc(128) != NULL);
  must(tm__meta_alloc(CHUNK - 128) != NULL);
}

static void set_the_scene(scene *s, bool many)
{
  tm_pool_config pool;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = many ? TM_MANY_THREADS : TM_ONE_THREAD;
  must(tm_heap_new(&s->heap, &config) == 0);
  tm_pool_config_init(&pool);
  pool.kind = TM_POOL_FIXED;
  pool.block_bytes = 200;
  must(tm_pool_new(s->heap, &pool, &s->pool) == 0);
  must(tm_pool_new(s->heap, &pool, &s->fresh) == 0);
  s->fixed = tm_pool_alloc(s->pool, 200);
  s->small = tm_malloc(s->heap, TM_MEM, SMALL);
  s->large = tm_malloc(s->heap, TM_MEM, LARGE);
  memset(s->fixed, 0x5a, 200);
  memset(s->small, 0x5a, SMALL);
  memset(s->large, 0x5a, LARGE);
  must(tm_handle_new(s->heap, 100, &s->handle) == 0);
  while (tm__arena_top() % 512 == 0) /* use_up() begins inside a step */
    must(tm_malloc(s->heap, TM_RAW, 65537) != NULL);
  use_up(s->heap);
}

static void content_must_stand(const scene *s)
{
  const unsigned char *small = s->small, *large = s->large, *fixed = s->fixed;
  for (size_t i = 0; i < SMALL; i++)
    must_equal(small[i], 0x5a);
  for (size_t i = 0; i < (tm_usable_size(large) < LARGE ? 2000 : LARGE); i += 64)
    must_equal(large[i], 0x5a);
  for (size_t i = 0; fixed && i < 200; i++)
    must_equal(fixed[i], 0x5a);
}

/* ---- One case ------------------------------------------------------------------------------- */

typedef struct fault_case {
  const call *call;
  unsigned nth;
  bool sticky, many;
} fault_case;

enum { EXIT_CLEAN = 40, EXIT_SURVIVED, EXIT_FAILED };

static void check_failure(const fault_case *c, scene *s, const test_books *before, int error)
{
  test_books after;
  books_read(s->heap, &after);
  must_equal(books_failures(&after.stats) - books_failures(&before->stats), c->call->request);
  must_equal(after.stats.failures_total[TM_FAIL_OS] - before->stats.failures_total[TM_FAIL_OS],
             c->call->request);
  if (c->call->request && c->call->fn != call_from_a_new_thread)
    must_equal(error, ENOMEM);
  if (c->call->keeps)
    books_must_equal(before, &after);
  content_must_stand(s);
  /* and no credit either: what was drawn for the request has been given back */
  tm__credit_revoke(s->heap);
  must_equal(atomic_load(&s->heap->limit_sum), after.stats.live_bytes);
}

static void run_case(const void *arg)
{
  const fault_case *c = arg;
  scene s;
  test_books before;
  memset(&s, 0, sizeof s);
  set_the_scene(&s, c->many);
  books_read(s.heap, &before);
  unsigned long called = tm__os_calls();
  errno = 0;
  tm__os_fault(c->nth, c->sticky);
  bool done = c->call->fn(&s);
  int error = errno;
  tm__os_fault(0, false);
  bool reached = tm__os_calls() - called >= c->nth;
  must(done || reached);
  if (!done) {
    check_failure(c, &s, &before, error);
    must(c->call->fn(&s)); /* and now it works */
  }
  content_must_stand(&s);
  books_must_balance(s.heap);
  books_must_balance(tm_heap_default());
  must(s.other == NULL || tm_heap_close(s.other) == 0);
  must(tm_heap_close(s.heap) == 0);
  books_must_balance(tm_heap_default());
  _exit(!reached ? EXIT_CLEAN : done ? EXIT_SURVIVED : EXIT_FAILED);
}

/* N = 1, 2, ... until the call needs no more than that. */
static void sweep(const call *one, bool sticky, bool many)
{
  int failures = 0;
  for (unsigned nth = 1;; nth++) {
    crime_scene end;
    fault_case c = {one, nth, sticky, many};
    crime_commit(run_case, &c, &end);
    int code = WIFEXITED(end.status) ? WEXITSTATUS(end.status) : -1;
    if (code != EXIT_CLEAN && code != EXIT_SURVIVED && code != EXIT_FAILED) {
      print_error("%s, call %u%s, status %#x:\n%s\n", one->name, nth, sticky ? " and on" : "",
                  (unsigned)end.status, end.text);
      fail();
    }
    failures += code == EXIT_FAILED;
    if (code == EXIT_CLEAN)
      break;
    assert_true(nth < 50);
  }
  /* a single fault may be got round */
  if (sticky && one->needs_os != (failures > 0))
    print_error("%s failed %d times\n", one->name, failures);
  assert_true(!sticky || one->needs_os == (failures > 0));
}

static void each_fault_once(void **state)
{
  (void)state;
  for (int i = 0; i < CALLS; i++)
    sweep(&calls[i], false, true);
}

static void each_fault_and_all_after_it(void **state)
{
  (void)state;
  for (int i = 0; i < CALLS; i++)
    sweep(&calls[i], true, true);
}

static void heaps_for_one_thread_too(void **state)
{
  (void)state;
  for (int i = 0; i < CALLS; i++)
    if (calls[i].fn != call_from_a_new_thread)
      sweep(&calls[i], true, false);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_fault_once),
      cmocka_unit_test(each_fault_and_all_after_it),
      cmocka_unit_test(heaps_for_one_thread_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
