/* test_handle.c - blocks named by handles: locks, errors, moves under the host's feet, books. */
#include <errno.h>

#include <tidemark/gc.h>

#include "base/os.h"
#include "heap/types.h"
#include "support/books.h"
#include "support/random.h"
#include "support/threads.h"

static tm_heap *heap;

static int new_heap(void **state)
{
  (void)state;
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  tm__os_fault(0, false);
  books_must_balance(heap);
  return tm_heap_close(heap);
}

static tm_handle handle_of(tm_heap *in, size_t n)
{
  tm_handle handle = {0};
  must(tm_handle_new(in, n, &handle) == 0);
  must(handle.id != 0);
  return handle;
}

static void write_to(tm_heap *in, tm_handle handle, size_t n, unsigned seed)
{
  unsigned char *p = tm_handle_lock(in, handle);
  must(p != NULL);
  memset(p, (int)(seed & 255), n);
  must(tm_handle_unlock(in, handle) == 0);
}

static void must_read(tm_heap *in, tm_handle handle, size_t n, unsigned seed)
{
  const unsigned char *p = tm_handle_lock(in, handle);
  must(p != NULL);
  for (size_t i = 0; i < n; i++)
    must_equal(p[i], seed & 255);
  must(tm_handle_unlock(in, handle) == 0);
}

/* ---- Locks and errors ----------------------------------------------------------------------- */

static void a_handle_names_a_block_of_obj(void **state)
{
  (void)state;
  static const size_t sizes[] = {0, 1, 100, 5000, 70000, 3 << 20};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    tm_handle handle = handle_of(heap, sizes[i]);
    unsigned char *p = tm_handle_lock(heap, handle);
    assert_non_null(p);
    assert_true(tm_usable_size(p) >= sizes[i]);
    assert_int_equal(books_stats(heap).live_bytes, tm_usable_size(p));
    tm_pool_row row;
    assert_int_equal(tm_pool_stats_read(heap, TM_OBJ, &row), 1);
    assert_int_equal(row.live_blocks, 1);
    assert_int_equal(tm_handle_unlock(heap, handle), 0);
    assert_int_equal(tm_handle_free(heap, handle), 0);
    assert_int_equal(books_stats(heap).live_bytes, 0);
  }
}

static void locks_nest(void **state)
{
  (void)state;
  tm_handle handle = handle_of(heap, 10);
  void *p = tm_handle_lock(heap, handle);
  assert_ptr_equal(tm_handle_lock(heap, handle), p);
  assert_int_equal(tm_handle_unlock(heap, handle), 0);
  assert_int_equal(tm_handle_free(heap, handle), TM_EBUSY);
  assert_int_equal(tm_handle_unlock(heap, handle), 0);
  assert_int_equal(tm_handle_unlock(heap, handle), TM_EINVAL);
  assert_int_equal(tm_handle_free(heap, handle), 0);
}

static void wrong_arguments(void **state)
{
  (void)state;
  tm_handle handle = {7}, none = {0}, far = {(uint64_t)1 << 31};
  assert_int_equal(tm_handle_new(NULL, 1, &handle), TM_EINVAL);
  assert_int_equal(tm_handle_new(heap, 1, NULL), TM_EINVAL);
  assert_int_equal(handle.id, 7);
  assert_null(tm_handle_lock(NULL, handle));
  assert_null(tm_handle_lock(heap, none));
  assert_null(tm_handle_lock(heap, far));
  assert_int_equal(tm_handle_unlock(heap, none), TM_EINVAL);
  assert_int_equal(tm_handle_unlock(NULL, none), TM_EINVAL);
  assert_int_equal(tm_handle_free(heap, none), TM_EINVAL);
  assert_int_equal(tm_handle_free(heap, far), TM_EINVAL);
  assert_int_equal(tm_handle_free(NULL, none), TM_EINVAL);
  assert_int_equal(tm_handles_compact(NULL), 0);
  assert_int_equal(tm_handles_compact(heap), 0);
}

/* A handle that was freed names nothing, also when its place in the table is taken again. */
static void freed_handles_are_stale(void **state)
{
  (void)state;
  tm_handle old = handle_of(heap, 10);
  assert_int_equal(tm_handle_free(heap, old), 0);
  for (int i = 0; i < 100; i++) {
    tm_handle now = handle_of(heap, 10);
    assert_int_not_equal(now.id, old.id);
    assert_null(tm_handle_lock(heap, old));
    assert_int_equal(tm_handle_unlock(heap, old), TM_EINVAL);
    assert_int_equal(tm_handle_free(heap, old), TM_EINVAL);
    assert_int_equal(tm_handle_free(heap, now), 0);
  }
}

/* ---- The table and its books ---------------------------------------------------------------- */

static void many_handles(void **state)
{
  (void)state;
  enum { N = 20000 };
  static tm_handle handles[N];
  for (unsigned i = 0; i < N; i++) {
    handles[i] = handle_of(heap, 24);
    write_to(heap, handles[i], 24, i);
  }
  assert_int_equal(books_stats(heap).live_blocks, N);
  for (unsigned i = 0; i < N; i++)
    must_read(heap, handles[i], 24, i);
  for (unsigned i = 0; i < N; i++)
    must(tm_handle_free(heap, handles[i]) == 0);
  assert_int_equal(books_stats(heap).live_bytes, 0);
}

