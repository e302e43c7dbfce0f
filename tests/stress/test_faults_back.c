/*
 * test_faults_back.c - every call to the operating system fails, the first, the second, ... once or
 * from then on, under what gives memory back and so cannot fail itself: frees of every kind, blocks
 * that shrink or stay, the ends of threads, pools and heaps; and under the first use of a process,
 * which can. Requests that can fail are in test_faults.c. Each case is a process of its own.
 */
#include <errno.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>
#include <tidemark/pool.h>

#include "base/os.h"
#include "heap/arena.h"
#include "misuse/crime.h"
#include "support/books.h"
#include "support/pages.h"
#include "support/threads.h"

enum { MIB = 1 << 20, SMALLS = 2000, MEDIUMS = 40, LARGES = 6, HANDLES = 1200 };

/* A heap at work that leaves no room for dirt: what is freed is purged at once. */
typedef struct scene {
  tm_heap *heap;
  tm_pool *pool;
  tm_handle handles[HANDLES];
  void *smalls[SMALLS], *mediums[MEDIUMS], *larges[LARGES], *pooled[SMALLS];
  uint64_t live_blocks; /* that must be left after the call */
} scene;

/* ---- The calls ------------------------------------------------------------------------------- */

static void free_all(scene *s, void **blocks, size_t count, size_t step)
{
  for (size_t i = 0; i < count; i += step) {
    errno = 1234;
    tm_free(s->heap, TM_OBJ, blocks[i]);
    must_equal(errno, 1234); /* a refused purge is nothing that a caller should see */
    blocks[i] = NULL;
    s->live_blocks--;
  }
}

static void free_smalls(scene *s)
{
  free_all(s, s->smalls, SMALLS, 1);
}

static void free_mediums(scene *s)
{
  free_all(s, s->mediums, MEDIUMS, 1);
}

static void free_larges(scene *s)
{
  free_all(s, s->larges, LARGES, 1);
}

static void free_pooled(scene *s)
{
  for (size_t i = 0; i < SMALLS; i++, s->live_blocks--)
    tm_pool_free(s->pool, s->pooled[i]);
  must(tm_pool_delete(s->pool) == 0);
}

static void free_handles(scene *s)
{
  for (size_t i = 0; i < HANDLES; i++, s->live_blocks--)
    must(tm_handle_free(s->heap, s->handles[i]) == 0);
}

/* All but one in twenty go, and the rest is moved together. */
static void compact_handles(scene *s)
{
  for (size_t i = 0; i < HANDLES; i++)
    if (i % 20) {
      must(tm_handle_free(s->heap, s->handles[i]) == 0);
      s->live_blocks--;
    }
  (void)tm_handles_compact(s->heap);
  for (size_t i = 0; i < HANDLES; i += 20) {
    const unsigned char *p = tm_handle_lock(s->heap, s->handles[i]);
    must(p && p[0] == 0x5a && p[99] == 0x5a);
    must(tm_handle_unlock(s->heap, s->handles[i]) == 0);
  }
}

/* Down to a tenth in each size: may move or stay, and may be refused, which loses nothing. */
static void shrink_all(scene *s)
{
  for (size_t i = 0; i < LARGES; i++) {
    unsigned char *p = tm_realloc(s->heap, TM_OBJ, s->larges[i], MIB / 10);
    s->larges[i] = p ? p : s->larges[i];
    p = s->larges[i];
    must(p[0] == 0x5a && p[MIB / 10 - 1] == 0x5a);
  }
  for (size_t i = 0; i < MEDIUMS; i++) {
    unsigned char *p = tm_realloc(s->heap, TM_OBJ, s->mediums[i], 4000);
    s->mediums[i] = p ? p : s->mediums[i];
    p = s->mediums[i];
    must(p[0] == 0x5a && p[3999] == 0x5a);
  }
}

/* Up by a little, in place where it can, else moved. */
static void grow_all(scene *s)
{
  for (size_t i = 0; i < LARGES; i++) {
    unsigned char *p = tm_realloc(s->heap, TM_OBJ, s->larges[i], MIB + MIB / 2);
    s->larges[i] = p ? p : s->larges[i];
    p = s->larges[i];
    must(p[0] == 0x5a && p[MIB - 1] == 0x5a);
  }
}

