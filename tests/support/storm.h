/* storm.h - random operations of every kind on a heap, with a shadow ledger beside them. */
#ifndef TM_TESTS_SUPPORT_STORM_H
#define TM_TESTS_SUPPORT_STORM_H

#include <stdatomic.h>

#include <tidemark/pool.h>

#include "support/random.h"
#include "support/shadow.h"

enum { STORM_POOLS = 3, STORM_MAIL = 256, STORM_FIXED_BYTES = 72 };

/* Where threads swap blocks, so that one frees what another allocated. */
typedef struct storm_mail {
  _Atomic(shadow_block *) slots[STORM_MAIL];
} storm_mail;

typedef struct storm {
  tm_heap *heap;
  test_random random;
  shadow shadow;
  tm_pool *pools[STORM_POOLS]; /* VARIABLE, FIXED, CACHED; rows 4, 5, 6. NULL: without */
  storm_mail *mail;            /* NULL: without */
  size_t most_blocks;          /* held at a time */
  size_t most_size;            /* of a request; 0: any */
} storm;

/* The three pools of a storm, in this order, as the heap's first. */
void storm_pools(tm_heap *heap, tm_pool *pools[STORM_POOLS]);
/* One operation. */
void storm_step(storm *s);
/* Frees what the storm holds. */
void storm_calm(storm *s);
/* Frees one block, by one of the functions that may. */
void storm_free(storm *s, shadow_block block);
/* Frees what is still in the mail, booked by this storm. */
void storm_empty_mail(storm *s);

#endif
