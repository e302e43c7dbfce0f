/* arena.c - see arena.h. */
#include "heap/arena.h"

#include "base/assert.h"
#include "heap/decay.h"
#include "heap/spans.h"
#include "stats/process.h"

enum {
  COMMIT_SLICES = 512, /* 32 MiB: few system calls, one table page */
  PURGE_SLICES = 1024, /* at most this much is away from the sets while it is purged */
  META_CHUNK = 256 * 1024,
  SMALLEST_SLICES = 64, /* 4 MiB: below this there is no point */
};
static const uint64_t LARGEST_BYTES = (uint64_t)256 << 30;

tm__arena_view tm__arena = {.base = (char *)((uintptr_t)1 << 63)};

static struct {
  tm__lock lock;
  uint32_t slices;     /* reserved */
  uint32_t top;        /* slices ever used */
  uint32_t memory_top; /* slices whose memory is committed */
  uint32_t tables_top; /* slices whose tags and pages are committed */
  tm__spans free, dirty;
  tm__decay decay;
  uint64_t dirty_low; /* least dirty bytes since the last tick */
  char *meta, *meta_end;
  tm__counter dirty_bytes, meta_bytes;
  _Atomic(uint64_t) next_purge_ns;
  _Atomic(uint64_t) keep_bytes;
  _Atomic(uint32_t) shared_top;
} arena = {.lock = TM__LOCK_INIT, .keep_bytes = UINT64_MAX};

/* ---- Bookkeeping memory --------------------------------------------------------------------- */

/* What the strictest of our structs asks for: a hook's slot is found from its address. */
enum { META_ALIGNMENT = 128 };
_Static_assert(META_ALIGNMENT % _Alignof(tm_heap) == 0, "a heap's struct may come from here");

static bool raise_top(uint32_t want);

/* New slices of ours, where the OS maps nothing more: our reservation alone may be above an
 * RLIMIT_AS that came after the start, and threads must still find room for their books. */
static char *meta_at_top(size_t bytes)
{
  uint32_t first = arena.top;
  uint64_t end = first + ((bytes + TM_SLICE - 1) >> TM_SLICE_SHIFT);
  return end <= arena.slices && raise_top((uint32_t)end) ? tm__slice_address(first) : NULL;
}

/* Bytes to leave out after arena.meta, so that its next block's byte `offset` begins a page. */
static size_t meta_gap(size_t offset)
{
  return -((uintptr_t)arena.meta + offset) & (TM_OS_PAGE - 1) & ~(uintptr_t)(META_ALIGNMENT - 1);
}

static void *meta_alloc_locked(size_t bytes, bool placed, size_t offset)
{
  bytes = (bytes + META_ALIGNMENT - 1) & ~(size_t)(META_ALIGNMENT - 1);
  size_t gap = placed ? meta_gap(offset) : 0;
  if ((size_t)(arena.meta_end - arena.meta) < gap + bytes) {
    size_t chunk =
        bytes > META_CHUNK ? (bytes + TM_OS_PAGE - 1) & ~(size_t)(TM_OS_PAGE - 1) : META_CHUNK;
    char *p = tm__os_map(chunk);
    if (!p)
      p = meta_at_top(chunk);
    if (!p)
      return NULL;
    if (chunk > META_CHUNK) {
      tm__shared_add(&arena.meta_bytes, bytes);
      return p;
    }
    arena.meta = p;
    arena.meta_end = p + chunk;
    gap = placed ? meta_gap(offset) : 0;
    gap = gap + bytes <= chunk ? gap : 0;
  }
  void *p = arena.meta + gap;
  arena.meta += gap + bytes;
  tm__shared_add(&arena.meta_bytes, bytes);
  return p;
}

void *tm__meta_alloc(size_t bytes)
{
  tm__lock_acquire(&arena.lock);
  void *p = meta_alloc_locked(bytes, false, 0);
  tm__lock_release(&arena.lock);
  return p;
}

