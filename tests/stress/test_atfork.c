/*
 * test_atfork.c - fork as others see it: handlers of the program that allocate, whenever they were
 * registered; children that use everything; children of children. Each case is a process of its
 * own, because handlers cannot be taken back and what counts is who came first.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/gc.h>
#include <tidemark/inform.h>

#include "heap/types.h"
#include "misuse/crime.h"
#include "support/books.h"
#include "support/storm.h"
#include "support/threads.h"

enum { PATIENCE = 10 }; /* seconds: a child that hangs is killed, and seen */

static void must_end_well(const char *name, crime_fn fn, const void *arg)
{
  crime_scene end;
  crime_commit(fn, arg, &end);
  if (end.status)
    print_error("%s: status %#x\n%s", name, (unsigned)end.status, end.text);
  assert_int_equal(end.status, 0);
}

static void must_be_waited_for(pid_t child)
{
  int status;
  must(child > 0);
  must(waitpid(child, &status, 0) == child);
  must_equal(status, 0);
}

/* ---- Handlers that allocate ------------------------------------------------------------------ */

static int prepared, in_parent, in_child; /* how often each handler ran */

/* Through every lock that a request can take: of the arena, of a heap, of the table of heaps. */
static void request_all_over(void)
{
  tm_heap *d = tm_heap_default(), *fresh;
  for (size_t n = 16; n <= (size_t)8 << 20; n *= 4) {
    void *p = tm_realloc(d, TM_RAW, tm_malloc(d, TM_RAW, n), n * 2);
    must(p != NULL);
    tm_free(d, TM_RAW, p);
  }
  must(tm_heap_new(&fresh, NULL) == 0);
  must(tm_malloc(fresh, TM_RAW, 100) != NULL);
  must(tm_heap_close(fresh) == 0);
  tm_inform(d, "handler", 10);
  tm_inform(d, "handler", -10);
  (void)tm_trim(d);
}

static void before_fork(void)
{
  prepared++;
  request_all_over();
}

static void after_fork_in_parent(void)
{
  in_parent++;
  request_all_over();
}

static void after_fork_in_child(void)
{
  in_child++;
  request_all_over();
}

static void register_handlers(void)
{
  must(pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0);
}

static void fork_with_handlers(void)
{
  pid_t child = fork();
  must(child >= 0);
  must_equal(prepared, 1);
  if (child == 0) {
    must_equal(in_child, 1);
    request_all_over();
    books_must_balance(tm_heap_default());
    _exit(0);
  }
  must_equal(in_parent, 1);
  must_be_waited_for(child);
  books_must_balance(tm_heap_default());
}

/* Prepare handlers run last registered first: ours must be older than any of a program that only
 * comes to use the heap later, or its handler meets our locks. */
static void register_before_the_first_use(const void *arg)
{
  (void)arg;
  (void)alarm(PATIENCE);
  must(tm__arena.bytes == 0);
  register_handlers();
  void *p = tm_malloc(tm_heap_default(), TM_RAW, 100);
  fork_with_handlers();
  tm_free(tm_heap_default(), TM_RAW, p);
}

static void register_after_the_first_use(const void *arg)
{
  (void)arg;
  (void)alarm(PATIENCE);
  void *p = tm_malloc(tm_heap_default(), TM_RAW, 100);
  register_handlers();
  fork_with_handlers();
  tm_free(tm_heap_default(), TM_RAW, p);
}

/* The heap is used for the first time inside a handler, or by the child. */
static void first_use_is_in_a_handler(const void *arg)
{
  (void)arg;
  (void)alarm(PATIENCE);
  must(tm__arena.bytes == 0);
  register_handlers();
  fork_with_handlers();
}

/* A parent that never used the heap has a child, and a grandchild, that do. */
static void first_use_is_in_the_child(const void *arg)
{
  (void)arg;
  (void)alarm(PATIENCE);
  must(tm__arena.bytes == 0);
  pid_t child = fork();
  if (child == 0) {
    request_all_over();
    pid_t grandchild = fork();
    request_all_over();
    if (grandchild)
      must_be_waited_for(grandchild);
    books_must_balance(tm_heap_default());
    _exit(0);
  }
  must_be_waited_for(child);
  must(tm__arena.bytes == 0);
}

static void handlers_older_than_the_heap_may_allocate(void **state)
{
  (void)state;
  must_end_well("before the first use", register_before_the_first_use, NULL);
}

static void handlers_younger_than_the_heap_may_allocate(void **state)
{
  (void)state;
  must_end_well("after the first use", register_after_the_first_use, NULL);
}

static void the_first_use_may_be_anywhere(void **state)
{
  (void)state;
  must_end_well("in a handler", first_use_is_in_a_handler, NULL);
  must_end_well("in the child", first_use_is_in_the_child, NULL);
}

/* ---- Children of children -------------------------------------------------------------------- */

enum { GENERATIONS = 5, WORKERS = 3, SHARED = 60 };

typedef struct family {
  tm_heap *heap;
  tm_pool *pool;
  tm_handle handle;
  shadow_block shared[SHARED];
  _Atomic(int) working, stop;
} family;

static void work_on(void *ctx, unsigned index)
{
  family *f = ctx;
  storm s = {.heap = f->heap, .random = {index}, .most_blocks = 200};
  do {
    for (int i = 0; i < 200; i++)
      storm_step(&s);
    atomic_fetch_or(&f->working, 1 << index);
  } while (!atomic_load(&f->stop));
  storm_calm(&s);
  shadow_drop(&s.shadow);
}

