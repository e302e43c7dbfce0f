/*
 * pool.h - object-specific allocators inside a heap.
 *
 * A pool has pages of its own: its blocks never share a page with another pool's, so it is dense
 * for one type, its bytes are a row of the statistics, and freeing its block as something else is
 * caught by the same compare that free does anyway.
 */
#ifndef TIDEMARK_POOL_H
#define TIDEMARK_POOL_H

#include <tidemark/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tm_pool tm_pool;

/* TM_POOL_FIXED: one block size, rounded up to 16 only: dense slabs. TM_POOL_CACHED: as FIXED, and
 * up to cache_blocks freed blocks are kept at hand (last in, first out) however sparse their pages
 * are. TM_POOL_VARIABLE: any size, by the heap's size classes. */
typedef enum { TM_POOL_FIXED, TM_POOL_CACHED, TM_POOL_VARIABLE } tm_pool_kind;

typedef struct tm_pool_config {
  size_t size;         /* of this struct, stamped by tm_pool_config_init */
  const char *name;    /* copied, cut to 31 bytes; the row's name in the statistics. "pool" */
  tm_pool_kind kind;   /* default TM_POOL_VARIABLE */
  tm_family family;    /* family that may also free its blocks by tm_free. Default TM_OBJ */
  size_t block_bytes;  /* FIXED, CACHED: size of a block, 1 to 65,536, e.g. 72 (charged 80) */
  size_t cache_blocks; /* CACHED: blocks kept at hand per thread, e.g. 80. Default 64 */
} tm_pool_config;

TM_API void tm_pool_config_init(tm_pool_config *config);

/* Makes a pool in heap; *pool is written only on success. 0, TM_EINVAL iff an argument is NULL or
 * out of range, TM_ENOMEM iff the heap has 250 pools already or the books are exhausted. */
TM_API int tm_pool_new(tm_heap *heap, const tm_pool_config *config, tm_pool **pool);

/* A block of at least n bytes (FIXED, CACHED: n <= block_bytes, else NULL and EINVAL). Else as
 * tm_malloc. Free it by tm_pool_free, or by tm_free with the pool's family. */
TM_API void *tm_pool_alloc(tm_pool *pool, size_t n);

/* Frees p, NULL does nothing; a block of another pool is reported like a mixed family. */
TM_API void tm_pool_free(tm_pool *pool, void *p);

/* Ends a pool. 0, TM_EINVAL for NULL, TM_EBUSY while it has live blocks. */
TM_API int tm_pool_delete(tm_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