void *tm__meta_alloc_placed(size_t bytes, size_t offset)
{
  tm__lock_acquire(&arena.lock);
  void *p = meta_alloc_locked(bytes, true, offset);
  tm__lock_release(&arena.lock);
  return p;
}

void tm__meta_book(int64_t bytes)
{
  tm__shared_add(&arena.meta_bytes, (uint64_t)bytes);
}

/* ---- Reserving and committing --------------------------------------------------------------- */

static size_t align_up(size_t n, size_t to)
{
  return (n + to - 1) & ~(to - 1);
}

/* [ tags | pages | arena ] in one reservation of address space, plus the two sets. */
static bool reserve(uint32_t slices)
{
  size_t tags = align_up(slices * sizeof(tm__tag), TM_SLICE);
  size_t pages = align_up(slices * sizeof(tm_page), TM_SLICE);
  size_t bytes = (size_t)slices << TM_SLICE_SHIFT, sets = tm__spans_bytes(slices);
  char *p = tm__os_reserve(tags + pages + bytes, TM_SLICE);
  if (!p)
    return false;
  char *memory = tm__os_map(align_up(2 * sets, TM_OS_PAGE));
  if (!memory) {
    (void)tm__os_unreserve(p, tags + pages + bytes);
    return false;
  }
  /* A wild pointer into unused slices finds tags that say so; reading costs no memory. */
  (void)tm__os_readable(p, tags + pages);
  /* The tables are touched here and there. The blocks' memory is left to the system's setting:
   * huge pages save time in large heaps and cost memory in small ones (docs/performance.md). */
  tm__os_huge(p, tags + pages, false);
  const char *huge = tm__os_env("TM_HUGE_PAGES");
  if (huge && huge[0] == '1')
    tm__os_huge(p + tags + pages, bytes, true);
  tm__spans_init(&arena.free, memory, slices);
  tm__spans_init(&arena.dirty, memory + sets, slices);
  tm__decay_init(&arena.decay, (uint64_t)TM_DECAY_MS * 1000000);
  arena.slices = slices;
  tm__arena.tags = (_Atomic(tm__tag) *)(void *)p;
  tm__arena.pages = (tm_page *)(void *)(p + tags);
  __atomic_store_n(&tm__arena.base, p + tags + pages, __ATOMIC_RELAXED);
  __atomic_store_n(&tm__arena.bytes, bytes, __ATOMIC_RELEASE);
  return true;
}

/* The rest of the program needs room too, for libraries and stacks: a third as much as we take. */
static bool leaves_room(uint64_t bytes)
{
  char *p = tm__os_reserve(bytes + bytes / 3, TM_SLICE);
  if (p)
    (void)tm__os_unreserve(p, bytes + bytes / 3);
  return p != NULL;
}

bool tm__arena_init(void)
{
  tm__lock_acquire(&arena.lock);
  /* Less under RLIMIT_AS, and wherever else address space is short. */
  uint32_t slices = LARGEST_BYTES >> TM_SLICE_SHIFT;
  while (!tm__arena.bytes && slices >= SMALLEST_SLICES) {
    if (!leaves_room((uint64_t)slices << TM_SLICE_SHIFT) || !reserve(slices))
      slices -= slices / 8;
  }
  bool there = tm__arena.bytes != 0;
  tm__lock_release(&arena.lock);
  return there;
}

/* Address space that this process has, or 0 where /proc is not there. */
static uint64_t address_space(void)
{
  char text[128];
  const char *at = text;
  uint64_t pages = 0;
  (void)tm__file_read("/proc/self/statm", text, sizeof text);
  return tm__number_read(&at, &pages) ? pages * TM_OS_PAGE : 0;
}

/* Gives [first, end) of a table back, but for what shares a page with the entries below. */
static void drop_tail(void *table, size_t first, size_t end)
{
  char *from = (char *)table + align_up(first, TM_OS_PAGE), *to = (char *)table + end;
  if (from < to)
    (void)tm__os_unreserve(from, (size_t)(to - from));
}

