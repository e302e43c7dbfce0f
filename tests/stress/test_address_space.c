/*
 * test_address_space.c - little address space (RLIMIT_AS), or little memory that may be written to
 * (RLIMIT_DATA, which refuses commits as a kernel does that never overcommits): the heap works with
 * what there is, says NULL when it is full, and all of it can be used again. Each case is a process
 * of its own that is limited before it uses the heap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <tidemark/gc.h>

#include "heap/types.h"
#include "misuse/crime.h"
#include "support/books.h"
#include "support/threads.h"

enum { MIB = 1 << 20 };

typedef struct limit_case {
  int kind;
  uint64_t bytes;
  size_t block; /* size of the requests */
} limit_case;

/* ---- Filling --------------------------------------------------------------------------------- */

/* Blocks that are linked through their first word: nothing else is needed to know them. */
typedef struct link {
  struct link *next;
} chain;

/* Takes blocks of n bytes until there are no more; returns how many bytes that were. */
static uint64_t fill_up(tm_heap *heap, size_t n, chain **list)
{
  uint64_t bytes = 0;
  chain *p;
  errno = 0;
  while ((p = tm_malloc(heap, TM_MEM, n)) != NULL) {
    p->next = *list;
    *list = p;
    bytes += n;
  }
  must_equal(errno, ENOMEM);
  return bytes;
}

static void free_all(tm_heap *heap, chain **list)
{
  while (*list) {
    chain *p = *list;
    *list = p->next;
    tm_free(heap, TM_MEM, p);
  }
}

/* A thread that was there before the limit and uses the heap for the first time when it is full. */
typedef struct latecomer {
  pthread_t thread;
  pthread_barrier_t start, end;
  chain *block; /* of the other thread, to free */
} latecomer;

static void *come_late(void *arg)
{
  latecomer *l = arg;
  for (int round = 0; round < 3; round++) {
    (void)pthread_barrier_wait(&l->start);
    void *p = tm_malloc(tm_heap_default(), TM_OBJ, 1000);
    must(p || errno == ENOMEM);
    tm_free(tm_heap_default(), TM_OBJ, p);
    tm_free(tm_heap_default(), TM_MEM, l->block);
    (void)pthread_barrier_wait(&l->end);
  }
  return NULL;
}

/* The heap is full: what needs no memory works, what needs some fails in the right way. */
static void work_while_full(tm_heap *d, chain **list, latecomer *l)
{
  tm_heap *other = NULL;
  chain *first = *list, *kept = first->next;
  must(tm_realloc(d, TM_MEM, first, (size_t)1 << 40) == NULL && errno == ENOMEM);
  must(first->next == kept);
  int made = tm_heap_new(&other, NULL);
  must(made == 0 ? tm_heap_close(other) == 0 : made == TM_ENOMEM);
  int checked = tm_heap_check(d);
  must(checked == 0 || checked == TM_ENOMEM);
  l->block = first;
  *list = kept;
  (void)pthread_barrier_wait(&l->start);
  (void)pthread_barrier_wait(&l->end);
  tm_stats stats = books_stats(d);
  must(stats.failures_total[TM_FAIL_OS] >= 1);
}

/* Sets the limit; returns what it was. */
static struct rlimit limit_to(const limit_case *c)
{
  struct rlimit before, little;
  must(tm__arena.bytes == 0);
  must(getrlimit((__rlimit_resource_t)c->kind, &before) == 0);
  little = before;
  little.rlim_cur = (rlim_t)c->bytes;
  must(setrlimit((__rlimit_resource_t)c->kind, &little) == 0);
  return before;
}

static void fill_and_fill_again(const void *arg)
{
  const limit_case *c = arg;
  uint64_t got[3];
  chain *list = NULL;
  latecomer l = {.block = NULL};
  must(pthread_barrier_init(&l.start, NULL, 2) == 0 && pthread_barrier_init(&l.end, NULL, 2) == 0);
  must(pthread_create(&l.thread, NULL, come_late, &l) == 0);
  struct rlimit before = limit_to(c);
  tm_heap *d = tm_heap_default();
  for (int round = 0; round < 3; round++) {
    got[round] = fill_up(d, c->block, &list);
    must(got[round] >= c->bytes / 4 && got[round] < c->bytes);
    work_while_full(d, &list, &l);
    free_all(d, &list);
    must_equal(books_stats(d).live_bytes, 0);
    if (round == 1) /* with and without */
      (void)tm_trim(d);
    /* what was free in parts is one again, but for what bookkeeping may have taken meanwhile */
    void *p = tm_malloc(d, TM_MEM, got[round] / 4 * 3);
    must(p != NULL);
    tm_free(d, TM_MEM, p);
  }
  must(got[2] >= got[0] / 10 * 9);
  must(pthread_join(l.thread, NULL) == 0);
  (void)tm_trim(d);
  /* a walk maps a table of its own, and what is trimmed may still be written to */
  must(setrlimit((__rlimit_resource_t)c->kind, &before) == 0);
  books_must_balance(d);
}

