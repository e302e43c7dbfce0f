/* test_sample.c - the profile of heaps: what is sampled, that books balance, that frees find it. */
#include "heap/sample.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <tidemark/pool.h>
#include <tidemark/profile.h>
#include <unistd.h>

#include "heap/fast.h"
#include "profile/view.h"
#include "support/books.h"
#include "support/random.h"
#include "support/threads.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };
static tm_heap *heap;

static int new_heap(void **state)
{
  (void)state;
  tm__sampled_seed_set(42);
  return tm_heap_new(&heap, NULL);
}

static int close_heap(void **state)
{
  (void)state;
  (void)tm_profile_stop();
  books_must_balance(heap);
  return tm_heap_close(heap);
}

static tm_profile_info info(void)
{
  tm_profile_info now;
  must(tm_profile_read(&now) == 0);
  return now;
}

/* Estimates of the whole profile. */
static tm__view_row sum(void)
{
  tm__view view;
  tm__view_row all = {0};
  must(tm__view_take(&view) == 0);
  for (uint32_t i = 0; i < view.row_count; i++) {
    all.live_blocks += view.rows[i].live_blocks;
    all.live_bytes += view.rows[i].live_bytes;
    all.blocks += view.rows[i].blocks;
    all.bytes += view.rows[i].bytes;
  }
  tm__view_drop(&view);
  return all;
}

static void must_be_near(double estimate, double truth, double percent)
{
  if (fabs(estimate - truth) > truth * percent / 100)
    (void)fprintf(stderr, "%.0f is not within %.1f %% of %.0f\n", estimate, percent, truth);
  must(fabs(estimate - truth) <= truth * percent / 100);
}

static void nothing_is_sampled_before_the_start(void **state)
{
  (void)state;
  uint64_t before = info().samples_total;
  for (int i = 0; i < 1000; i++)
    tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 64 * KIB));
  assert_int_equal(info().samples_total, before);
  assert_int_equal(tm_profile_stop(), TM_EINVAL);
}

static void starting_and_stopping(void **state)
{
  (void)state;
  assert_int_equal(tm_profile_start(TM_PROFILE_MEAN_MOST + 1), TM_EINVAL);
  assert_int_equal(tm_profile_start(0), 0);
  assert_int_equal(info().mean_bytes, TM_PROFILE_MEAN_BYTES);
  assert_int_equal(tm_profile_start(0), TM_EBUSY);
  assert_int_equal(tm_profile_stop(), 0);
  assert_int_equal(tm_profile_stop(), TM_EINVAL);
  assert_int_equal(tm_profile_read(NULL), TM_EINVAL);
}

/* A mean of one byte samples each block, exactly. */
static void every_block_at_a_mean_of_one(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 100, 5000, 8193, 40000, 65536, 65537, 300000};
  void *blocks[TM_ARRAY_LEN(sizes)];
  uint64_t bytes = 0;
  assert_int_equal(tm_profile_start(1), 0);
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    blocks[i] = tm_malloc(heap, TM_MEM, sizes[i]);
    memset(blocks[i], (int)i, sizes[i]);
    bytes += tm_usable_size(blocks[i]);
  }
  assert_int_equal(info().samples_live, TM_ARRAY_LEN(sizes));
  must_be_near(sum().live_bytes, (double)bytes, 0.001);
  books_must_balance(heap);
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++)
    tm_free(heap, TM_MEM, blocks[i]);
  assert_int_equal(info().samples_live, 0);
  assert_int_equal(info().samples_total, TM_ARRAY_LEN(sizes));
  must_be_near(sum().bytes, (double)bytes, 0.001);
}

/* The known mix: as many bytes of each size, half of it freed again. 5 % is five times the usual
 * error of so many samples. */