void tm__arena_fit(uint64_t limit_bytes)
{
  tm__lock_acquire(&arena.lock);
  uint32_t old = arena.slices, keep = old;
  uint64_t reserved = (uint64_t)old * (TM_SLICE + sizeof(tm__tag) + sizeof(tm_page));
  uint64_t whole = address_space(), others = whole > reserved ? whole - reserved : 0;
  uint64_t room = limit_bytes > others ? (limit_bytes - others) / 4 * 3 : 0;
  if (whole && room >> TM_SLICE_SHIFT < keep)
    keep = (uint32_t)(room >> TM_SLICE_SHIFT);
  if (keep < arena.top)
    keep = arena.top;
  if (keep < old) {
    /* First nobody takes an address up there for ours, then somebody else may have it. */
    arena.slices = keep;
    __atomic_store_n(&tm__arena.bytes, (size_t)keep << TM_SLICE_SHIFT, __ATOMIC_RELEASE);
    arena.memory_top = arena.memory_top < keep ? arena.memory_top : keep;
    uint32_t tabled = keep > arena.tables_top ? keep : arena.tables_top;
    drop_tail(tm__arena.base, (size_t)keep << TM_SLICE_SHIFT, (size_t)old << TM_SLICE_SHIFT);
    drop_tail(tm__arena.pages, tabled * sizeof(tm_page), old * sizeof(tm_page));
    drop_tail(tm__arena.tags, tabled * sizeof(tm__tag), old * sizeof(tm__tag));
  }
  tm__lock_release(&arena.lock);
}

/* Makes [done, want) usable; in large steps, or exactly when the OS is short. */
static bool commit_memory(uint32_t want)
{
  if (want <= arena.memory_top)
    return true;
  uint32_t step = (want + COMMIT_SLICES - 1) / COMMIT_SLICES * COMMIT_SLICES;
  step = step < arena.slices ? step : arena.slices;
  char *from = tm__slice_address(arena.memory_top);
  for (int tries = 0; tries < 2; tries++, step = want) {
    if (tm__os_commit(from, (size_t)(step - arena.memory_top) << TM_SLICE_SHIFT) == 0) {
      arena.memory_top = step;
      return true;
    }
  }
  return false;
}

static bool commit_tables(uint32_t want)
{
  if (want <= arena.tables_top)
    return true;
  uint32_t step = (want + COMMIT_SLICES - 1) / COMMIT_SLICES * COMMIT_SLICES;
  uint32_t more = step - arena.tables_top;
  char *tags = (char *)(void *)&tm__arena.tags[arena.tables_top];
  char *pages = (char *)(void *)&tm__arena.pages[arena.tables_top];
  if (tm__os_commit(tags, more * sizeof(tm__tag)) || tm__os_commit(pages, more * sizeof(tm_page)))
    return false;
  arena.tables_top = step;
  return true;
}

/* Moves the top up to `want` slices. */
static bool raise_top(uint32_t want)
{
  if (want > arena.slices || !commit_tables(want) || !commit_memory(want))
    return false;
  tm__shared_add(&arena.meta_bytes, (want - arena.top) * (sizeof(tm__tag) + sizeof(tm_page)));
  arena.top = want;
  atomic_store(&arena.shared_top, want);
  return true;
}

/* ---- Runs ----------------------------------------------------------------------------------- */

static void publish_dirty(void)
{
  uint64_t bytes = arena.dirty.count << TM_SLICE_SHIFT;
  tm__counter_set(&arena.dirty_bytes, bytes);
  arena.dirty_low = bytes < arena.dirty_low ? bytes : arena.dirty_low;
}

/* Takes a run out of the free set; returns the bytes that the OS must newly back. */
static uint64_t take(uint32_t first, uint32_t slices)
{
  tm__spans_take(&arena.free, first, slices);
  uint32_t warm = tm__spans_clear(&arena.dirty, first, slices);
  publish_dirty();
  return (uint64_t)(slices - warm) << TM_SLICE_SHIFT;
}