static void run_case(const char *name, crime_fn fn, const limit_case *c)
{
  crime_scene end;
  crime_commit(fn, c, &end);
  if (end.status)
    print_error("%s, %u MiB, blocks of %zu: status %#x\n%s", name, (unsigned)(c->bytes / MIB),
                c->block, (unsigned)end.status, end.text);
  assert_int_equal(end.status, 0);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static const uint64_t sizes_mib[] = {64, 100, 128, 256, 512, 1024, 2048, 3000, 4096};

static void any_limit_on_address_space(void **state)
{
  (void)state;
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes_mib); i++) {
    limit_case c = {RLIMIT_AS, sizes_mib[i] * MIB, MIB};
    run_case("address space", fill_and_fill_again, &c);
    c.block = 100000;
    run_case("address space", fill_and_fill_again, &c);
  }
}

static void small_blocks_too(void **state)
{
  (void)state;
  static const size_t blocks[] = {64, 500, 9000, 40000};
  for (size_t i = 0; i < TM_ARRAY_LEN(blocks); i++) {
    limit_case c = {RLIMIT_AS, (uint64_t)100 * MIB, blocks[i]};
    run_case("address space", fill_and_fill_again, &c);
  }
}

/* The range is reserved in full: it is no memory that may be written to. */
static void fill_with_little_data(const void *arg)
{
  fill_and_fill_again(arg);
  must(tm__arena.bytes > ((const limit_case *)arg)->bytes * 4);
}

static void commits_that_the_kernel_refuses(void **state)
{
  (void)state;
  static const size_t blocks[] = {500, 40000, 100000, MIB};
  for (size_t i = 0; i < TM_ARRAY_LEN(blocks); i++)
    for (uint64_t mib = 64; mib <= 256; mib *= 4) {
      limit_case c = {RLIMIT_DATA, mib * MIB, blocks[i]};
      run_case("data", fill_with_little_data, &c);
    }
}

/* The limit is lifted again: what was refused is granted. */
static void lift_the_limit(const void *arg)
{
  const limit_case *c = arg;
  chain *list = NULL;
  struct rlimit before = limit_to(c);
  tm_heap *d = tm_heap_default();
  uint64_t got = fill_up(d, c->block, &list);
  must(setrlimit((__rlimit_resource_t)c->kind, &before) == 0);
  void *p = tm_malloc(d, TM_MEM, 2 * got);
  must(p != NULL);
  tm_free(d, TM_MEM, p);
  free_all(d, &list);
  books_must_balance(d);
}

static void a_lifted_limit_on_data_is_seen(void **state)
{
  (void)state;
  limit_case c = {RLIMIT_DATA, (uint64_t)100 * MIB, 100000};
  run_case("lifted", lift_the_limit, &c);
}

/* ---- What a kernel that never overcommits would count ---------------------------------------- */

/* Bytes of mappings in the arena's range that are accounted ("ac"), and those that are exempt
 * ("nr"), by the kernel's own flags; false where it does not show them. */
static bool read_accounts(uint64_t *accounted, uint64_t *exempt)
{
  uintptr_t first = 0, end = 0, base = (uintptr_t)tm__arena.base;
  bool shown = false;
  char line[600];
  FILE *maps = fopen("/proc/self/smaps", "r");
  *accounted = *exempt = 0;
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long a, b;
    if (sscanf(line, "%lx-%lx ", &a, &b) == 2)
      first = a, end = b;
    if (strncmp(line, "VmFlags:", 8) != 0)
      continue;
    shown = true;
    if (first < base || end > base + tm__arena.bytes)
      continue;
    *accounted += strstr(line, " ac") ? end - first : 0;
    *exempt += strstr(line, " nr") ? end - first : 0;
  }
  if (maps)
    (void)fclose(maps);
  return shown;
}

static void little_more_than_is_used_is_accounted(void **state)
{
  (void)state;
  uint64_t accounted, exempt;
  chain *list = NULL;
  tm_heap *d = tm_heap_default();
  void *p = tm_malloc(d, TM_MEM, 100);
  if (!read_accounts(&accounted, &exempt)) {
    print_message("SKIP: this kernel does not show the flags of mappings\n");
    skip();
  }
  /* one step ahead at most, of a range of gigabytes */
  assert_true(accounted > 0 && accounted <= 32 * MIB);
  assert_int_equal(exempt, 0); /* nothing that can be refused only by a kill */
  for (int i = 0; i < 200; i++) {
    chain *block = tm_malloc(d, TM_MEM, MIB);
    assert_non_null(block);
    block->next = list;
    list = block;
  }
  assert_true(read_accounts(&accounted, &exempt));
  assert_true(accounted >= (uint64_t)200 * MIB && accounted <= (uint64_t)240 * MIB);
  assert_int_equal(exempt, 0);
  free_all(d, &list);
  tm_free(d, TM_MEM, p);
}

int main(void)
{
  if (TEST_SANITIZED) {
    printf("SKIP: a sanitizer's own shadow is above any such limit\n");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_limit_on_address_space),
      cmocka_unit_test(small_blocks_too),
      cmocka_unit_test(commits_that_the_kernel_refuses),
      cmocka_unit_test(a_lifted_limit_on_data_is_seen),
      cmocka_unit_test(little_more_than_is_used_is_accounted), /* last: uses the heap here */
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
