/*
 * shadow.h - a ledger kept beside the heap's own: what each row of the books must say, to the byte,
 * and what stands in each block.
 *
 * A shadow belongs to one thread. A block that is handed to another thread is taken out of one
 * shadow and kept in another; the thread that frees it books the free, as the heap does. Shadows of
 * several threads are merged by adding up.
 */
#ifndef TM_TESTS_SUPPORT_SHADOW_H
#define TM_TESTS_SUPPORT_SHADOW_H

#include <tidemark/stats.h>

#include "support/check.h"

enum {
  SHADOW_ROWS = 12,  /* raw, mem, obj, c, and eight of the host's pools */
  SHADOW_POOL_0 = 4, /* row of the host's first pool */
};

/* A live block; complete in itself, so that it can go to another thread. */
typedef struct shadow_block {
  unsigned char *p;
  size_t n;      /* bytes asked for: they hold the pattern */
  size_t usable; /* bytes charged */
  unsigned row;  /* of tm_pool_stats_read */
  unsigned seed; /* of the pattern */
} shadow_block;

typedef struct shadow_row {
  uint64_t allocated_bytes, freed_bytes, allocs, frees, reallocs;
} shadow_row;

typedef struct shadow {
  shadow_row rows[SHADOW_ROWS];
  uint64_t failures;
  shadow_block *blocks; /* live ones that this thread holds */
  size_t count, capacity;
  unsigned next_seed;
} shadow;

/* A block was handed out: checks it, books it, fills it. */
shadow_block shadow_born(shadow *s, unsigned row, void *p, size_t n);
/* The block is about to be freed: checks its content, books the free. */
void shadow_dies(shadow *s, const shadow_block *block);
/* The block has been resized: checks what was kept, books the difference, fills it anew. */
void shadow_resized(shadow *s, shadow_block *block, void *to, size_t n);
/* The first n bytes of the pattern are still there. */
void shadow_verify(const shadow_block *block, size_t n);

void shadow_keep(shadow *s, shadow_block block);
shadow_block shadow_take(shadow *s, size_t index);
void shadow_drop(shadow *s); /* frees the shadow's own memory */

/* Adds what `from` booked to `into`; the blocks stay where they are. */
void shadow_merge(shadow *into, const shadow *from);
uint64_t shadow_live_bytes(const shadow *s);
uint64_t shadow_live_blocks(const shadow *s);
/* Every row, every sum and the failures, as the heap has them. */
void shadow_must_match(const shadow *s, tm_heap *heap);

#endif
