/* test_remote.c - blocks that another thread frees: who may use them, how they get back. */
#include "heap/remote.h"

#include "heap/batch.h"
#include "heap/bin.h"
#include "heap/page.h"
#include "heap/quiesce.h"
#include "heap/shard.h"
#include "support/books.h"
#include "support/threads.h"

enum { MANY = 4000 };

typedef struct scene {
  tm_heap *heap;
  tm__shard *owner, *freer;
  void *blocks[MANY];
  size_t bytes, count;
  uint64_t allocs; /* of the freeing thread, before its frees */
} scene;

static scene s;

static int new_scene(void **state)
{
  (void)state;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  s = (scene){0};
  if (tm_heap_new(&s.heap, &config) != 0)
    return -1;
  tm_free(s.heap, TM_MEM, tm_malloc(s.heap, TM_MEM, 5000));
  s.owner = tm__shard_peek(s.heap);
  return 0;
}

static int close_scene(void **state)
{
  (void)state;
  books_must_balance(s.heap);
  assert_int_equal(books_stats(s.heap).live_bytes, 0);
  return tm_heap_close(s.heap);
}

static void make(size_t bytes, size_t count)
{
  s.bytes = bytes;
  s.count = count;
  for (size_t i = 0; i < count; i++)
    s.blocks[i] = tm_malloc(s.heap, TM_MEM, bytes);
}

static tm__row *row_of(const tm__shard *shard)
{
  return shard->rows[TM_MEM];
}

static uint64_t came_back(void)
{
  uint64_t count = 0;
  const tm__block *batch = atomic_load(&row_of(s.owner)->remote[tm__class_of(s.bytes)]);
  for (; batch; batch = tm__batch_rest(batch)) {
    uint32_t length = 0;
    for (const tm__block *b = batch; b; b = b->next)
      length++;
    must_equal(length, tm__batch_count(batch));
    count += length;
  }
  must_equal(count * tm__class_bytes[tm__class_of(s.bytes)], atomic_load(&s.owner->remote_bytes));
  return count;
}

static void free_them(size_t from, size_t to)
{
  s.freer = tm__shard_get(s.heap);
  for (size_t i = from; i < to; i++)
    tm_free(s.heap, TM_MEM, s.blocks[i]);
  tm__shard_put(s.freer);
}

/* ---- Using them ------------------------------------------------------------------------------ */

static void take_what_was_freed(void *ctx, unsigned index)
{
  (void)ctx;
  (void)index;
  free_them(0, s.count);
  for (size_t i = s.count; i-- > 0;)
    must_equal((uintptr_t)tm_malloc(s.heap, TM_MEM, s.bytes), (uintptr_t)s.blocks[i]);
  free_them(0, s.count);
}

/* A block is in the cache of the thread that frees it: its next request gets it. */
static void the_thread_that_freed_it_uses_it(void **state)
{
  (void)state;
  static const size_t sizes[] = {64, 200, 1000, 8000};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    make(sizes[i], TM_LIST_LEAST);
    thread_run(take_what_was_freed, NULL);
  }
}

static void take_others(void *ctx, unsigned index)
{
  (void)ctx;
  (void)index;
  free_them(0, s.count);
  for (size_t i = 0; i < 10; i++) {
    void *mine = tm_malloc(s.heap, TM_MEM, s.bytes);
    for (size_t k = 0; k < s.count; k++)
      must((uintptr_t)mine / TM_CACHE_LINE != (uintptr_t)s.blocks[k] / TM_CACHE_LINE);
  }
}

/* Blocks that share a cache line with a neighbour that another thread may be writing to. */
static void tiny_blocks_are_for_their_owner(void **state)
{
  (void)state;
  static const size_t sizes[] = {8, 16, 32, 48};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    make(sizes[i], 12);
    thread_run(take_others, NULL);
  }
  s.count = 0;
  tm__shard_quiesce(s.owner);
  uint64_t live = books_stats(s.heap).live_blocks;
  assert_int_equal(live, 10 * TM_ARRAY_LEN(sizes));
}