/* The first slice from `at` on whose address is a multiple of `align` slices: what the OS gave us
 * starts at a multiple of one slice only. */
static uint64_t align_slice(uint64_t at, uint32_t align)
{
  uint64_t before = (uintptr_t)tm__arena.base >> TM_SLICE_SHIFT;
  return (before + at + align - 1) / align * align - before;
}

/* The start of an aligned run below top, or -1: dirty first, then any. */
static int64_t find(uint32_t slices, uint32_t align)
{
  if (slices + align - 1 < slices)
    return -1;
  int64_t at = tm__spans_find(&arena.dirty, slices + align - 1);
  if (at < 0)
    at = tm__spans_find(&arena.free, slices + align - 1);
  return at < 0 ? -1 : (int64_t)align_slice((uint64_t)at, align);
}

/* At the top: what is free just below it, and the rest new. */
static int64_t take_at_top(uint32_t slices, uint32_t align, uint64_t *fresh_bytes)
{
  uint32_t below = tm__spans_before(&arena.free, arena.top);
  uint64_t first = align_slice(arena.top - below, align);
  uint64_t end = first + slices;
  if (end > arena.slices)
    return -1;
  uint32_t old_top = arena.top;
  if (end > old_top && !raise_top((uint32_t)end))
    return -1;
  *fresh_bytes = 0;
  if (first > old_top) /* the gap that alignment left */
    tm__spans_put(&arena.free, old_top, (uint32_t)first - old_top);
  if (first < old_top) {
    uint32_t known = (uint32_t)((end < old_top ? end : old_top) - first);
    *fresh_bytes = take((uint32_t)first, known);
  }
  uint64_t from = first > old_top ? first : old_top;
  if (end > from)
    *fresh_bytes += (end - from) << TM_SLICE_SHIFT;
  return (int64_t)first;
}

int64_t tm__arena_acquire(uint32_t slices, uint32_t align, bool *zero, uint64_t *fresh_bytes)
{
  tm__lock_acquire(&arena.lock);
  int64_t first = find(slices, align);
  if (first >= 0)
    *fresh_bytes = take((uint32_t)first, slices);
  else
    first = take_at_top(slices, align, fresh_bytes);
  tm__lock_release(&arena.lock);
  *zero = first >= 0 && *fresh_bytes == (uint64_t)slices << TM_SLICE_SHIFT;
  return first;
}

bool tm__arena_extend(uint32_t first, uint32_t slices, uint32_t more, uint64_t *fresh_bytes)
{
  tm__lock_acquire(&arena.lock);
  uint32_t from = first + slices, old_top = arena.top;
  uint64_t end = (uint64_t)from + more;
  uint32_t known = from >= old_top ? 0 : (uint32_t)((end < old_top ? end : old_top) - from);
  bool granted = end <= arena.slices && (known == 0 || tm__spans_has(&arena.free, from, known));
  if (granted && end > old_top)
    granted = raise_top((uint32_t)end);
  if (granted) {
    *fresh_bytes = known ? take(from, known) : 0;
    *fresh_bytes += (uint64_t)(more - known) << TM_SLICE_SHIFT;
  }
  tm__lock_release(&arena.lock);
  return granted;
}

void tm__arena_tag(uint32_t first, uint32_t from, uint32_t slices, tm__tag head_tag)
{
  for (uint32_t i = from; i < slices; i++)
    atomic_store_explicit(&tm__arena.tags[first + i], head_tag ? tm__tag_behind(head_tag, i) : 0,
                          memory_order_relaxed);
}

uint64_t tm__arena_release(uint32_t first, uint32_t slices, bool clean)
{
  tm__arena_tag(first, 0, slices, 0);
  tm__lock_acquire(&arena.lock);
  tm__spans_put(&arena.free, first, slices);
  if (!clean)
    tm__spans_put(&arena.dirty, first, slices);
  publish_dirty();
  tm__lock_release(&arena.lock);
  uint64_t keep = atomic_load_explicit(&arena.keep_bytes, memory_order_relaxed);
  if (tm_likely(tm__arena_dirty_bytes() <= keep))
    return 0;
  return tm__arena_purge(keep / 2, NULL); /* half: not a system call for each run */
}

