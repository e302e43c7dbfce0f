/* pool.c - the table of pools: four built-in ones, then the host's. */
#include "heap/pool.h"

#include <string.h>

#include "heap/arena.h"
#include "heap/books.h"
#include "heap/heap.h"
#include "heap/quiesce.h"
#include "heap/shard.h"

void tm__name_copy(char *to, size_t capacity, const char *from)
{
  size_t n = strlen(from);
  n = n < capacity - 1 ? n : capacity - 1;
  memcpy(to, from, n);
  memset(to + n, 0, capacity - n);
}

/* ---- Built-in ------------------------------------------------------------------------------- */

void tm__pools_init(tm_heap *heap)
{
  static const char names[TM_POOLS_BUILT_IN][4] = {"raw", "mem", "obj", "c"};
  static const tm_family families[TM_POOLS_BUILT_IN] = {TM_RAW, TM_MEM, TM_OBJ, TM_RAW};
  for (unsigned id = 0; id < TM_POOLS_BUILT_IN; id++) {
    struct tm_pool *pool = &heap->pools[id];
    pool->heap = heap;
    pool->id = id;
    pool->family = families[id];
    pool->kind = TM_POOL_VARIABLE;
    pool->most_bytes = SIZE_MAX;
    tm__name_copy(pool->name, sizeof pool->name, names[id]);
    atomic_store(&pool->used, true);
  }
  atomic_store(&heap->pool_count, TM_POOLS_BUILT_IN);
}

bool tm__pool_serves(const tm_heap *heap, unsigned have, unsigned asked)
{
  if (have == asked)
    return true;
  /* CPython documents PyMem_RawMalloc as malloc, and extensions take it at its word. */
  if ((have == TM_RAW || have == TM_POOL_C) && (asked == TM_RAW || asked == TM_POOL_C))
    return true;
  return have >= TM_POOLS_BUILT_IN && asked < TM_POOL_C &&
         heap->pools[have].family == (tm_family)asked;
}

static const char api_names[TM_POOLS_BUILT_IN][3][20] = {
    {"PyMem_RawMalloc", "PyMem_RawFree", "PyMem_RawRealloc"},
    {"PyMem_Malloc", "PyMem_Free", "PyMem_Realloc"},
    {"PyObject_Malloc", "PyObject_Free", "PyObject_Realloc"},
    {"malloc", "free", "realloc"},
};

static const char *api_name(const tm_heap *heap, unsigned pool, unsigned which)
{
  return pool < TM_POOLS_BUILT_IN ? api_names[pool][which] : heap->pools[pool].name;
}

const char *tm__pool_alloc_name(const tm_heap *heap, unsigned pool)
{
  return api_name(heap, pool, 0);
}

const char *tm__pool_free_name(const tm_heap *heap, unsigned pool)
{
  return api_name(heap, pool, 1);
}

const char *tm__pool_resize_name(const tm_heap *heap, unsigned pool)
{
  return api_name(heap, pool, 2);
}

/* ---- The host's ----------------------------------------------------------------------------- */

void tm_pool_config_init(tm_pool_config *config)
{
  *config = (tm_pool_config){.size = sizeof *config,
                             .name = "pool",
                             .kind = TM_POOL_VARIABLE,
                             .family = TM_OBJ,
                             .cache_blocks = 64};
}

static bool valid(const tm_pool_config *config)
{
  if (config->size == 0 || config->size > sizeof *config)
    return false;
  if (config->kind != TM_POOL_FIXED && config->kind != TM_POOL_CACHED &&
      config->kind != TM_POOL_VARIABLE)
    return false;
  if (config->family != TM_RAW && config->family != TM_MEM && config->family != TM_OBJ)
    return false;
  if (config->kind == TM_POOL_VARIABLE)
    return true;
  return config->block_bytes >= 1 && config->block_bytes <= TM_BLOCK_MAX &&
         config->cache_blocks <= UINT32_MAX;
}

/* A deleted pool's slot is used again only for blocks of the same size: pages and books of the
 * old one are still read with it. */
static struct tm_pool *free_slot(tm_heap *heap, uint32_t block_bytes)
{
  unsigned count = atomic_load(&heap->pool_count);
  for (unsigned id = TM_POOLS_BUILT_IN; id < count; id++) {
    struct tm_pool *pool = &heap->pools[id];
    if (!atomic_load(&pool->used) && pool->block_bytes == block_bytes)
      return pool;
  }
  if (count >= TM_POOLS_MAX)
    return NULL;
  heap->pools[count].id = count;
  return &heap->pools[count];
}

int tm_pool_new(tm_heap *heap, const tm_pool_config *config, tm_pool **out)
{
  tm_pool_config defaults;
  tm_pool_config_init(&defaults);
  if (!heap || !out || !config || !valid(config))
    return TM_EINVAL;
  if (!tm__heap_startup())
    return TM_ENOMEM;
  bool fixed = config->kind != TM_POOL_VARIABLE;
  uint32_t bytes = fixed ? ((uint32_t)config->block_bytes + 15) & ~15u : 0;
  tm__lock_acquire(&heap->lock);
  struct tm_pool *pool = free_slot(heap, bytes);
  if (pool) {
    tm__sums before = {0};
    tm__books_pool(heap, pool->id, &before);
    pool->before_bytes = before.alloc_bytes;
    pool->before_blocks = before.allocs;
    pool->before_reallocs = before.reallocs;
    pool->heap = heap;
    pool->family = config->family;
    pool->kind = config->kind;
    pool->block_bytes = bytes;
    pool->most_bytes = fixed ? config->block_bytes : SIZE_MAX;
    pool->cache_blocks = config->kind == TM_POOL_CACHED ? (uint32_t)config->cache_blocks : 0;
    tm__name_copy(pool->name, sizeof pool->name, config->name ? config->name : defaults.name);
    atomic_store_explicit(&pool->used, true, memory_order_release);
    if (pool->id == atomic_load(&heap->pool_count))
      atomic_store_explicit(&heap->pool_count, pool->id + 1, memory_order_release);
  }
  tm__lock_release(&heap->lock);
  if (!pool)
    return TM_ENOMEM;
  *out = pool;
  return 0;
}

int tm_pool_delete(tm_pool *pool)
{
  if (!pool || pool->id < TM_POOLS_BUILT_IN || !atomic_load(&pool->used))
    return TM_EINVAL;
  tm__sums sums = {0};
  tm__books_pool(pool->heap, pool->id, &sums);
  if (sums.allocs != sums.frees)
    return TM_EBUSY;
  tm__shard *shard = tm__shard_peek(pool->heap);
  if (shard != &tm__empty_shard)
    tm__shard_quiesce(shard);
  atomic_store_explicit(&pool->used, false, memory_order_release);
  return 0;
}