/* Regression: the table's memory was booked on the heap but not on the process, so that the default
 * heap's share, a difference, was too small by it, and even negative. */
static void the_table_is_in_the_books_once(void **state)
{
  (void)state;
  enum { N = 200000 };
  static tm_handle handles[N];
  tm_heap *d = tm_heap_default();
  uint64_t before = books_stats(d).meta_bytes, mine = books_stats(heap).meta_bytes;
  for (unsigned i = 0; i < N; i++)
    handles[i] = handle_of(heap, 1);
  assert_true(books_stats(heap).meta_bytes > mine + N * 16);
  /* what the arena needs for the new pages is the default heap's */
  assert_in_range(books_stats(d).meta_bytes, before, before + 200000);
  for (unsigned i = 0; i < N; i++)
    must(tm_handle_free(heap, handles[i]) == 0);
  before = books_stats(d).meta_bytes;
  for (unsigned i = 0; i < N; i++)
    handles[i] = handle_of(d, 1);
  assert_true(books_stats(d).meta_bytes > before + N * 16);
  for (unsigned i = 0; i < N; i++)
    must(tm_handle_free(d, handles[i]) == 0);
  books_must_balance(d);
}

/* Regression: a handle whose table could not grow had made and freed a block. */
static void a_refused_handle_changes_nothing(void **state)
{
  (void)state;
  test_books before, after;
  tm_handle handle = {7};
  tm_free(heap, TM_OBJ, tm_malloc(heap, TM_OBJ, 10)); /* there is a page: only the table is left */
  books_read(heap, &before);
  tm__os_fault(1, true);
  errno = 0;
  assert_int_equal(tm_handle_new(heap, 10, &handle), TM_ENOMEM);
  tm__os_fault(0, false);
  assert_int_equal(handle.id, 7);
  books_read(heap, &after);
  books_must_equal(&before, &after);
  assert_int_equal(after.stats.failures_total[TM_FAIL_OS], 1);
  assert_int_equal(tm_handle_new(heap, (size_t)PTRDIFF_MAX + 1, &handle), TM_ENOMEM);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 1), 0);
  assert_int_equal(tm_handle_new(heap, 10, &handle), TM_ENOMEM);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
  handle = handle_of(heap, 10);
  assert_int_equal(tm_handle_free(heap, handle), 0);
}

/* ---- Moving --------------------------------------------------------------------------------- */

enum { MOVED = 4000, BYTES = 200, KEEP = 10 };

/* Makes handles and frees all but one in KEEP: sparse pages. */
static void make_sparse(tm_heap *in, tm_handle *handles)
{
  for (unsigned i = 0; i < MOVED; i++) {
    handles[i] = handle_of(in, BYTES);
    write_to(in, handles[i], BYTES, i);
  }
  for (unsigned i = 0; i < MOVED; i++)
    if (i % KEEP)
      must(tm_handle_free(in, handles[i]) == 0);
}

static void compaction_empties_pages_and_keeps_content(void **state)
{
  (void)state;
  static tm_handle handles[MOVED];
  make_sparse(heap, handles);
  uint64_t pages = books_stats(heap).pages, live = books_stats(heap).live_bytes;
  uint64_t moved = 0;
  for (int i = 0; i < 10; i++)
    moved += tm_handles_compact(heap);
  assert_true(moved > 0);
  (void)tm_trim(heap);
  tm_stats after = books_stats(heap);
  assert_int_equal(after.live_bytes, live);
  assert_true(after.pages <= pages / 4);
  for (unsigned i = 0; i < MOVED; i += KEEP)
    must_read(heap, handles[i], BYTES, i);
  for (unsigned i = 0; i < MOVED; i += KEEP)
    must(tm_handle_free(heap, handles[i]) == 0);
}

static void locked_blocks_stay(void **state)
{
  (void)state;
  static tm_handle handles[MOVED];
  static void *at[MOVED];
  make_sparse(heap, handles);
  for (unsigned i = 0; i < MOVED; i += KEEP)
    at[i] = tm_handle_lock(heap, handles[i]);
  assert_int_equal(tm_handles_compact(heap), 0);
  for (unsigned i = 0; i < MOVED; i += KEEP) {
    assert_ptr_equal(tm_handle_lock(heap, handles[i]), at[i]);
    must(tm_handle_unlock(heap, handles[i]) == 0 && tm_handle_unlock(heap, handles[i]) == 0);
  }
  assert_true(tm_handles_compact(heap) > 0);
  for (unsigned i = 0; i < MOVED; i += KEEP)
    must(tm_handle_free(heap, handles[i]) == 0);
}