static void a_known_mix_is_estimated_within_five_percent(void **state)
{
  (void)state;
  enum { MIX_BYTES = 4 * MIB, MOST = 500000 };
  static const size_t sizes[] = {16, 48, 64, 200, 1000, 3000, 9000, 30000, 100000};
  static void *blocks[MOST];
  double bytes[2] = {0};
  int count = 0;
  assert_int_equal(tm_profile_start(4 * KIB), 0);
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++)
    for (size_t sum_bytes = 0; sum_bytes < MIX_BYTES; sum_bytes += sizes[i], count++) {
      must(count < MOST);
      blocks[count] = tm_malloc(heap, TM_OBJ, sizes[i]);
      bytes[count & 1] += (double)tm_usable_size(blocks[count]);
    }
  for (int i = 0; i < count; i += 2)
    tm_free(heap, TM_OBJ, blocks[i]);
  tm__view_row all = sum();
  must_be_near(all.bytes, bytes[0] + bytes[1], 5);
  must_be_near(all.live_bytes, bytes[1], 5);
  must_be_near(all.blocks, count, 5);
  assert_true(info().samples_live > 2500);
  books_must_balance(heap);
  for (int i = 1; i < count; i += 2)
    tm_free(heap, TM_OBJ, blocks[i]);
  assert_int_equal(info().samples_live, 0);
  assert_int_equal(info().dropped_total, 0);
}

/* Also the number of objects, where a sample stands for thousands of them. */
static void small_objects_are_counted_right(void **state)
{
  (void)state;
  enum { BLOCKS = 2000000 };
  assert_int_equal(tm_profile_start(64 * KIB), 0);
  for (int i = 0; i < BLOCKS; i++)
    tm_free(heap, TM_OBJ, tm_malloc(heap, TM_OBJ, 48));
  must_be_near(sum().blocks, BLOCKS, 5);
  must_be_near(sum().bytes, 48.0 * BLOCKS, 5);
  assert_true(sum().live_blocks == 0);
}

/* No thread's fast path takes a sampled block, and no bin gets it. */
static void a_sampled_block_goes_back_to_its_own_page(void **state)
{
  (void)state;
  assert_int_equal(tm_profile_start(1), 0);
  void *sampled = tm_malloc(heap, TM_MEM, 64);
  assert_int_equal(tm_profile_stop(), 0);
  void *plain = tm_malloc(heap, TM_MEM, 64);
  assert_int_equal(tm__tag_kind(tm__tag_read(tm__slice_of(sampled))), TM_KIND_SAMPLED);
  assert_int_equal(tm__tag_kind(tm__tag_read(tm__slice_of(plain))), TM_KIND_PAGE);
  assert_int_equal(tm_usable_size(sampled), 64);
  assert_int_equal(tm_should_move(sampled), 0);
  uint32_t slice = tm__slice_of(sampled);
  tm_free(heap, TM_MEM, sampled);
  assert_int_equal(tm__tag_kind(tm__tag_read(slice)), TM_KIND_FREE); /* it was the only one */
  tm_free(heap, TM_MEM, plain);
}

static void resizing_keeps_a_sample(void **state)
{
  (void)state;
  static const size_t steps[] = {200, 210, 100, 20000, 70000, 500000, 3000000, 100000, 500, 10};
  assert_int_equal(tm_profile_start(1), 0);
  unsigned char *p = tm_malloc(heap, TM_RAW, 50);
  memset(p, 7, 50);
  for (size_t i = 0; i < TM_ARRAY_LEN(steps); i++) {
    p = tm_realloc(heap, TM_RAW, p, steps[i]);
    for (size_t k = 0; k < 10; k++)
      assert_int_equal(p[k], 7);
    assert_int_equal(info().samples_live, 1);
    must_be_near(sum().live_bytes, (double)tm_usable_size(p), 0.001);
    books_must_balance(heap);
  }
  tm_free(heap, TM_RAW, p);
  assert_int_equal(info().samples_live, 0);
}

/* Growth is sampled by the bytes that it adds, so a buffer that grew to n is as likely in the
 * profile as one that was made with n. */
