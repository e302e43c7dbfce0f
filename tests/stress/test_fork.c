/*
 * test_fork.c - fork in the middle of everything: the child allocates, frees what the parent's
 * threads allocated, starts threads of its own, and its books are never accused in vain.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

enum { FORKS = TEST_SANITIZED ? 12 : 50, WORKERS = 4, SHARED = 300 };

typedef struct parent {
  tm_heap *heap, *alone; /* of many threads; of the main thread */
  shadow_block shared[SHARED];
  _Atomic(int) stop;
} parent;

/* ---- What the parent's other threads do ------------------------------------------------------ */

static void work_on(void *ctx, unsigned index)
{
  parent *p = ctx;
  storm s = {.heap = p->heap, .random = {index}, .most_blocks = 300};
  for (unsigned i = 0; !atomic_load(&p->stop); i++) {
    storm_step(&s);
    if (i % 64 == 0) {
      tm_inform(p->heap, "work", 64);
      tm_inform(p->heap, "work", -64);
    }
    if (index == 0 && i % 256 == 0)
      (void)tm_trim(p->heap);
    if (index == 1 && i % 256 == 0)
      (void)tm_poll(p->heap);
  }
  storm_calm(&s);
  shadow_drop(&s.shadow);
}

static void come_and_go(void *ctx, unsigned index)
{
  (void)index;
  tm_free(ctx, TM_MEM, tm_malloc(ctx, TM_MEM, 100));
}

static void *all_workers(void *arg)
{
  threads_run(WORKERS, work_on, arg);
  return NULL;
}

static void *all_comers(void *arg)
{
  parent *p = arg;
  while (!atomic_load(&p->stop))
    threads_run(2, come_and_go, p->heap);
  return NULL;
}

/* ---- What the child does --------------------------------------------------------------------- */

static void be_a_thread(void *ctx, unsigned index)
{
  storm s = {.heap = ctx, .random = {index + 70}, .most_blocks = 100};
  for (int i = 0; i < 500; i++)
    storm_step(&s);
  storm_calm(&s);
  shadow_drop(&s.shadow);
}

static void must_not_be_accused(tm_heap *heap)
{
  int result = tm_heap_check(heap);
  must(result == 0 || result == TM_EBUSY);
}

static void be_a_child(parent *p)
{
  (void)alarm(30); /* a child that hangs is killed, and seen */
  must_not_be_accused(p->heap);
  must_equal(tm_heap_check(p->alone), 0);
  must_equal(tm_pending(p->heap), 0);
  storm s = {.heap = p->heap, .random = {99}, .most_blocks = 200};
  for (int i = 0; i < 500; i++)
    storm_step(&s);
  for (int i = 0; i < SHARED; i++)
    shadow_keep(&s.shadow, p->shared[i]); /* allocated by the parent, and by its threads */
  storm_calm(&s);
  threads_run(2, be_a_thread, p->heap);
  must_not_be_accused(p->heap);
  tm_inform(p->heap, "child", 10);
  must(tm_limit_set(p->heap, TM_HARD, 1 << 30) == 0);
  (void)tm_trim(p->heap);
  (void)tm_poll(p->heap);
  tm_stats stats = books_stats(p->heap);
  books_must_be_sane(&stats);
  storm own = {.heap = p->alone, .random = {98}, .most_blocks = 100};
  for (int i = 0; i < 500; i++)
    storm_step(&own);
  storm_calm(&own);
  must_equal(tm_heap_check(p->alone), 0);
  must(tm_heap_close(p->alone) == 0);
  tm_heap *fresh;
  must(tm_heap_new(&fresh, NULL) == 0);
  must(tm_malloc(fresh, TM_RAW, 100) != NULL);
  must(tm_heap_close(fresh) == 0);
  must_not_be_accused(p->heap);
}

static void fork_once(parent *p)
{
  int status;
  pid_t child = fork();
  must(child >= 0);
  if (child == 0) {
    be_a_child(p);
    _exit(0);
  }
  must(waitpid(child, &status, 0) == child);
  if (status)
    print_error("the child ended with status %#x\n", (unsigned)status);
  must_equal(status, 0);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void share(void *ctx, unsigned index)
{
  parent *p = ctx;
  shadow s = {.failures = 0};
  for (unsigned i = index; i < SHARED; i += 3)
    p->shared[i] = shadow_born(&s, TM_MEM, tm_malloc(p->heap, TM_MEM, i * 7), i * 7);
}

static void set_up(parent *p, tm_heap *heap)
{
  memset(p, 0, sizeof *p);
  p->heap = heap;
  must(tm_heap_new(&p->alone, NULL) == 0);
  must(tm_malloc(p->alone, TM_RAW, 1000) != NULL);
  threads_run(2, share, p);
  share(p, 2);
}

static void end(parent *p)
{
  shadow s = {.failures = 0};
  for (int i = 0; i < SHARED; i++) {
    shadow_dies(&s, &p->shared[i]); /* no child has touched ours */
    tm_free(p->heap, TM_MEM, p->shared[i].p);
  }
  must_equal(books_stats(p->heap).live_bytes, 0);
  books_must_balance(p->heap);
  must(tm_heap_close(p->alone) == 0);
}

/* All is quiet: the child's books are exact. */
static void the_child_of_a_quiet_process_is_exact(void **state)
{
  (void)state;
  static parent p;
  int status;
  set_up(&p, tm_heap_default());
  uint64_t live = books_stats(p.heap).live_bytes;
  pid_t child = fork();
  must(child >= 0);
  if (child == 0) {
    shadow s = {.failures = 0};
    must_equal(books_stats(p.heap).live_bytes, live);
    books_must_balance(p.heap);
    for (int i = 0; i < SHARED; i++) {
      shadow_dies(&s, &p.shared[i]);
      tm_free(p.heap, TM_MEM, p.shared[i].p);
    }
    must_equal(books_stats(p.heap).live_bytes, 0);
    threads_run(3, be_a_thread, p.heap);
    books_must_balance(p.heap);
    (void)tm_trim(p.heap);
    must_equal(books_stats(p.heap).pages, 0);
    _exit(0);
  }
  must(waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
  end(&p);
}

static void forks_among_working_threads(tm_heap *heap)
{
  if (TEST_SANITIZED) {
    print_message("SKIP: a sanitizer's own allocator can stay locked in such a child\n");
    skip();
  }
  static parent p;
  pthread_t workers, comers;
  set_up(&p, heap);
  must(pthread_create(&workers, NULL, all_workers, &p) == 0);
  must(pthread_create(&comers, NULL, all_comers, &p) == 0);
  for (int i = 0; i < FORKS; i++)
    fork_once(&p);
  atomic_store(&p.stop, 1);
  must(pthread_join(workers, NULL) == 0);
  must(pthread_join(comers, NULL) == 0);
  end(&p);
}

static void the_default_heap_forks(void **state)
{
  (void)state;
  forks_among_working_threads(tm_heap_default());
}

static void a_heap_for_many_threads_forks(void **state)
{
  (void)state;
  tm_heap *heap;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.threads = TM_MANY_THREADS;
  assert_int_equal(tm_heap_new(&heap, &config), 0);
  forks_among_working_threads(heap);
  assert_int_equal(tm_heap_close(heap), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_child_of_a_quiet_process_is_exact),
      cmocka_unit_test(the_default_heap_forks),
      cmocka_unit_test(a_heap_for_many_threads_forks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
