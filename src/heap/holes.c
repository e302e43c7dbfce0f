/* holes.c - see holes.h. */
#include "heap/holes.h"

#include "base/assert.h"
#include "heap/page.h"

enum { MOST_BLOCKS = TM_SLICE / 16, UNITS = 64 };

/* A page has at most 64 units: 16 OS pages of one slice, or 64 pairs of eight. */
static uint32_t unit_bytes(const tm_page *page)
{
  return page->slices == 1 ? TM_OS_PAGE : page->slices * TM_SLICE / UNITS;
}

/* The units that block `index` touches, as bits. */
static uint64_t units_of(const tm_page *page, uint32_t index)
{
  uint32_t unit = unit_bytes(page);
  uint64_t start = (uint64_t)index * page->block_bytes, last = start + page->block_bytes - 1;
  unsigned first = (unsigned)(start / unit), end = (unsigned)(last / unit) + 1;
  uint64_t below_end = end >= UNITS ? UINT64_MAX : ((uint64_t)1 << end) - 1;
  return below_end & ~(((uint64_t)1 << first) - 1);
}

static tm__block *block_at(const tm_page *page, uint32_t index)
{
  return (tm__block *)(void *)(tm__page_address(page) + (size_t)index * page->block_bytes);
}

static void book(tm_page *page, int64_t units)
{
  tm_heap *heap = page->shard->heap;
  uint64_t bytes = (uint64_t)units * unit_bytes(page);
  tm__shared_add(&heap->hole_bytes, bytes);
  tm__shared_add(units > 0 ? &heap->released_bytes : &heap->acquired_bytes,
                 units > 0 ? bytes : 0 - bytes);
}

bool tm__holes_touch(const tm_page *page, uint32_t index)
{
  return page->holes && (page->holes & units_of(page, index)) != 0;
}

uint32_t tm__holes_blocks(const tm_page *page)
{
  uint32_t blocks = 0;
  for (uint32_t i = 0; page->holes && i < page->carved; i++)
    blocks += tm__holes_touch(page, i);
  return blocks;
}

uint64_t tm__holes_bytes(const tm_page *page)
{
  return (uint64_t)__builtin_popcountl(page->holes) * unit_bytes(page);
}

void tm__holes_forget(tm_page *page)
{
  if (page->holes)
    book(page, -(int64_t)__builtin_popcountl(page->holes));
  page->holes = 0;
}

/* ---- Making --------------------------------------------------------------------------------- */

/* The units that hold nothing but free blocks, as far as the page is carved; not yet holes. */
static uint64_t free_units(const tm_page *page)
{
  uint8_t home[MOST_BLOCKS / 8] = {0};
  uint64_t busy = 0, carved = 0;
  for (const tm__block *b = page->free; b; b = b->next) {
    uint32_t i =
        (uint32_t)((uint64_t)((const char *)b - tm__page_address(page)) / page->block_bytes);
    home[i / 8] |= (uint8_t)(1u << (i % 8));
  }
  for (uint32_t i = 0; i < page->carved; i++) {
    uint64_t units = units_of(page, i);
    carved |= units;
    if (!(home[i / 8] >> (i % 8) & 1) && !(page->holes & units))
      busy |= units;
  }
  return carved & ~busy & ~page->holes;
}

/* Purges the units, neighbours together; returns those that the OS took. */
static uint64_t purge_units(const tm_page *page, uint64_t units, uint64_t *measured)
{
  uint64_t done = 0;
  uint32_t bytes = unit_bytes(page);
  while (units) {
    unsigned first = (unsigned)__builtin_ctzl(units);
    uint64_t rest = units >> first;
    unsigned run = rest == UINT64_MAX ? UNITS : (unsigned)__builtin_ctzl(~rest);
    uint64_t mask = (run == UNITS ? UINT64_MAX : ((uint64_t)1 << run) - 1) << first;
    char *p = tm__page_address(page) + (size_t)first * bytes;
    size_t before = tm__os_resident(p, (size_t)run * bytes);
    if (tm__os_purge(p, (size_t)run * bytes) == 0) {
      *measured += before - tm__os_resident(p, (size_t)run * bytes);
      done |= mask;
    }
    units &= ~mask;
  }
  return done;
}

/* Takes the blocks that touch a hole off the free list, before their links are purged. */
static void unlink_blocks(tm_page *page, uint64_t units)
{
  tm__block **link = &page->free;
  while (*link) {
    uint64_t offset = (uint64_t)((char *)*link - tm__page_address(page));
    if (units & units_of(page, (uint32_t)(offset / page->block_bytes)))
      *link = (*link)->next;
    else
      link = &(*link)->next;
  }
}

/* The other way round: what the OS did not take is linked again. */
static void relink_blocks(tm_page *page, uint64_t units)
{
  for (uint32_t i = page->carved; i-- > 0;) {
    uint64_t touched = units_of(page, i);
    if ((touched & units) && !(touched & page->holes)) {
      block_at(page, i)->next = page->free;
      page->free = block_at(page, i);
    }
  }
}

static uint64_t make_in_page(tm_page *page, uint64_t *measured)
{
  uint64_t units = page->free ? free_units(page) : 0;
  if (!units)
    return 0;
  unlink_blocks(page, units);
  uint64_t done = purge_units(page, units, measured);
  page->holes |= done;
  if (done != units)
    relink_blocks(page, units & ~done);
  book(page, __builtin_popcountl(done));
  return (uint64_t)__builtin_popcountl(done) * unit_bytes(page);
}

uint64_t tm__holes_make(tm__shard *shard, uint64_t *measured)
{
  uint64_t bytes = 0;
  unsigned pools = atomic_load(&shard->heap->pool_count);
  for (unsigned pool = 0; pool < pools; pool++) {
    tm__row *row = shard->rows[pool];
    for (unsigned cls = 0; row && cls < TM_CLASSES; cls++)
      for (tm_page *page = row->queues[cls].first; page; page = page->next)
        bytes += make_in_page(page, measured);
  }
  return bytes;
}

/* ---- Filling -------------------------------------------------------------------------------- */

tm__block *tm__holes_fill(tm_page *page, uint32_t *count)
{
  tm__block *list = NULL;
  *count = 0;
  while (page->holes && !list) {
    uint64_t unit = page->holes & (0 - page->holes);
    page->holes &= ~unit;
    book(page, -1);
    for (uint32_t i = page->carved; i-- > 0;) {
      uint64_t touched = units_of(page, i);
      if (!(touched & unit) || (touched & page->holes))
        continue; /* elsewhere, or still in another hole */
      block_at(page, i)->next = list;
      list = block_at(page, i);
      ++*count;
    }
  }
  return list;
}
