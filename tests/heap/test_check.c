/*
 * test_check.c - the proof of the books can fail: each kind of damage is found and named; a sound
 * heap is never accused.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include <sys/mman.h>

#include "base/assert.h"
#include "heap/page.h"
#include "heap/shard.h"
#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

/* A heap with a few hundred blocks of all kinds, and reports that go to a file. */
typedef struct scene {
  storm storm;
  int report;
} scene;

static int set_up(void **state)
{
  static scene s;
  s = (scene){.storm = {.random = {41}, .most_blocks = 400}};
  must(tm_heap_new(&s.storm.heap, NULL) == 0);
  storm_pools(s.storm.heap, s.storm.pools);
  for (int i = 0; i < 5000; i++)
    storm_step(&s.storm);
  s.report = memfd_create("report", 0);
  tm__report_fd_set(s.report);
  *state = &s;
  return tm_heap_check(s.storm.heap);
}

/* Each test has repaired what it broke. */
static int tear_down(void **state)
{
  scene *s = *state;
  tm__report_fd_set(2);
  (void)close(s->report);
  shadow_must_match(&s->storm.shadow, s->storm.heap);
  books_must_balance(s->storm.heap);
  shadow_drop(&s->storm.shadow);
  return tm_heap_close(s->storm.heap);
}

/* The heap is said to be corrupt, with this word in the report. */
static void must_be_found(scene *s, const char *word)
{
  char text[512] = {0};
  must(ftruncate(s->report, 0) == 0);
  must(lseek(s->report, 0, SEEK_SET) == 0);
  assert_int_equal(tm_heap_check(s->storm.heap), TM_ECORRUPT);
  must(pread(s->report, text, sizeof text - 1, 0) > 0);
  if (strncmp(text, "tidemark: ", 10) != 0 || !strstr(text, word))
    print_error("wanted \"%s\", got: %s\n", word, text);
  assert_non_null(strstr(text, word));
  assert_int_equal(text[strlen(text) - 1], '\n');
}

/* A row with live blocks, and a class of it that has a page. */
static tm__row *row_of(scene *s)
{
  return s->storm.heap->one->rows[TM_MEM];
}

static tm__bin *bin_of(scene *s)
{
  tm__row *row = row_of(s);
  for (unsigned cls = 0; cls < TM_CLASSES; cls++)
    if (row->queues[cls].active && row->bins[cls].head && row->bins[cls].head->next)
      return &row->bins[cls];
  must_failed("a class has two blocks at hand", __FILE__, __LINE__);
  return NULL;
}

/* ---- Counters ------------------------------------------------------------------------------- */

static void a_counter_that_moved_by_itself(void **state)
{
  scene *s = *state;
  tm__bin *bin = bin_of(s);
  tm__counter_add(&bin->books.allocs, 1);
  must_be_found(s, "blocks of a pool");
  tm__counter_add(&bin->books.allocs, (uint64_t)-1);
  tm__counter_add(&bin->books.frees, 1);
  must_be_found(s, "blocks of a pool");
  tm__counter_add(&bin->books.frees, (uint64_t)-1);
}

static void bytes_of_resizes_and_large_blocks(void **state)
{
  scene *s = *state;
  tm__ledger_row *books = &row_of(s)->books;
  tm__counter *const counters[] = {&books->grow_bytes, &books->shrink_bytes,
                                   &books->large_alloc_bytes, &books->large_free_bytes};
  for (size_t i = 0; i < TM_ARRAY_LEN(counters); i++) {
    tm__counter_add(counters[i], 16);
    must_be_found(s, "bytes of a pool");
    tm__counter_add(counters[i], (uint64_t)-16);
  }
}

static void sums_of_the_heap(void **state)
{
  scene *s = *state;
  tm__shared_add(&s->storm.heap->span_bytes, TM_SLICE);
  must_be_found(s, "span bytes");
  tm__shared_add(&s->storm.heap->span_bytes, 0 - (uint64_t)TM_SLICE);
  tm__shared_add(&s->storm.heap->usable_bytes, 16);
  must_be_found(s, "usable bytes");
  tm__shared_add(&s->storm.heap->usable_bytes, (uint64_t)-16);
  tm__shared_add(&s->storm.heap->page_count, 1);
  must_be_found(s, "pages");
  tm__shared_add(&s->storm.heap->page_count, (uint64_t)-1);
}

/* ---- Lists ---------------------------------------------------------------------------------- */

