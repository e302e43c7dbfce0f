/*
 * scale.c - what a pair of malloc and free costs when the heap is large, and when threads are many.
 *
 * Stands for: the same service on its first day and a year later. Blocks of a live set are replaced
 * at random. The same loop with a bare free list for each size, which touches the same blocks in
 * the same way, shows what the size of the caches costs; what an allocator costs beyond it should
 * not grow. Prints nanoseconds of processor time.
 */
#include "bench.h"

enum { MAX_THREADS = 64, ROUNDS = 7, DOUBLINGS = 6 };

typedef struct link {
  struct link *next;
} link;

typedef struct worker {
  void **blocks;
  uint32_t *sizes;
  link *volatile lists[(16 << DOUBLINGS) / 16]; /* by size */
  size_t count;
  uint64_t bytes, steps, seed;
  double pair_ns, bare_ns; /* medians of the rounds */
} worker;

static double thread_cpu_ns(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Sizes of 16 to 1,023 bytes, most of them small. */
static void fill(worker *w)
{
  bench_rng rng = bench_rng_new(w->seed);
  size_t capacity = (size_t)(w->bytes / 16) + 1;
  w->blocks = bench_malloc(capacity * sizeof *w->blocks);
  w->sizes = bench_malloc(capacity * sizeof *w->sizes);
  for (uint64_t live = 0; live < w->bytes; w->count++) {
    size_t n = bench_rng_size(&rng, DOUBLINGS);
    w->sizes[w->count] = (uint32_t)n;
    w->blocks[w->count] = bench_malloc(n);
    bench_touch(w->blocks[w->count], n);
    live += n;
  }
}

static void replace(worker *w, size_t at)
{
  free(w->blocks[at]);
  w->blocks[at] = bench_malloc(w->sizes[at]);
  *(volatile char *)w->blocks[at] = 1;
}

/* The least that can be done: a push and a pop of a list of blocks of this size. */
static void replace_bare(worker *w, size_t at)
{
  link *freed = w->blocks[at];
  link *volatile *list = &w->lists[w->sizes[at] / 16];
  freed->next = *list;
  *list = freed;
  link *taken = *list;
  *list = taken->next;
  w->blocks[at] = taken;
  *(volatile char *)taken = 1;
}

static double time_steps(worker *w, void (*step)(worker *, size_t), uint64_t seed)
{
  bench_rng rng = bench_rng_new(seed);
  double start = thread_cpu_ns();
  for (uint64_t i = 0; i < w->steps; i++) {
    step(w, bench_rng_below(&rng, w->count));
  }
  return (thread_cpu_ns() - start) / (double)w->steps;
}

/* Each thread makes its part of the live set and works on it. */
static void *run_worker(void *arg)
{
  worker *w = arg;
  double bare[ROUNDS], pair[ROUNDS];
  fill(w);
  for (size_t round = 0; round < ROUNDS; round++) {
    uint64_t seed = w->seed + 1000 * round;
    bare[round] = time_steps(w, replace_bare, seed);
    pair[round] = time_steps(w, replace, seed + 500);
  }
  w->bare_ns = bench_median(bare, ROUNDS);
  w->pair_ns = bench_median(pair, ROUNDS);
  return NULL;
}

int main(int argc, char **argv)
{
  static worker workers[MAX_THREADS];
  pthread_t threads[MAX_THREADS];
  double bare[MAX_THREADS], pair[MAX_THREADS];
  bench_option options[] = {{"live_mib", 16, 1, 1 << 16, NULL},
                            {"threads", 1, 1, MAX_THREADS, NULL},
                            {"steps", 2000000, 1000, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 3);
  size_t count = (size_t)options[1].value;
  for (size_t i = 0; i < count; i++) {
    workers[i] = (worker){.bytes = (options[0].value << 20) / count,
                          .steps = options[2].value / count,
                          .seed = i + 1};
    threads[i] = bench_thread_start(run_worker, &workers[i]);
  }
  for (size_t i = 0; i < count; i++) {
    bench_thread_join(threads[i]);
    bare[i] = workers[i].bare_ns;
    pair[i] = workers[i].pair_ns;
  }
  (void)printf("pair_ns=%.2f bare_ns=%.2f\n", bench_median(pair, count), bench_median(bare, count));
  return 0;
}
