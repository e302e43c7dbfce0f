/* pool.h - host-made pools inside a heap; see the public header of the same name. */
#ifndef TM_HEAP_POOL_H
#define TM_HEAP_POOL_H

#include "heap/types.h"

/* As tm_aligned_alloc for any pool; alignment is a power of two up to 1 GiB. */
TM_HIDDEN void *tm__aligned_alloc(tm_heap *heap, unsigned pool, size_t alignment, size_t n);

/* Puts the four built-in pools into a new heap's table. */
TM_HIDDEN void tm__pools_init(tm_heap *heap);

/* true iff a block of pool `have` may be freed as pool `asked`: the same, or a host's pool of that
 * family. */
TM_HIDDEN bool tm__pool_serves(const tm_heap *heap, unsigned have, unsigned asked);

/* Copies a name, cut to capacity - 1 bytes, the rest zero. */
TM_HIDDEN void tm__name_copy(char *to, size_t capacity, const char *from);

/* How reports name the function that allocated from (frees to) a pool: "PyMem_Malloc", ... */
TM_HIDDEN const char *tm__pool_alloc_name(const tm_heap *heap, unsigned pool);
TM_HIDDEN const char *tm__pool_free_name(const tm_heap *heap, unsigned pool);
TM_HIDDEN const char *tm__pool_resize_name(const tm_heap *heap, unsigned pool);

#endif