static void blocks_that_grow_are_estimated_right(void **state)
{
  (void)state;
  enum { BLOCKS = 4000, LAST = 40000 };
  static void *blocks[BLOCKS];
  double bytes = 0;
  assert_int_equal(tm_profile_start(32 * KIB), 0);
  for (int i = 0; i < BLOCKS; i++) {
    for (size_t n = 100; n < LAST; n *= 2)
      blocks[i] = tm_realloc(heap, TM_RAW, blocks[i], n);
    bytes += (double)tm_usable_size(blocks[i]);
  }
  must_be_near(sum().live_bytes, bytes, 5);
  must_be_near(sum().live_blocks, BLOCKS, 5);
  for (int i = 0; i < BLOCKS; i++)
    tm_free(heap, TM_RAW, blocks[i]);
  memset(blocks, 0, sizeof blocks);
}

static void pools_and_aligned_blocks(void **state)
{
  (void)state;
  tm_pool *fixed, *cached;
  tm_pool_config config;
  tm_pool_config_init(&config);
  config.name = "nodes";
  config.kind = TM_POOL_FIXED;
  config.block_bytes = 72;
  assert_int_equal(tm_pool_new(heap, &config, &fixed), 0);
  config.kind = TM_POOL_CACHED;
  assert_int_equal(tm_pool_new(heap, &config, &cached), 0);
  assert_int_equal(tm_profile_start(1), 0);
  for (int i = 0; i < 100; i++) {
    void *a = tm_pool_alloc(fixed, 72), *b = tm_pool_alloc(cached, 72);
    void *c = tm_aligned_alloc(heap, TM_MEM, 4096, 3000);
    void *d = tm_aligned_alloc(heap, TM_MEM, (size_t)1 << 20, 10);
    assert_int_equal((uintptr_t)c % 4096, 0);
    assert_int_equal((uintptr_t)d % MIB, 0);
    assert_int_equal(info().samples_live, 4);
    tm_pool_free(fixed, a);
    tm_pool_free(cached, b);
    tm_free(heap, TM_MEM, c);
    tm_free(heap, TM_MEM, d);
    assert_int_equal(info().samples_live, 0);
  }
  books_must_balance(heap);
  assert_int_equal(tm_pool_delete(fixed), 0);
  assert_int_equal(tm_pool_delete(cached), 0);
}

/* Runs fn in a child; its status and what it said on standard error. */
static int in_child(int (*fn)(void *block), void *block, char *said, size_t capacity)
{
  int ends[2], status;
  must(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    (void)dup2(ends[1], STDERR_FILENO);
    (void)signal(SIGABRT, SIG_DFL);
    _exit(fn(block));
  }
  (void)close(ends[1]);
  ssize_t n = read(ends[0], said, capacity - 1);
  said[n > 0 ? n : 0] = 0;
  (void)close(ends[0]);
  must(waitpid(pid, &status, 0) == pid);
  return status;
}

static int free_twice(void *unused)
{
  (void)unused;
  (void)tm_profile_start(1);
  void *keep = tm_malloc(heap, TM_MEM, 64), *p = tm_malloc(heap, TM_MEM, 64);
  tm_free(heap, TM_MEM, p);
  tm_free(heap, TM_MEM, p);
  return keep == p;
}

static void a_second_free_of_a_sampled_block_is_found(void **state)
{
  (void)state;
  char said[512];
  int status = in_child(free_twice, NULL, said, sizeof said);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_non_null(strstr(said, "double free"));
}

/* Whose blocks live on is not told of by the next profile, but known when it is freed. */
static void a_new_profile_starts_empty(void **state)
{
  (void)state;
  assert_int_equal(tm_profile_start(1), 0);
  void *old = tm_malloc(heap, TM_MEM, 100);
  assert_int_equal(tm_profile_stop(), 0);
  assert_int_equal(info().samples_live, 1);
  assert_int_equal(tm_profile_start(1), 0);
  assert_int_equal(info().samples_live, 0);
  void *new = tm_malloc(heap, TM_MEM, 100);
  assert_int_equal(info().samples_live, 1);
  tm_free(heap, TM_MEM, old);
  assert_int_equal(info().samples_live, 1);
  tm_free(heap, TM_MEM, new);
  assert_int_equal(info().samples_live, 0);
}

