/*
 * heap.h - heaps and blocks.
 *
 * A heap is a bounded space with one set of books, one set of limits and one set of hooks. The
 * default heap serves every thread of the process; a heap made by tm_heap_new is for one runtime
 * (an interpreter, a state, a database handle).
 *
 * What holds for every request of this header:
 *   - a block is 16-aligned and its *usable* size is what the books charge: the requested size
 *     rounded up to a size class (at most 12.5 % more above 128 bytes, 15 bytes below);
 *   - a failed request returns NULL, sets errno to ENOMEM and changes no counter but
 *     failures_total; a failed tm_realloc leaves the old block, its content and the books alone;
 *   - cost is O(1) for blocks up to 64 KiB; larger ones are O(slices of 64 KiB) in bookkeeping;
 *   - tm_free keeps errno;
 *   - nothing here may be called from a signal handler, except tm_owns.
 */
#ifndef TIDEMARK_HEAP_H
#define TIDEMARK_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include <tidemark/version.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tm_heap tm_heap;

/* The three families of the Python/C API manual. A block is freed and resized by the family that
 * allocated it; what happens otherwise says tm_mismatch_set. */
typedef enum { TM_RAW, TM_MEM, TM_OBJ } tm_family;

/* When hooks run. TM_DEFERRED: crossing a trip only latches and notifies, hooks run in tm_poll.
 * TM_SYNCHRONOUS: a tm_malloc, tm_calloc or tm_pool_alloc that crosses runs them itself, before
 * its block is carved and with no lock held. tm_realloc and tm_free never run hooks. */
typedef enum { TM_DEFERRED, TM_SYNCHRONOUS } tm_delivery;

/* Who may make requests of a heap. TM_ONE_THREAD: one thread at a time (the caller sees to it).
 * TM_MANY_THREADS: any number, each gets its own shard. */
typedef enum { TM_ONE_THREAD, TM_MANY_THREADS } tm_threads;

/* How a heap is made. Fill it with tm_heap_config_init, change what you need. */
typedef struct tm_heap_config {
  size_t size;               /* of this struct, stamped by tm_heap_config_init; do not touch */
  const char *name;          /* shown in statistics and logs; copied, cut to 31 bytes. "heap" */
  tm_delivery delivery;      /* default TM_DEFERRED */
  tm_threads threads;        /* default TM_ONE_THREAD */
  uint64_t soft_limit_bytes; /* footprint to stay below by collecting, e.g. 512 << 20; 0 = none */
  uint64_t hard_limit_bytes; /* footprint that no request may exceed, e.g. 1 << 30; 0 = none */
} tm_heap_config;

TM_API void tm_heap_config_init(tm_heap_config *config);

/* The heap of the process, for any thread, made on first use. Never NULL; the same pointer always.
 * Its delivery is deferred. It cannot be closed. */
TM_API tm_heap *tm_heap_default(void);

/*
 * Makes a heap; *heap is written only on success. NULL config means the defaults.
 * Returns 0, TM_EINVAL iff heap is NULL, config->size is 0 or larger than known, an enum is out of
 * range or soft > hard > 0; TM_ENOMEM iff the address space or the books are exhausted (at most
 * 4,096 heaps and 65,000 shards at a time). The caller owns the heap and closes it.
 */
TM_API int tm_heap_new(tm_heap **heap, const tm_heap_config *config);

/*
 * Ends a heap: removes its hooks (waits until none is running), frees every block it still has,
 * deletes its pools. Afterwards no pointer into it may be used. Its pages go to the arena, dirty.
 * Returns 0, TM_EINVAL for NULL or the default heap, TM_EBUSY inside a hook of this heap.
 * No other thread may use the heap during or after the call.
 */
TM_API int tm_heap_close(tm_heap *heap);

/*
 * A block of at least n bytes, content undefined. n == 0 gives a distinct block that must be freed.
 * NULL iff n > PTRDIFF_MAX, the hard limit would be exceeded (also after the emergency round of a
 * synchronous heap), or the operating system has no memory. heap must not be NULL.
 */
TM_API void *tm_malloc(tm_heap *heap, tm_family family, size_t n);

/* As tm_malloc for count * size bytes, all zero; NULL also iff the product overflows. */
TM_API void *tm_calloc(tm_heap *heap, tm_family family, size_t count, size_t size);

/*
 * Resizes p to at least n bytes, keeping min(old, new) bytes of content; may move. p == NULL is
 * tm_malloc(heap, family, n); n == 0 gives a small live block, it does not free. NULL as for
 * tm_malloc, then p is still valid and unchanged. Never runs hooks. A block up to 8 KiB that must
 * move to grow may get up to a quarter more than its old size, to move less often. Large blocks
 * (over 64 KiB) grow in place where the next slices are free and otherwise move by page tables,
 * not by bytes.
 */
TM_API void *tm_realloc(tm_heap *heap, tm_family family, void *p, size_t n);

/*
 * Frees p; NULL does nothing. Any thread may free a block of a heap with many threads. A pointer
 * that is not the start of a live block of this heap and family is reported (see tm_mismatch_set):
 * foreign pointer, interior or misaligned pointer, wrong heap, page that holds nothing, mixed
 * family, and the second of two frees in a row of one block.
 */