static int count_block(void *ctx, const tm_walk_item *item)
{
  *(uint64_t *)ctx += item->kind == TM_WALK_BLOCK;
  return 0;
}

static int do_nothing(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  return TM_HOOK_NOTHING;
}

static void read_everything(family *f)
{
  uint64_t blocks = 0, cursor = 0;
  tm_record record;
  tm_stats stats = books_stats(f->heap);
  static char text[1 << 16];
  books_must_be_sane(&stats);
  int checked = tm_heap_check(f->heap), walked = tm_heap_walk(f->heap, count_block, &blocks);
  must(checked == 0 || checked == TM_EBUSY);
  must(walked == 0 || walked == TM_EBUSY);
  must(tm_stats_json(f->heap, text, sizeof text) < sizeof text);
  while (tm_log_read(f->heap, &cursor, &record) == 1)
    continue;
}

/* What the parent had is there, and all that the library offers works. */
static void use_everything(family *f)
{
  tm_hook *hook;
  tm_handle fresh;
  void *p = tm_pool_alloc(f->pool, 100);
  must(p != NULL);
  tm_pool_free(f->pool, p);
  must(tm_handle_lock(f->heap, f->handle) != NULL);
  must(tm_handle_unlock(f->heap, f->handle) == 0);
  must(tm_handle_new(f->heap, 500, &fresh) == 0);
  (void)tm_handles_compact(f->heap);
  must(tm_handle_free(f->heap, fresh) == 0);
  must(tm_hook_add(f->heap, TM_COLLECT, do_nothing, NULL, &hook) == 0);
  must(tm_limit_set(f->heap, TM_SOFT, 1) == 0);
  must(tm_poll(f->heap) >= 0);
  must(tm_limit_set(f->heap, TM_SOFT, 0) == 0);
  must(tm_hook_remove(hook) == 0);
  tm_inform(f->heap, "child", 10);
  tm_inform(f->heap, "child", -10);
  request_all_over();
  read_everything(f);
  (void)tm_trim(f->heap);
}

/* Frees what the generation before has made, and makes its own. */
static void renew_shared(family *f)
{
  shadow s = {.failures = 0};
  for (unsigned i = 0; i < SHARED; i++) {
    size_t n = i * i * 40; /* up to 140 KB: of every kind */
    if (f->shared[i].p) {
      shadow_dies(&s, &f->shared[i]);
      tm_free(f->heap, TM_MEM, f->shared[i].p);
    }
    f->shared[i] = shadow_born(&s, TM_MEM, tm_malloc(f->heap, TM_MEM, n), n);
  }
}

static void live(family *f, int generation);

/* The thread that forks is the main thread of the child, and of no other. */
typedef struct parenthood {
  family *family;
  int generation;
} parenthood;

static void *fork_here(void *arg)
{
  const parenthood *p = arg;
  renew_shared(p->family); /* blocks of this thread, which goes on, and in the parent ends */
  pid_t child = fork();
  must(child >= 0);
  if (child == 0) {
    live(p->family, p->generation + 1);
    _exit(0);
  }
  must_be_waited_for(child);
  return NULL;
}

static void *all_workers(void *arg)
{
  threads_run(WORKERS, work_on, arg);
  return NULL;
}

static void live(family *f, int generation)
{
  (void)alarm(3 * PATIENCE);
  pthread_t workers, forker;
  parenthood p = {f, generation};
  use_everything(f);
  if (generation == GENERATIONS)
    return;
  atomic_store(&f->working, 0);
  must(pthread_create(&workers, NULL, all_workers, f) == 0);
  while (atomic_load(&f->working) != (1 << WORKERS) - 1)
    tm__os_pause(100000);
  if (generation % 2)
    must(fork_here(&p) == NULL);
  else
    must(pthread_create(&forker, NULL, fork_here, &p) == 0 && pthread_join(forker, NULL) == 0);
  atomic_store(&f->stop, 1);
  must(pthread_join(workers, NULL) == 0);
  atomic_store(&f->stop, 0);
  use_everything(f);
  renew_shared(f); /* no child has touched ours */
}

static void found_a_family(const void *arg)
{
  static family f;
  tm_pool_config pool;
  tm_heap_config config;
  tm_heap_config_init(&config);
  tm_pool_config_init(&pool);
  config.threads = TM_MANY_THREADS;
  f.heap = tm_heap_default();
  if (!*(const bool *)arg)
    must(tm_heap_new(&f.heap, &config) == 0);
  must(tm_pool_new(f.heap, &pool, &f.pool) == 0);
  must(tm_handle_new(f.heap, 1000, &f.handle) == 0);
  renew_shared(&f);
  live(&f, 0);
  books_must_balance(f.heap);
}

static void children_of_children_use_everything(void **state)
{
  (void)state;
  if (TEST_SANITIZED) {
    print_message("SKIP: a sanitizer's own allocator can stay locked in such a child\n");
    skip();
  }
  static const bool of_default[] = {true, false};
  for (int i = 0; i < 2; i++)
    must_end_well(i ? "a heap for many" : "the default heap", found_a_family, &of_default[i]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handlers_older_than_the_heap_may_allocate),
      cmocka_unit_test(handlers_younger_than_the_heap_may_allocate),
      cmocka_unit_test(the_first_use_may_be_anywhere),
      cmocka_unit_test(children_of_children_use_everything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