/* The room that is left for dirt comes to an end. */
static void trim_and_limit(scene *s)
{
  must(tm_limit_set(s->heap, TM_SOFT, 0) == 0);
  free_all(s, s->smalls, SMALLS, 1);
  free_all(s, s->larges, LARGES, 1);
  must(tm_limit_set(s->heap, TM_SOFT, MIB) == 0);
  must(tm_poll(s->heap) >= 0);
  (void)tm_trim(s->heap);
}

static void trim_among_survivors(scene *s)
{
  for (size_t i = 0; i < SMALLS; i++)
    if (i % 100) {
      tm_free(s->heap, TM_OBJ, s->smalls[i]);
      s->live_blocks--;
    }
  (void)tm_trim(s->heap);
  for (size_t i = 0; i < SMALLS; i += 100)
    must_equal(*(unsigned char *)s->smalls[i], 0x5a);
}

static void be_a_thread(void *ctx, unsigned index)
{
  scene *s = ctx;
  for (unsigned i = index; i < SMALLS; i += 2) { /* of the other thread, and its own */
    tm_free(s->heap, TM_OBJ, s->smalls[i]);
    void *p = tm_malloc(s->heap, TM_OBJ, 100 + i % 3000);
    tm_free(s->heap, TM_OBJ, p); /* may be NULL */
  }
}

static void threads_end(scene *s)
{
  threads_run(1, be_a_thread, s);
  s->live_blocks -= SMALLS / 2;
}

static void close_another(scene *s)
{
  (void)s;
  tm_heap *other;
  if (tm_heap_new(&other, NULL))
    return;
  for (size_t n = 10; n < 4 * MIB; n *= 3)
    (void)tm_malloc(other, TM_RAW, n);
  must(tm_heap_close(other) == 0);
}

static void read_all(scene *s)
{
  static char text[1 << 16];
  uint64_t cursor = 0;
  tm_record record;
  must(tm_stats_json(s->heap, text, sizeof text) < sizeof text);
  must(books_stats(s->heap).live_blocks == s->live_blocks);
  while (tm_log_read(s->heap, &cursor, &record) == 1)
    continue;
  tm_inform(s->heap, "x", 100);
  tm_inform(s->heap, "x", -100);
  tm_peak_reset(s->heap);
}

typedef struct call {
  const char *name;
  void (*fn)(scene *s);
  bool asks; /* of the OS: a sweep in which it never does proves nothing */
} call;

static const call calls[] = {
    {"free small", free_smalls, true},
    {"free medium", free_mediums, true},
    {"free large", free_larges, true},
    {"pool_free and pool_delete", free_pooled, true},
    {"handle_free", free_handles, true},
    {"handles_compact", compact_handles, true},
    {"realloc to less", shrink_all, true},
    {"realloc to more", grow_all, true},
    {"limit, poll, trim", trim_and_limit, true},
    {"trim among survivors", trim_among_survivors, true},
    {"the end of a thread", threads_end, true},
    {"heap_close", close_another, true},
    {"readers", read_all, false},
};

/* ---- One case -------------------------------------------------------------------------------- */

static void *filled(void *p, size_t n)
{
  must(p != NULL);
  return memset(p, 0x5a, n);
}

static void set_the_scene(scene *s)
{
  tm_pool_config pool;
  tm_heap_config config;
  tm_heap_config_init(&config);
  tm_pool_config_init(&pool);
  config.threads = TM_MANY_THREADS;
  must(tm_heap_new(&s->heap, &config) == 0);
  must(tm_pool_new(s->heap, &pool, &s->pool) == 0);
  for (size_t i = 0; i < SMALLS; i++) {
    s->smalls[i] = filled(tm_malloc(s->heap, TM_OBJ, 500), 500);
    s->pooled[i] = filled(tm_pool_alloc(s->pool, 500), 500);
  }
  for (size_t i = 0; i < MEDIUMS; i++)
    s->mediums[i] = filled(tm_malloc(s->heap, TM_OBJ, 50000), 50000);
  for (size_t i = 0; i < LARGES; i++)
    s->larges[i] = filled(tm_malloc(s->heap, TM_OBJ, MIB), MIB);
  for (size_t i = 0; i < HANDLES; i++) {
    must(tm_handle_new(s->heap, 500, &s->handles[i]) == 0);
    (void)filled(tm_handle_lock(s->heap, s->handles[i]), 500);
    must(tm_handle_unlock(s->heap, s->handles[i]) == 0);
  }
  must(tm_limit_set(s->heap, TM_SOFT, MIB) == 0); /* far exceeded */
  (void)tm_poll(s->heap);
  tm_free(s->heap, TM_OBJ, tm_malloc(s->heap, TM_OBJ, MIB)); /* a request that asks sees it */
  s->live_blocks = 2 * SMALLS + MEDIUMS + LARGES + HANDLES;
  must_equal(books_stats(s->heap).live_blocks, s->live_blocks);
  books_must_balance(s->heap);
}

