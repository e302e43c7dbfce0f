/*
 * full.c - a heap that is full of what lives: how much time goes into collections that find
 * nothing, and how does a request fail?
 *
 * Stands for: a service that has outgrown its hard limit. A tree lives, its collector walks all of
 * it. After each piece of work the host asks for more than fits and has to live with NULL; smaller
 * requests, which do fit, must be granted. Prints the share of the time that collecting took, the
 * cap on it, the requests of both kinds, and the slowest request.
 */
#include "bench.h"

#include <inttypes.h>
#include <tidemark/tidemark.h>

enum { NODE_BYTES = 64, WORK_STEPS = 20000, BIG = 1 << 20, SMALL = 1 << 10 };
#define MIB ((uint64_t)1 << 20)

typedef struct node {
  struct node *next[2];
  uint64_t mark;
  char payload[NODE_BYTES - 24];
} node;

typedef struct host {
  tm_heap *heap;
  node *root;
  uint64_t epoch;
} host;

static node *grow_tree(tm_heap *heap, unsigned depth)
{
  node *one = tm_calloc(heap, TM_OBJ, 1, sizeof *one);
  if (one == NULL) {
    bench_die(BENCH_EXIT_FAILED, "the tree does not fit");
  }
  for (int side = 0; side < 2 && depth > 1; side++) {
    one->next[side] = grow_tree(heap, depth - 1);
  }
  return one;
}

static void drop_tree(tm_heap *heap, node *one)
{
  for (int side = 0; side < 2; side++) {
    if (one->next[side] != NULL) {
      drop_tree(heap, one->next[side]);
    }
  }
  tm_free(heap, TM_OBJ, one);
}

static void mark_tree(host *h, node *one)
{
  one->mark = h->epoch;
  for (int side = 0; side < 2; side++) {
    if (one->next[side] != NULL && one->next[side]->mark != h->epoch) {
      mark_tree(h, one->next[side]);
    }
  }
}

static int collect(void *ctx, const tm_event *event)
{
  host *h = ctx;
  (void)event;
  h->epoch++;
  mark_tree(h, h->root);
  return TM_HOOK_NOTHING;
}

static double wall_s(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void work(void)
{
  volatile uint64_t sum = 0;
  for (uint64_t i = 0; i < WORK_STEPS; i++) {
    sum += i;
  }
}

/* Asks for what does not fit and for what does, until the time is up. */
static void live_with_it(host *h, double seconds, bool polls)
{
  uint64_t refused = 0, granted = 0;
  double slowest = 0, start = wall_s(), now = start;
  while (now - start < seconds) {
    work();
    double asked = wall_s();
    void *big = tm_malloc(h->heap, TM_MEM, BIG);
    void *small = tm_malloc(h->heap, TM_MEM, SMALL);
    now = wall_s();
    slowest = now - asked > slowest ? now - asked : slowest;
    if (big != NULL || small == NULL) {
      bench_die(BENCH_EXIT_FAILED, big != NULL ? "the limit was exceeded" : "what fits failed");
    }
    tm_free(h->heap, TM_MEM, small);
    refused++;
    granted++;
    if (polls) {
      (void)tm_poll(h->heap);
    }
  }
  tm_action_row row;
  tm_policy policy;
  tm_policy_init(&policy);
  if (tm_action_stats_read(h->heap, TM_COLLECT, &row) != 1) {
    bench_die(BENCH_EXIT_FAILED, "no totals");
  }
  (void)printf("collector_share_percent=%.1f cap_percent=%u collections=%" PRIu64
               " refused=%" PRIu64 " granted=%" PRIu64 " slowest_request_ms=%.2f\n",
               (double)row.duration_ns_total / 1e7 / (now - start), policy.cpu_cap_percent,
               row.runs_total, refused, granted, slowest * 1e3);
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"delivery", TM_SYNCHRONOUS, 0, 1, "deferred,synchronous"},
                            {"depth", 20, 10, 24, NULL},
                            {"seconds", 10, 1, 100, NULL}};
  bench_begin(argc, argv, options, 3);
  host h = {0};
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.delivery = (tm_delivery)options[0].value;
  if (tm_heap_new(&h.heap, &config) != 0) {
    bench_die(BENCH_EXIT_FAILED, "no heap");
  }
  h.root = grow_tree(h.heap, (unsigned)options[1].value);
  uint64_t full = tm_footprint(h.heap) + BIG / 2;
  if (tm_limit_set(h.heap, TM_HARD, (int64_t)full) != 0 ||
      tm_hook_add(h.heap, TM_COLLECT, collect, &h, NULL) != 0) {
    bench_die(BENCH_EXIT_FAILED, "cannot prepare the heap");
  }
  live_with_it(&h, (double)options[2].value, options[0].value == TM_DEFERRED);
  if (tm_footprint(h.heap) > full || tm_heap_check(h.heap) != 0) {
    bench_die(BENCH_EXIT_FAILED, "the books do not balance");
  }
  drop_tree(h.heap, h.root);
  return tm_heap_close(h.heap) == 0 ? 0 : BENCH_EXIT_FAILED;
}