/* At the limit there is no room to move to: nothing happens to the blocks. */
static void compaction_at_the_limit_loses_nothing(void **state)
{
  (void)state;
  static tm_handle handles[MOVED];
  make_sparse(heap, handles);
  assert_int_equal(tm_limit_set(heap, TM_HARD, (int64_t)books_stats(heap).footprint_bytes), 0);
  assert_int_equal(tm_handles_compact(heap), 0);
  assert_int_equal(tm_limit_set(heap, TM_HARD, 0), 0);
  for (unsigned i = 0; i < MOVED; i += KEEP) {
    must_read(heap, handles[i], BYTES, i);
    must(tm_handle_free(heap, handles[i]) == 0);
  }
}

/* ---- Threads -------------------------------------------------------------------------------- */

enum { EACH = 300, ROUNDS = TEST_SANITIZED ? 1500 : 8000 };

/* Each thread has handles of its own; any of them compacts all. */
static void use_handles(void *ctx, unsigned index)
{
  tm_heap *many = ctx;
  tm_handle handles[EACH] = {{0}};
  unsigned seeds[EACH] = {0};
  test_random r = {index};
  for (unsigned i = 0; i < ROUNDS; i++) {
    unsigned at = (unsigned)random_below(&r, EACH);
    if (!handles[at].id) {
      handles[at] = handle_of(many, BYTES);
      write_to(many, handles[at], BYTES, seeds[at] = i);
    } else if (random_below(&r, 2)) {
      must_read(many, handles[at], BYTES, seeds[at]);
    } else {
      must(tm_handle_free(many, handles[at]) == 0);
      handles[at].id = 0;
    }
    if (i % 100 == 0)
      (void)tm_handles_compact(many);
  }
  for (unsigned at = 0; at < EACH; at++)
    if (handles[at].id) {
      must_read(many, handles[at], BYTES, seeds[at]);
      must(tm_handle_free(many, handles[at]) == 0);
    }
}

/* Regression: the hint reordered the queue of a page that belongs to another thread. */
static void threads_compact_each_others_blocks(void **state)
{
  (void)state;
  tm_heap *many;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&many, &config), 0);
  threads_run(6, use_handles, many);
  assert_int_equal(books_stats(many).live_bytes, 0);
  books_must_balance(many);
  assert_int_equal(tm_heap_close(many), 0);
}

/* The owner compacts while another thread has blocks locked, reads them, and lets them go. */
typedef struct shared {
  tm_heap *heap;
  tm_handle handles[MOVED];
  pthread_barrier_t sparse;
  _Atomic(int) reading;
} shared;

static void compact_on(shared *s)
{
  make_sparse(s->heap, s->handles);
  (void)pthread_barrier_wait(&s->sparse);
  while (atomic_load(&s->reading)) {
    tm_handle more[200];
    for (int i = 0; i < 200; i++) /* new holes for the next pass */
      more[i] = handle_of(s->heap, BYTES);
    (void)tm_handles_compact(s->heap);
    for (int i = 0; i < 200; i++)
      must(tm_handle_free(s->heap, more[i]) == 0);
  }
}

static void read_on(shared *s)
{
  test_random r = {5};
  (void)pthread_barrier_wait(&s->sparse);
  for (int i = 0; i < (TEST_SANITIZED ? 20000 : 200000); i++) {
    unsigned at = (unsigned)random_below(&r, MOVED / KEEP) * KEEP;
    const unsigned char *p = tm_handle_lock(s->heap, s->handles[at]);
    must(p != NULL && p[0] == (at & 255));
    for (int k = 0; k < 20; k++)
      must_equal(p[(unsigned)k * 10], at & 255);
    must(tm_handle_unlock(s->heap, s->handles[at]) == 0);
  }
  atomic_store(&s->reading, 0);
}

static void compact_or_read(void *ctx, unsigned index)
{
  if (index)
    read_on(ctx);
  else
    compact_on(ctx);
}

static void what_is_being_read_does_not_move(void **state)
{
  (void)state;
  static shared s;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&s.heap, &config), 0);
  (void)pthread_barrier_init(&s.sparse, NULL, 2);
  atomic_store(&s.reading, 1);
  threads_run(2, compact_or_read, &s);
  (void)pthread_barrier_destroy(&s.sparse);
  books_must_balance(s.heap);
  assert_int_equal(tm_heap_close(s.heap), 0);
}

#define ON_A_HEAP(test) cmocka_unit_test_setup_teardown(test, new_heap, close_heap)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_HEAP(a_handle_names_a_block_of_obj),
      ON_A_HEAP(locks_nest),
      ON_A_HEAP(wrong_arguments),
      ON_A_HEAP(freed_handles_are_stale),
      ON_A_HEAP(many_handles),
      ON_A_HEAP(the_table_is_in_the_books_once),
      ON_A_HEAP(a_refused_handle_changes_nothing),
      ON_A_HEAP(compaction_empties_pages_and_keeps_content),
      ON_A_HEAP(locked_blocks_stay),
      ON_A_HEAP(compaction_at_the_limit_loses_nothing),
      cmocka_unit_test(threads_compact_each_others_blocks),
      cmocka_unit_test(what_is_being_read_does_not_move),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