/* The OS is back: nothing that was refused is lost, and all of it can be given back now. */
static void must_recover(scene *s)
{
  must_equal(books_stats(s->heap).live_blocks, s->live_blocks);
  books_must_balance(s->heap);
  books_must_balance(tm_heap_default());
  (void)tm_trim(s->heap);
  must_equal(books_stats(tm_heap_default()).dirty_bytes, 0);
  must_equal(tm_trim(s->heap), 0);
  /* and the kernel holds no more for us than the books say */
  uint64_t committed = books_stats(s->heap).committed_bytes;
  committed += books_stats(tm_heap_default()).committed_bytes;
  must(tm__os_resident(tm__arena.base, (size_t)tm__arena_top() << TM_SLICE_SHIFT) <= committed);
  void *p = filled(tm_malloc(s->heap, TM_OBJ, 5 * MIB), 5 * MIB);
  tm_free(s->heap, TM_OBJ, p);
  p = filled(tm_calloc(s->heap, TM_OBJ, 1, 500), 500);
  tm_free(s->heap, TM_OBJ, p);
  books_must_balance(s->heap);
  must(tm_heap_close(s->heap) == 0);
  (void)tm_trim(tm_heap_default());
  must_equal(books_stats(tm_heap_default()).dirty_bytes, 0);
  books_must_balance(tm_heap_default());
}

enum { EXIT_CLEAN = 40, EXIT_REACHED, DENSE = TEST_TSAN ? 4 : 10 };

typedef struct fault_case {
  const call *call;
  unsigned nth;
  bool sticky;
} fault_case;

static void run_case(const void *arg)
{
  const fault_case *c = arg;
  static scene s;
  set_the_scene(&s);
  unsigned long called = tm__os_calls();
  tm__os_fault(c->nth, c->sticky);
  c->call->fn(&s);
  tm__os_fault(0, false);
  bool reached = tm__os_calls() - called >= c->nth;
  must_recover(&s);
  _exit(reached ? EXIT_REACHED : EXIT_CLEAN);
}

/* N = 1, 2, ... until the call needs no more than that; beyond the first ones in larger steps. */
static void sweep(const call *one, bool sticky)
{
  unsigned reached = 0;
  for (unsigned nth = 1;; nth += nth < DENSE ? 1 : nth / 3) {
    crime_scene end;
    fault_case c = {one, nth, sticky};
    crime_commit(run_case, &c, &end);
    int code = WIFEXITED(end.status) ? WEXITSTATUS(end.status) : -1;
    if (code != EXIT_CLEAN && code != EXIT_REACHED)
      print_error("%s, call %u%s, status %#x:\n%s\n", one->name, nth, sticky ? " and on" : "",
                  (unsigned)end.status, end.text);
    assert_true(code == EXIT_CLEAN || code == EXIT_REACHED);
    if (code == EXIT_CLEAN)
      break;
    reached = nth;
    assert_true(nth < 100000);
  }
  if (one->asks != (reached > 0))
    print_error("%s: %u calls to the OS\n", one->name, reached);
  assert_true(one->asks == (reached > 0));
}

static void each_fault_once(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(calls); i++)
    sweep(&calls[i], false);
}

static void each_fault_and_all_after_it(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(calls); i++)
    sweep(&calls[i], true);
}

/* ---- The first use of a process -------------------------------------------------------------- */

static void first_is_malloc(void)
{
  void *p = tm_malloc(tm_heap_default(), TM_RAW, 100);
  must(p || errno == ENOMEM);
  tm_free(tm_heap_default(), TM_RAW, p);
}