TM_API void tm_free(tm_heap *heap, tm_family family, void *p);

/*
 * As tm_malloc with p % alignment == 0. NULL and errno EINVAL iff alignment is not a power of two
 * or above 1 GiB. Freed by tm_free. tm_realloc keeps the content, not an alignment above 16.
 */
TM_API void *tm_aligned_alloc(tm_heap *heap, tm_family family, size_t alignment, size_t n);

/* The bytes of p that may be used and that the books charge; 0 for NULL or a pointer outside the
 * private heap. p must otherwise be a live block. */
TM_API size_t tm_usable_size(const void *p);

/* 1 iff p lies in the private heap's address range, whether or not a block is there; else 0. Two
 * compares; any thread, async-signal-safe. What is not ours can be forwarded to its allocator. */
TM_API int tm_owns(const void *p);

/*
 * Gives free memory back: sweeps the caller's shard and idle shards, releases empty pages, purges
 * every dirty page. Returns the bytes that the operating system really got back (resident before
 * less resident after). 0 when there was nothing. Any thread; O(pages). Runs no hooks.
 */
TM_API uint64_t tm_trim(tm_heap *heap);

/*
 * Walks the heap and proves the books: per pool, blocks and bytes found in pages equal the
 * ledger's; committed == live + free + waste + dirty + meta; free lists stay inside their pages.
 * Returns 0, TM_ECORRUPT iff the quiet heap does not balance (the first difference is written to
 * stderr), TM_EBUSY iff other threads kept allocating or freeing meanwhile. O(heap).
 */
TM_API int tm_heap_check(tm_heap *heap);

/* What tm_heap_walk shows. */
typedef enum { TM_WALK_PAGE, TM_WALK_BLOCK } tm_walk_kind;
typedef struct tm_walk_item {
  tm_walk_kind kind;
  const char *pool;   /* name of the pool: "raw", "mem", "obj", "c" or a host's */
  void *address;      /* start of the page or block */
  size_t bytes;       /* page: its span; block: its usable size */
  size_t block_bytes; /* usable size of the page's blocks */
  size_t blocks;      /* page: how many blocks it can hold; block: 1 */
  size_t live_blocks; /* page: how many of them are in use; block: 1 */
} tm_walk_item;

/* Called once per page and then once per live block on it; non-zero stops the walk. It must not
 * allocate from or free to the heap that is walked. */
typedef int (*tm_walk_fn)(void *ctx, const tm_walk_item *item);

/* Visits every page and live block in address order. Returns 0, what fn returned, or TM_EBUSY iff
 * other threads are changing the heap. The heap must be quiet for an exact picture. */
TM_API int tm_heap_walk(tm_heap *heap, tm_walk_fn fn, void *ctx);

/* What happens when a block is freed or resized by another family than its own. ABORT (default):
 * a report "tidemark: fatal: family mismatch: allocated by PyMem_Malloc, freed by PyObject_Free"
 * and SIGABRT. REPORT: the report, then the block is freed and discharged from the family that it
 * was charged to. IGNORE: the same in silence. family_mismatches_total counts all three.
 * Process-wide; the environment's TM_MISMATCH=abort|report|ignore sets the start value. */
typedef enum { TM_MISMATCH_ABORT, TM_MISMATCH_REPORT, TM_MISMATCH_IGNORE } tm_mismatch;
TM_API int tm_mismatch_set(tm_mismatch policy); /* 0, or TM_EINVAL */

/* 1 iff p is a live block on a page that is sparse compared with the other pages of its class, so
 * that a new allocation of its size would land on a denser page: moving it helps to empty its
 * page. Ask it in a compact hook, allocate, copy, fix your pointers, free. Else 0. Only for the
 * thread that may use the heap. O(1). */
TM_API int tm_should_move(const void *p);

/* A movable block, named by a handle instead of an address. 0 names none. */
typedef struct tm_handle {
  uint64_t id;
} tm_handle;

/* Makes a movable block of at least n bytes in family TM_OBJ. 0, TM_EINVAL iff out is NULL,
 * TM_ENOMEM as tm_malloc. The heap's own compaction (tm_handles_compact, and the built-in part of
 * the compact rung) moves it while it is unlocked. */
TM_API int tm_handle_new(tm_heap *heap, size_t n, tm_handle *out);

/* The address of the block until the matching unlock; locks nest. NULL iff the handle names no
 * block. */
TM_API void *tm_handle_lock(tm_heap *heap, tm_handle handle);

/* Ends one lock. 0, or TM_EINVAL iff the handle names no block or is not locked. */
TM_API int tm_handle_unlock(tm_heap *heap, tm_handle handle);

/* Frees the block and its handle. 0, TM_EINVAL iff it names no block, TM_EBUSY iff it is locked. */
TM_API int tm_handle_free(tm_heap *heap, tm_handle handle);

/* Moves unlocked handles' blocks off sparse pages; returns the bytes moved. The compact rung calls
 * it by itself. */
TM_API uint64_t tm_handles_compact(tm_heap *heap);

#ifdef __cplusplus
}
#endif
#endif