static void a_block_that_fell_off_its_list(void **state)
{
  scene *s = *state;
  tm__bin *bin = bin_of(s);
  tm__block *lost = bin->head;
  bin->head = lost->next;
  must_be_found(s, "pool");
  bin->head = lost;
}

static void a_block_that_is_live_and_free(void **state)
{
  scene *s = *state;
  tm__bin *bin = bin_of(s);
  size_t n = bin->block_bytes;
  void *p = tm_malloc(s->storm.heap, TM_MEM, n);
  shadow_keep(&s->storm.shadow, shadow_born(&s->storm.shadow, TM_MEM, p, n));
  tm__block *live = p, saved = *live, *head = bin->head;
  live->next = head;
  bin->head = live;
  must_be_found(s, "pool");
  bin->head = head;
  *live = saved;
}

/* What a buffer overflow into a free block does to its link. */
static void overwritten_links(void **state)
{
  scene *s = *state;
  tm__bin *bin = bin_of(s);
  tm__block *head = bin->head, *next = head->next;
  tm__block *const values[] = {
      (tm__block *)(uintptr_t)0x4141414141414141,
      (tm__block *)(uintptr_t)8,
      (tm__block *)(void *)((char *)next + 8),
      head, /* a circle */
      (tm__block *)(void *)s,
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(values); i++) {
    head->next = values[i];
    must_be_found(s, "free lists");
    head->next = next;
  }
}

static void page_counters(void **state)
{
  scene *s = *state;
  tm_page *page = row_of(s)->queues[bin_of(s) - row_of(s)->bins].active;
  page->wait++;
  must_be_found(s, "blocks out of a page");
  page->wait--;
  page->carved++;
  must_be_found(s, "page");
  page->carved--;
}

static void a_large_block_that_changed_its_size(void **state)
{
  scene *s = *state;
  storm_step(&s->storm);
  void *p = tm_malloc(s->storm.heap, TM_MEM, 300000);
  tm_page *page = tm__page_of(p, tm__tag_read(tm__slice_of(p)));
  page->large_bytes += 4096;
  must_be_found(s, "bytes of a pool");
  page->large_bytes -= 4096;
  s->storm.shadow.rows[TM_MEM].allocs++;
  s->storm.shadow.rows[TM_MEM].allocated_bytes += page->large_bytes;
}

/* ---- No false alarm ------------------------------------------------------------------------- */

static void arguments(void **state)
{
  scene *s = *state;
  assert_int_equal(tm_heap_check(NULL), TM_EINVAL);
  tm__os_fault(1, false);
  assert_int_equal(tm_heap_check(s->storm.heap), TM_ENOMEM);
  tm__os_fault(0, false);
}

typedef struct motion {
  tm_heap *heap;
  _Atomic(int) working;
} motion;

static void work(void *ctx, unsigned index)
{
  motion *m = ctx;
  storm s = {.heap = m->heap, .random = {index}, .most_blocks = 200};
  for (int i = 0; i < 30000; i++)
    storm_step(&s);
  storm_calm(&s);
  shadow_drop(&s.shadow);
  atomic_fetch_sub(&m->working, 1);
}

static void *check_on(void *arg)
{
  motion *m = arg;
  while (atomic_load(&m->working) > 0) {
    int result = tm_heap_check(m->heap);
    must(result == 0 || result == TM_EBUSY);
  }
  return NULL;
}

/* While other threads work the answer may be that it cannot be told. */
static void a_heap_in_motion_is_not_accused(void **state)
{
  (void)state;
#if TEST_TSAN
  print_message("SKIP: the check looks at lists that move, and only believes what holds still\n");
  skip();
#endif
  pthread_t checker;
  motion m;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&m.heap, &config), 0);
  atomic_store(&m.working, 4);
  must(pthread_create(&checker, NULL, check_on, &m) == 0);
  threads_run(4, work, &m);
  must(pthread_join(checker, NULL) == 0);
  assert_int_equal(tm_heap_check(m.heap), 0);
  assert_int_equal(tm_heap_close(m.heap), 0);
}

#define ON_A_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ON_A_SCENE(a_counter_that_moved_by_itself),
      ON_A_SCENE(bytes_of_resizes_and_large_blocks),
      ON_A_SCENE(sums_of_the_heap),
      ON_A_SCENE(a_block_that_fell_off_its_list),
      ON_A_SCENE(a_block_that_is_live_and_free),
      ON_A_SCENE(overwritten_links),
      ON_A_SCENE(page_counters),
      ON_A_SCENE(a_large_block_that_changed_its_size),
      ON_A_SCENE(arguments),
      cmocka_unit_test(a_heap_in_motion_is_not_accused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