static void closing_a_heap_forgets_its_samples(void **state)
{
  (void)state;
  tm_heap *other;
  assert_int_equal(tm_heap_new(&other, NULL), 0);
  assert_int_equal(tm_profile_start(1), 0);
  void *kept = tm_malloc(heap, TM_MEM, 100);
  for (size_t n = 10; n < MIB; n *= 3)
    (void)tm_malloc(other, TM_MEM, n);
  assert_true(info().samples_live > 10);
  assert_int_equal(tm_heap_close(other), 0);
  assert_int_equal(info().samples_live, 1);
  tm_free(heap, TM_MEM, kept);
}

/* ---- Threads, fork -------------------------------------------------------------------------- */

enum { SLOTS = 512, ROUNDS = 20000, THREADS = 4 };
static _Atomic(void *) slots[SLOTS];

static void swap_blocks(void *unused, unsigned index)
{
  (void)unused;
  test_random random = {index};
  for (int i = 0; i < ROUNDS; i++) {
    size_t n = random_size(&random);
    void *mine = tm__default_malloc(TM_MEM, n);
    if (n && mine)
      memset(mine, 1, n < 64 ? n : 64);
    void *theirs = atomic_exchange(&slots[random_below(&random, SLOTS)], mine);
    if (theirs && random_below(&random, 4) == 0)
      theirs = tm__default_realloc(TM_MEM, theirs, 1 + random_size(&random));
    tm__default_free(TM_MEM, theirs);
  }
}

static void read_or_swap(void *unused, unsigned index)
{
  for (int i = 0; index == 0 && i < 20; i++)
    (void)sum();
  swap_blocks(unused, index);
}

static void threads_share_one_profile(void **state)
{
  (void)state;
  assert_int_equal(tm_profile_start(8 * KIB), 0);
  threads_run(THREADS, read_or_swap, NULL);
  assert_true(info().samples_total > 1000);
  for (size_t i = 0; i < SLOTS; i++)
    tm__default_free(TM_MEM, atomic_exchange(&slots[i], NULL));
  assert_int_equal(info().samples_live, 0);
  books_must_balance(tm_heap_default());
}

static int sample_in_child(void *block)
{
  uint64_t before = info().samples_total;
  for (int i = 0; i < 100; i++)
    tm_free(heap, TM_MEM, tm_malloc(heap, TM_MEM, 1000));
  must(info().samples_total == before);
  must(!tm__tables.running);
  tm_free(heap, TM_MEM, block);
  must(tm_profile_start(1) == 0);
  must(tm__tables.running);
  must(tm_malloc(heap, TM_MEM, 1000) != NULL);
  must(info().samples_live == 1);
  return 0;
}

static void a_forked_child_does_not_sample(void **state)
{
  (void)state;
  char said[512];
  assert_int_equal(tm_profile_start(1), 0);
  void *block = tm_malloc(heap, TM_MEM, 1000);
  int status = in_child(sample_in_child, block, said, sizeof said);
  if (status)
    (void)fprintf(stderr, "%s", said);
  assert_int_equal(status, 0);
  tm_free(heap, TM_MEM, block);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_heap, close_heap)
      TEST(nothing_is_sampled_before_the_start),
      TEST(starting_and_stopping),
      TEST(every_block_at_a_mean_of_one),
      TEST(a_known_mix_is_estimated_within_five_percent),
      TEST(small_objects_are_counted_right),
      TEST(a_sampled_block_goes_back_to_its_own_page),
      TEST(resizing_keeps_a_sample),
      TEST(blocks_that_grow_are_estimated_right),
      TEST(pools_and_aligned_blocks),
      TEST(a_second_free_of_a_sampled_block_is_found),
      TEST(a_new_profile_starts_empty),
      TEST(closing_a_heap_forgets_its_samples),
      TEST(threads_share_one_profile),
      TEST(a_forked_child_does_not_sample),
#undef TEST
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