static void first_is_large(void)
{
  void *p = tm_calloc(tm_heap_default(), TM_RAW, 1, MIB);
  must(p || errno == ENOMEM);
  tm_free(tm_heap_default(), TM_RAW, p);
}

static void first_is_heap_new(void)
{
  tm_heap *heap = NULL;
  int error = tm_heap_new(&heap, NULL);
  must(error == 0 ? heap && tm_heap_close(heap) == 0 : error == TM_ENOMEM && !heap);
}

static void first_is_a_reader(void)
{
  tm_stats stats;
  tm_stats_init(&stats);
  (void)tm_stats_read(tm_heap_default(), &stats);
  int error = tm_heap_check(tm_heap_default());
  must(error == 0 || error == TM_ENOMEM);
  (void)tm_trim(tm_heap_default());
  must(tm_poll(tm_heap_default()) >= 0);
  must(!tm_owns(&stats) && tm_usable_size(&stats) == 0);
}

static void first_is_a_limit(void)
{
  tm_pool *pool;
  tm_handle handle;
  tm_pool_config config;
  tm_pool_config_init(&config);
  must(tm_limit_set(tm_heap_default(), TM_HARD, 10 * MIB) == 0);
  tm_inform(tm_heap_default(), "x", 10);
  tm_inform(tm_heap_default(), "x", -10);
  int error = tm_pool_new(tm_heap_default(), &config, &pool);
  must(error == 0 || error == TM_ENOMEM);
  must(error || tm_pool_delete(pool) == 0);
  error = tm_handle_new(tm_heap_default(), 100, &handle);
  must(error == 0 || error == TM_ENOMEM);
  must(error || tm_handle_free(tm_heap_default(), handle) == 0);
  must(tm_limit_set(tm_heap_default(), TM_HARD, 0) == 0);
}

static void first_in_a_thread(void *ctx, unsigned index)
{
  (void)ctx;
  (void)index;
  first_is_malloc();
}

static void first_is_in_a_thread(void)
{
  thread_run(first_in_a_thread, NULL);
}

typedef struct first_case {
  void (*fn)(void);
  unsigned nth;
  bool sticky;
} first_case;

static void run_first(const void *arg)
{
  const first_case *c = arg;
  must(tm__arena.bytes == 0);
  unsigned long called = tm__os_calls();
  tm__os_fault(c->nth, c->sticky);
  c->fn();
  tm__os_fault(0, false);
  bool reached = tm__os_calls() - called >= c->nth;
  void *p = filled(tm_malloc(tm_heap_default(), TM_RAW, 5 * MIB), 5 * MIB);
  must_equal(books_stats(tm_heap_default()).live_blocks, 1);
  books_must_balance(tm_heap_default());
  tm_free(tm_heap_default(), TM_RAW, p);
  c->fn();
  must_equal(books_stats(tm_heap_default()).live_blocks, 0);
  books_must_balance(tm_heap_default());
  _exit(reached ? EXIT_REACHED : EXIT_CLEAN);
}

static void the_first_use_may_fail(void **state)
{
  (void)state;
  static void (*const firsts[])(void) = {first_is_malloc,   first_is_large,   first_is_heap_new,
                                         first_is_a_reader, first_is_a_limit, first_is_in_a_thread};
  for (size_t i = 0; i < 2 * TM_ARRAY_LEN(firsts); i++) {
    int code = EXIT_REACHED;
    for (unsigned nth = 1; code == EXIT_REACHED; nth++) {
      crime_scene end;
      first_case c = {firsts[i / 2], nth, i % 2};
      crime_commit(run_first, &c, &end);
      code = WIFEXITED(end.status) ? WEXITSTATUS(end.status) : -1;
      if (code != EXIT_CLEAN && code != EXIT_REACHED)
        print_error("first %zu, call %u, status %#x:\n%s\n", i, nth, (unsigned)end.status,
                    end.text);
      assert_true(code == EXIT_REACHED || (code == EXIT_CLEAN && nth > 2));
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_use_may_fail), /* first: this process has not used it yet */
      cmocka_unit_test(each_fault_once),
      cmocka_unit_test(each_fault_and_all_after_it),
  };
  pages_stay_small();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
