/* storm.c - see storm.h. */
#include "support/storm.h"

#include <errno.h>

static uint64_t roll(storm *s, uint64_t n)
{
  return random_below(&s->random, n);
}

void storm_pools(tm_heap *heap, tm_pool *pools[STORM_POOLS])
{
  static const tm_pool_kind kinds[STORM_POOLS] = {TM_POOL_VARIABLE, TM_POOL_FIXED, TM_POOL_CACHED};
  for (int i = 0; i < STORM_POOLS; i++) {
    tm_pool_config config;
    tm_pool_config_init(&config);
    config.kind = kinds[i];
    config.block_bytes = STORM_FIXED_BYTES + 16 * (size_t)i;
    config.cache_blocks = 20;
    must(tm_pool_new(heap, &config, &pools[i]) == 0);
  }
}

/* ---- Allocating ----------------------------------------------------------------------------- */

static void must_be_zero(const unsigned char *p, size_t n)
{
  must(n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0));
}

static void *alloc_aligned(storm *s, tm_family family, size_t n)
{
  size_t alignment = (size_t)1 << roll(s, 15);
  void *p = tm_aligned_alloc(s->heap, family, alignment, n);
  must_equal((uintptr_t)p & (alignment - 1), 0);
  return p;
}

static void *alloc_from_family(storm *s, tm_family family, size_t n)
{
  switch (roll(s, 8)) {
  case 0: {
    void *p = tm_calloc(s->heap, family, 1, n);
    if (p)
      must_be_zero(p, n);
    return p;
  }
  case 1:
    return tm_realloc(s->heap, family, NULL, n);
  case 2:
    return alloc_aligned(s, family, n);
  default:
    return tm_malloc(s->heap, family, n);
  }
}

static void step_alloc(storm *s)
{
  size_t n = random_size(&s->random);
  if (s->most_size && n > s->most_size)
    n = roll(s, s->most_size + 1);
  unsigned row = (unsigned)roll(s, s->pools[0] ? 3 + STORM_POOLS : 3);
  void *p;
  if (row < 3) {
    p = alloc_from_family(s, (tm_family)row, n);
  } else {
    n = row == 3 ? n : roll(s, STORM_FIXED_BYTES + 1);
    p = tm_pool_alloc(s->pools[row - 3], n);
    row++; /* row 3 is the malloc shim's */
  }
  if (p) {
    shadow_keep(&s->shadow, shadow_born(&s->shadow, row, p, n));
  } else {
    must_equal(errno, ENOMEM);
    s->shadow.failures++;
  }
}

/* ---- Resizing and freeing ------------------------------------------------------------------- */

static tm_family family_of(const shadow_block *block)
{
  return block->row < 3 ? (tm_family)block->row : TM_OBJ;
}

static void step_resize(storm *s)
{
  size_t index = roll(s, s->shadow.count);
  shadow_block *block = &s->shadow.blocks[index];
  if (block->row > SHADOW_POOL_0)
    return; /* fixed sizes */
  size_t n = random_size(&s->random);
  if (s->most_size && n > s->most_size)
    n = roll(s, s->most_size + 1);
  void *to = tm_realloc(s->heap, family_of(block), block->p, n);
  if (to) {
    shadow_resized(&s->shadow, block, to, n);
    return;
  }
  must_equal(errno, ENOMEM);
  s->shadow.failures++;
  shadow_verify(block, block->n);
  must_equal(tm_usable_size(block->p), block->usable);
}

void storm_free(storm *s, shadow_block block)
{
  shadow_dies(&s->shadow, &block);
  if (block.row >= SHADOW_POOL_0 && roll(s, 2))
    tm_pool_free(s->pools[block.row - SHADOW_POOL_0], block.p);
  else
    tm_free(s->heap, family_of(&block), block.p);
}

static void step_free(storm *s)
{
  storm_free(s, shadow_take(&s->shadow, roll(s, s->shadow.count)));
}

/* Puts one of ours into a slot and takes what another thread had left there. */
static void step_swap(storm *s)
{
  shadow_block *ours = malloc(sizeof *ours);
  must(ours != NULL);
  *ours = shadow_take(&s->shadow, roll(s, s->shadow.count));
  shadow_block *theirs = atomic_exchange(&s->mail->slots[roll(s, STORM_MAIL)], ours);
  if (theirs)
    shadow_keep(&s->shadow, *theirs);
  free(theirs);
}

void storm_step(storm *s)
{
  size_t count = s->shadow.count;
  uint64_t what = roll(s, 100);
  if (count == 0 || (what < 45 && count < s->most_blocks))
    step_alloc(s);
  else if (what < 60)
    step_resize(s);
  else if (what < 75 && s->mail)
    step_swap(s);
  else
    step_free(s);
}

void storm_calm(storm *s)
{
  while (s->shadow.count)
    step_free(s);
}

void storm_empty_mail(storm *s)
{
  for (int i = 0; i < STORM_MAIL; i++) {
    shadow_block *block = atomic_exchange(&s->mail->slots[i], NULL);
    if (block)
      storm_free(s, *block);
    free(block);
  }
}
