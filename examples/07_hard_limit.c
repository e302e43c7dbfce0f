/*
 * 07_hard_limit.c - a heap that never takes more than it may.
 *
 * Shows: a synchronous heap with a hard limit. When a request does not fit, the heap first asks the
 * host to free something, inside that very request, and tries once more. Only when that does not
 * help the answer is NULL: clean, with errno set, nothing broken, and the next request that fits is
 * served as if nothing had happened.
 *
 *   cc 07_hard_limit.c -o 07_hard_limit $(pkg-config --cflags --libs tidemark)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <tidemark/tidemark.h>

enum { HARD_LIMIT = 1 << 20, BLOCK = 16 << 10, BLOCKS = 256 };

/* A cache of the host that it can do without. */
typedef struct cache {
  void *entries[8];
  int count;
} cache;

static int drop_cache(void *ctx, const tm_event *event)
{
  cache *c = ctx;
  printf("  the heap asks for memory: %d cached blocks go\n", c->count);
  if (c->count == 0)
    return TM_HOOK_NOTHING;
  while (c->count)
    tm_free(event->heap, TM_MEM, c->entries[--c->count]);
  return TM_HOOK_DONE;
}

static unsigned long long kib(const tm_heap *heap)
{
  return (unsigned long long)tm_footprint(heap) / 1024;
}

int main(void)
{
  static void *blocks[BLOCKS];
  static cache c;
  tm_heap_config config;
  tm_heap *heap;
  tm_heap_config_init(&config);
  config.name = "bounded";
  config.delivery = TM_SYNCHRONOUS;
  config.hard_limit_bytes = HARD_LIMIT;
  if (tm_heap_new(&heap, &config) != 0)
    return 1;
  if (tm_hook_add(heap, TM_DROP_CACHES, drop_cache, &c, NULL) != 0)
    return 1;

  for (; c.count < 8; c.count++)
    c.entries[c.count] = tm_malloc(heap, TM_MEM, BLOCK);
  printf("the cache holds %llu KiB, the hard limit is %d KiB\n", kib(heap), HARD_LIMIT / 1024);

  int n = 0;
  for (; n < BLOCKS; n++)
    if (!(blocks[n] = tm_malloc(heap, TM_MEM, BLOCK)))
      break;
  printf("%d blocks of %d KiB, then NULL: %s\n", n, BLOCK / 1024, strerror(errno));
  printf("the heap holds %llu KiB\n", kib(heap));

  void *kept = blocks[0];
  strcpy(kept, "content");
  errno = 0;
  void *grown = tm_realloc(heap, TM_MEM, kept, 4 * BLOCK);
  printf("growing a block: %s, its %s is still there\n", grown ? "done" : "NULL", (char *)kept);

  tm_free(heap, TM_MEM, blocks[--n]);
  blocks[n] = tm_malloc(heap, TM_MEM, BLOCK);
  printf("after one free, one more block: %s\n", blocks[n] ? "granted" : "NULL");
  n += blocks[n] != NULL;

  tm_stats stats;
  tm_stats_init(&stats);
  (void)tm_stats_read(heap, &stats);
  printf("the peak was %llu KiB, %llu requests failed at the limit\n",
         (unsigned long long)stats.footprint_peak_bytes / 1024,
         (unsigned long long)stats.failures_total[TM_FAIL_LIMIT]);
  while (n)
    tm_free(heap, TM_MEM, blocks[--n]);
  printf("all freed: %llu KiB, the books balance: %s\n", kib(heap),
         tm_heap_check(heap) == 0 ? "yes" : "no");
  return tm_heap_close(heap);
}