static void take_tiny_ones(void *ctx, unsigned index)
{
  (void)ctx;
  (void)index;
  free_them(0, s.count);
  size_t same = 0;
  for (size_t i = 0; i < 50; i++) {
    void *p = tm_malloc(s.heap, TM_MEM, s.bytes);
    for (size_t k = 0; k < s.count; k++)
      same += p == s.blocks[k];
    tm_free(s.heap, TM_MEM, p);
  }
  must(same > 0);
}

/* A thread that frees many of another's tiny blocks shares its lines anyway. */
static void many_tiny_blocks_are_used(void **state)
{
  (void)state;
  make(16, 2 * TM_SHY_FREES);
  thread_run(take_tiny_ones, NULL);
}

/* ---- Getting back ---------------------------------------------------------------------------- */

static void only_free(void *ctx, unsigned index)
{
  (void)ctx;
  (void)index;
  free_them(0, s.count);
  /* what it keeps is one list, and tiny blocks that were gathered before it took to them */
  must(came_back() >= s.count - TM_LIST_MOST - 1 - TM_SHY_FREES);
}

static void a_thread_that_only_frees_keeps_little(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 64, 100, 1024};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    make(sizes[i], MANY);
    thread_run(only_free, NULL);
    assert_int_equal(came_back(), MANY); /* the thread has ended: all of it */
    tm__remote_all_home(s.owner);
    assert_int_equal(came_back(), 0);
  }
}

static void owners_use_batches_as_they_are(void **state)
{
  (void)state;
  make(100, 1000);
  thread_run(only_free, NULL);
  uint64_t pages = books_stats(s.heap).pages;
  void *kept[1000];
  for (size_t i = 0; i < 1000; i++)
    kept[i] = tm_malloc(s.heap, TM_MEM, 100);
  assert_int_equal(books_stats(s.heap).pages, pages);
  assert_int_equal(came_back(), 0);
  for (size_t i = 0; i < 1000; i++)
    tm_free(s.heap, TM_MEM, kept[i]);
}

/* What the owner never asks for again does not lie about for ever. */
static void other_requests_bring_it_home(void **state)
{
  (void)state;
  make(1024, MANY);
  thread_run(only_free, NULL);
  assert_true(atomic_load(&s.owner->remote_bytes) > TM_REMOTE_MOST);
  uint64_t pages = books_stats(s.heap).pages;
  void *p = tm_malloc(s.heap, TM_MEM, 2000);
  assert_int_equal(atomic_load(&s.owner->remote_bytes), 0);
  assert_true(books_stats(s.heap).pages < pages / 4);
  tm_free(s.heap, TM_MEM, p);
}

typedef struct mixer {
  tm_heap *heap;
  _Atomic(void *) *slots;
  size_t count;
} mixer;

static void mix(void *ctx, unsigned index)
{
  mixer *m = ctx;
  uint64_t random = index * 7919 + 1;
  for (int i = 0; i < 60000; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    size_t n = 8 + (random >> 40) % 600;
    void *mine = tm_malloc(m->heap, TM_MEM, n);
    memset(mine, (int)index, n);
    tm_free(m->heap, TM_MEM, atomic_exchange(&m->slots[(random >> 20) % m->count], mine));
  }
}

/* Threads free each other's blocks, of every size, from lists that mix owners. */
static void mixed_lists_find_every_owner(void **state)
{
  (void)state;
  static _Atomic(void *) slots[3000];
  mixer m = {s.heap, slots, TM_ARRAY_LEN(slots)};
  threads_run(4, mix, &m);
  assert_int_equal(tm_heap_check(s.heap), 0);
  for (size_t i = 0; i < m.count; i++)
    tm_free(s.heap, TM_MEM, atomic_exchange(&slots[i], NULL));
  (void)tm_trim(s.heap);
  assert_int_equal(books_stats(s.heap).pages, 0);
}

#define ON_A_SCENE(test) cmocka_unit_test_setup_teardown(test, new_scene, close_scene)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_SCENE(the_thread_that_freed_it_uses_it),
      ON_A_SCENE(many_tiny_blocks_are_used),
      ON_A_SCENE(a_thread_that_only_frees_keeps_little),
      ON_A_SCENE(owners_use_batches_as_they_are),
      ON_A_SCENE(other_requests_bring_it_home),
      ON_A_SCENE(mixed_lists_find_every_owner),
      cmocka_unit_test_setup(tiny_blocks_are_for_their_owner, new_scene),
  };
  (void)tm_heap_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