/* ---- Purging -------------------------------------------------------------------------------- */

/* Purges one run from the upper end; returns its bytes, 0 when none is left or the OS refused. */
static uint64_t purge_one(uint64_t most_bytes, uint64_t *measured)
{
  uint64_t most = most_bytes >> TM_SLICE_SHIFT;
  uint32_t first = 0, limit = most < PURGE_SLICES ? (uint32_t)most : PURGE_SLICES;
  tm__lock_acquire(&arena.lock);
  uint32_t slices = limit ? tm__spans_last(&arena.dirty, arena.top, limit, &first) : 0;
  if (slices)
    (void)take(first, slices);
  tm__lock_release(&arena.lock);
  if (!slices)
    return 0;

  /* Nobody else can reach the run now: the system calls happen outside the lock. */
  size_t bytes = (size_t)slices << TM_SLICE_SHIFT;
  char *p = tm__slice_address(first);
  size_t before = measured ? tm__os_resident(p, bytes) : 0;
  bool purged = tm__os_purge(p, bytes) == 0;
  if (measured && purged)
    *measured += before - tm__os_resident(p, bytes);

  tm__lock_acquire(&arena.lock);
  tm__spans_put(&arena.free, first, slices);
  if (!purged)
    tm__spans_put(&arena.dirty, first, slices);
  publish_dirty();
  tm__lock_release(&arena.lock);
  return purged ? bytes : 0;
}

uint64_t tm__arena_purge(uint64_t keep_bytes, uint64_t *measured)
{
  uint64_t purged = 0;
  for (;;) {
    uint64_t dirty = tm__arena_dirty_bytes();
    uint64_t bytes = dirty > keep_bytes ? purge_one(dirty - keep_bytes, measured) : 0;
    if (!bytes)
      return purged;
    purged += bytes;
  }
}

uint64_t tm__arena_tick(uint64_t now_ns)
{
  if (now_ns < atomic_load_explicit(&arena.next_purge_ns, memory_order_relaxed))
    return 0;
  tm__lock_acquire(&arena.lock);
  uint64_t epoch_ns = arena.decay.window_ns / TM_DECAY_EPOCHS;
  uint64_t dirty = arena.dirty.count << TM_SLICE_SHIFT;
  /* What was taken and came back since the last tick is new dirt, though the level is the same. */
  if (arena.dirty_low < arena.decay.dirty_bytes)
    arena.decay.dirty_bytes = arena.dirty_low;
  arena.dirty_low = dirty;
  uint64_t limit = tm__decay_limit(&arena.decay, now_ns, dirty);
  atomic_store(&arena.next_purge_ns, now_ns + epoch_ns);
  tm__lock_release(&arena.lock);
  uint64_t purged = tm__arena_purge(limit, NULL);
  if (purged) { /* what is freed from now on is new dirt */
    tm__lock_acquire(&arena.lock);
    arena.decay.dirty_bytes = arena.dirty_low = arena.dirty.count << TM_SLICE_SHIFT;
    tm__lock_release(&arena.lock);
  }
  return purged;
}

void tm__arena_keep_set(uint64_t bytes)
{
  atomic_store(&arena.keep_bytes, bytes);
}

uint64_t tm__arena_dirty_bytes(void)
{
  return tm__counter_read(&arena.dirty_bytes);
}

uint64_t tm__arena_meta_bytes(void)
{
  return tm__counter_read(&arena.meta_bytes);
}

uint32_t tm__arena_top(void)
{
  return atomic_load(&arena.shared_top);
}

void tm__arena_fork_prepare(void)
{
  tm__lock_acquire(&arena.lock);
}

void tm__arena_fork_release(void)
{
  tm__lock_release(&arena.lock);
}

void tm__arena_fork_child(void)
{
  tm__lock_release(&arena.lock);
}
