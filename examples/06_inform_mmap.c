/*
 * 06_inform_mmap.c - memory that the heap cannot see.
 *
 * Shows: a program that maps its cache by mmap tells the heap of it with tm_inform. From then on
 * the mapped bytes weigh like the heap's own: they are in the footprint, they trip the soft limit,
 * and the hook that can drop the cache is called for it.
 *
 *   cc 06_inform_mmap.c -o 06_inform_mmap $(pkg-config --cflags --libs tidemark)
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>

#include <tidemark/tidemark.h>

#define MIB ((size_t)1 << 20)
enum { TILES = 64 };
static const size_t tile_bytes = 2 << 20;
static void *tiles[TILES]; /* a cache of mapped tiles; the oldest is at the lowest index */
static int count, dropped;

static void *map_tile(tm_heap *heap)
{
  void *tile = mmap(NULL, tile_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (tile == MAP_FAILED)
    return NULL;
  tm_inform(heap, "tiles", (int64_t)tile_bytes); /* never refused: the bytes are there already */
  return tiles[count++] = tile;
}

static void unmap_oldest(tm_heap *heap)
{
  (void)munmap(tiles[0], tile_bytes);
  tm_inform(heap, "tiles", -(int64_t)tile_bytes);
  for (int i = 1; i < count; i++)
    tiles[i - 1] = tiles[i];
  count--;
  dropped++;
}

static void print_books(const tm_heap *heap)
{
  tm_stats stats;
  tm_tag_row tag;
  tm_stats_init(&stats);
  (void)tm_stats_read(heap, &stats);
  printf("footprint %llu KiB = live %llu KiB", (unsigned long long)stats.footprint_bytes / 1024,
         (unsigned long long)stats.live_bytes / 1024);
  for (size_t i = 0; tm_tag_stats_read(heap, i, &tag) == 1; i++)
    printf(" + %s %lld KiB (once %lld)", tag.name, (long long)tag.informed_bytes / 1024,
           (long long)tag.informed_peak_bytes / 1024);
  putchar('\n');
}

/* Drops the oldest tiles until as much is gone as the engine asks for; at least one. */
static int drop_tiles(void *ctx, const tm_event *event)
{
  uint64_t freed = 0;
  (void)ctx;
  printf("%d tiles of %zu MiB are too near to the limit of 32 MiB\n", count, tile_bytes / MIB);
  print_books(event->heap);
  while (count && (freed == 0 || freed < event->need_bytes)) {
    unmap_oldest(event->heap);
    freed += tile_bytes;
  }
  printf("  the hook was asked for %llu KiB and dropped %llu KiB\n",
         (unsigned long long)event->need_bytes / 1024, (unsigned long long)freed / 1024);
  return freed ? TM_HOOK_DONE : TM_HOOK_NOTHING;
}

int main(void)
{
  tm_heap_config config;
  tm_heap *heap;
  tm_heap_config_init(&config);
  config.name = "viewer";
  config.soft_limit_bytes = 32 * MIB;
  if (tm_heap_new(&heap, &config) != 0)
    return 1;
  if (tm_hook_add(heap, TM_DROP_CACHES, drop_tiles, NULL, NULL) != 0)
    return 1;
  void *index = tm_malloc(heap, TM_MEM, MIB);

  while (!dropped && count < TILES) {
    if (!map_tile(heap))
      return 1;
    (void)tm_poll(heap); /* the safe point: no tile is being drawn */
  }
  print_books(heap);

  while (count)
    unmap_oldest(heap);
  tm_free(heap, TM_MEM, index);
  print_books(heap);
  return tm_heap_close(heap);
}
