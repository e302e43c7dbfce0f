/*
 * types.h - the map of the heap: who holds what. Read this and the code needs little.
 *
 *   process      tm__arena   one address range, cut into slices of 64 KiB
 *     slice      tag         8 bytes: who owns it. The only thing that free() must read.
 *     page run   tm_page     64 bytes, out of line: blocks of one size for one pool
 *   heap         tm_heap     books, limits, engine, pools; a list of shards
 *     shard      tm__shard   one thread's part: its rows, its wire, its remote list
 *       row      tm__row     one pool in one shard: its bins, its books
 *         bin    tm__bin     one size class: the list that malloc pops
 *
 * A block is in exactly one of five places:
 *
 *     +------ free ------+                 +------ too long ------+----------> page.free
 *     v                  |                 |                      |
 *   user  <-- pop --  bin.head  <--+--  bin.stash                 +--> shard.out
 *                                  +--  page.free                          |
 *                                  +--  row.remote  <--------- send -------+
 *
 * A free puts the block on its thread's own list, whoever made it. A list that grows too long is
 * put aside as it is (a *batch*, O(1)), or taken apart: each block home to its page, blocks of
 * other threads in batches to the remote list of their owner, whose refills take them as they are.
 *
 * Conservation, per page:   out + |page.free| + in holes + uncarved == reserved
 *                           out == wait + asleep
 *   where out counts the blocks that are with users, in bins, batches or a pool's cache
 * Conservation, per bin:    |bin.head| == base + frees - allocs
 * Conservation, per heap:   span == usable + waste,   usable == live + free + holes
 */
#ifndef TM_HEAP_TYPES_H
#define TM_HEAP_TYPES_H

#include <tidemark/heap.h>
#include <tidemark/pool.h>
#include <tidemark/stats.h>

#include "base/atomics.h"
#include "base/os.h"
#include "gc/engine.h"
#include "gc/membership.h"
#include "heap/class.h"
#include "stats/ledger.h"

enum {
  TM_SLICE_SHIFT = 16,
  TM_SLICE = 1 << TM_SLICE_SHIFT,
  TM_MEDIUM_SLICES = 8,  /* a page of blocks above TM_SMALL_MAX */
  TM_CARVE_BYTES = 4096, /* a page is carved, and so first touched, in steps of this */
  /* A bin with this many bytes in use has its next pages backed in one piece: a fault less for each
   * 4 KiB, for a part of a slice that may stay unused. */
  TM_GROWN_BYTES = 512 << 10,
  TM_POOL_C = 3, /* pools 0 to 2 are the families; 3 is what the malloc shim serves */
  TM_POOLS_BUILT_IN = 4,
  TM_POOLS_MAX = 254,
  TM_SHARDS_MAX = 65000,
  TM_HEAPS_MAX = 4096,
  TM_LIST_BYTES = 16384,     /* of blocks on a bin's list before it is put aside */
  TM_LIST_MOST = 128,        /* and blocks, */
  TM_LIST_LEAST = 4,         /* but not fewer than these */
  TM_STASH_BYTES = 262144,   /* of a bin's batches put aside */
  TM_STASHED_MOST = 1 << 21, /* of all of a shard's */
  TM_REMOTE_MOST = 1 << 20,  /* of blocks that came back, before a refill takes all of them home */
  TM_OUT_SLOTS = 16,         /* owners and classes that a shard gathers frees for */
  TM_SHY_CLASSES = 3, /* so small that blocks share cache lines: only their owner uses them, */
  TM_SHY_FREES = 64,  /* unless a thread frees this many of others' */
  TM_TAGS_MAX = 64,
  TM_HANDLE_CHUNKS = 20,
};

/* A free block. The first one of a batch also links batches: see batch.h. */
typedef struct tm__block {
  struct tm__block *next;
  uint64_t batch;
} tm__block;

/*
 * The tag of a slice, in one word so that free() needs one load and one compare:
 *
 *   63     56 55                    32 31    24 23            8 7      0
 *   [ class ] [ slices from the head ] [ kind ] [ shard id    ] [ pool ]
 *
 * kind, shard and pool are the *key*: equal to the freeing thread's key for its family iff the
 * slice is in use, belongs to this heap, to this thread and to this family. The kind that the fast
 * path knows is the page of one slice, so its offset is 0 and tag >> 50 is the bin's offset in its
 * row.
 */
typedef uint64_t tm__tag;
#define TM_NO_KEY UINT32_MAX /* no tag has it */
enum {
  TM_KIND_FREE,
  TM_KIND_PAGE,    /* a page of one slice */
  TM_KIND_MEDIUM,  /* a page of several slices */
  TM_KIND_LARGE,   /* the run of one large block */
  TM_KIND_SAMPLED, /* a page of one or several slices, of blocks that the profile knows */
};

TM_INLINE tm__tag tm__tag_make(unsigned kind, unsigned shard, unsigned pool, unsigned cls)
{
  return (tm__tag)cls << 56 | (tm__tag)kind << 24 | (tm__tag)shard << 8 | pool;
}
/* The tag of slice i of a run whose head has `tag`. */
TM_INLINE tm__tag tm__tag_behind(tm__tag tag, uint32_t i)
{
  return tag + ((tm__tag)i << 32);
}
TM_INLINE uint32_t tm__tag_key(tm__tag tag)
{
  return (uint32_t)tag;
}
TM_INLINE unsigned tm__tag_kind(tm__tag tag)
{
  return (unsigned)(tag >> 24) & 255;
}
TM_INLINE unsigned tm__tag_pool(tm__tag tag)
{
  return (unsigned)tag & 255;
}
TM_INLINE unsigned tm__tag_class(tm__tag tag)
{
  return (unsigned)(tag >> 56);
}
TM_INLINE unsigned tm__tag_shard(tm__tag tag)
{
  return (unsigned)(tag >> 8) & 65535;
}
TM_INLINE uint32_t tm__tag_offset(tm__tag tag)
{
  return (uint32_t)(tag >> 32) & 0xffffff;
}
/* true iff the slice holds blocks of a size class. */
TM_INLINE bool tm__tag_paged(tm__tag tag)
{
  return tm__tag_kind(tag) != TM_KIND_FREE && tm__tag_kind(tag) != TM_KIND_LARGE;
}

typedef struct tm__shard tm__shard;

/* Metadata of a page run, valid at its head slice. One cache line, next to no user data. */
typedef struct tm_page {
  tm__block *free;      /* blocks that came home; owner only */
  uint32_t wait;        /* frees until the owner must look: wake or retire */
  uint32_t asleep;      /* out - wait: what remains when a full page wakes */
  uint32_t carved;      /* blocks made so far */
  uint32_t reserved;    /* blocks that fit; of a large run: 1 iff it is sampled */
  uint32_t block_bytes; /* of a large run: 0 */
  uint32_t slices;
  uint64_t holes;   /* parts that were given back to the OS: see holes.h */
  tm__shard *shard; /* owner; of a large run: any shard of its heap */
  union {
    struct {
      struct tm_page *next, *prev; /* the bin's queue of pages with room */
    };
    struct {
      uint64_t large_bytes; /* usable bytes */
      void *freed;          /* of a free run: the block whose free made it so */
    };
  };
} tm_page;
_Static_assert(sizeof(tm_page) == TM_CACHE_LINE, "one line a page");

/* One size class of one pool in one shard: all that malloc and free touch, on one cache line. */
typedef struct tm__bin {
  TM_ALIGNED(TM_CACHE_LINE) tm__block *head; /* blocks ready to hand out */
  tm__ledger_bin books;
  uint64_t full_at; /* of books.frees: more, and the list's length must be looked at */
  uint32_t block_bytes;
  uint32_t inverse; /* of it; set, like that, before the first block is handed out */
  uint64_t base;    /* see the law above */
  tm__block *stash; /* batches put aside */
  uint32_t far_key; /* of another shard's pages whose blocks may be put on the list, too */
  uint16_t foreign; /* other shards' blocks may be on the list */
  uint16_t shy;     /* tiny blocks of other shards freed so far, up to TM_SHY_FREES */
} tm__bin;
enum { TM_BIN_SHIFT = 6 };
_Static_assert(sizeof(tm__bin) == 1 << TM_BIN_SHIFT, "tag >> 50 is the offset of a bin");

/* The rest of a bin: the pages that it is filled from. */
typedef struct tm__queue {
  tm_page *first, *last; /* pages with room, first to be used first */
  tm_page *active;       /* the page that is being carved; in no queue */
  uint32_t length;
  uint32_t stash_bytes;
  uint32_t limit;       /* blocks on the bin's list */
  uint8_t calm;         /* the list may be up to limit << calm for a moment: see bin.c */
  bool stash_foreign;   /* other shards' blocks may be among those put aside */
  uint64_t allocs_seen; /* by the bin's books when a list was too long */
  uint32_t direct;      /* frees that go home to their page at once: a host is compacting */
  /* compact.c's plan: which pages stay when blocks are packed. */
  uint32_t plan_density, plan_slice; /* denser stays; as dense stays up to this slice */
  uint32_t plan_left;                /* questions until it is made anew */
} tm__queue;

/* One pool in one shard. */
typedef struct tm__row {
  tm__bin bins[TM_CLASSES];
  tm__ledger_row books;
  _Atomic(uint64_t) used[2]; /* bit per class that ever counted: readers skip the rest */
  tm__queue queues[TM_CLASSES];
  tm__block *cache; /* TM_POOL_CACHED: freed blocks at hand, of any page; they count as out */
  uint32_t cached;
  /* Batches that other threads sent home, by class. */
  TM_ALIGNED(TM_CACHE_LINE) _Atomic(tm__block *) remote[TM_CLASSES];
} tm__row;

/* Frees on their way to another thread's shard: a batch in the making. */
typedef struct tm__out {
  tm__tag to; /* the blocks' tag */
  tm__block *first;
  uint32_t count;
} tm__out;

/* One thread's part of a heap. The first line is read by every thread that frees a block of this
 * shard, so nothing that changes stands on it. What a thread that makes a few blocks of pool C
 * writes lies on three pages: this up to `own`, and the bins and the queues of the last of those
 * (see take_struct). */
struct tm__shard {
  uint32_t keys[TM_POOLS_BUILT_IN]; /* of its pages, by pool. Empty shard: 0, no page's */
  uint32_t id;
  tm_heap *heap;
  TM_ALIGNED(TM_CACHE_LINE) tm__ledger_wire wire; /* see ledger.h; credit drawn from the heap */
  tm__out out[TM_OUT_SLOTS];
  uint64_t stashed_bytes;

  /* guarded by the heap's lock */
  uint64_t limit;         /* gross that the heap has granted: wire, or gross when revoked */
  uint64_t quantum;       /* what it may allocate without asking, since it asked last */
  uint64_t settled_freed; /* freed bytes that the heap's sum knows of */
  bool idle;              /* its thread has ended: may be adopted or swept */
  bool orphan;            /* its thread did not come along through fork: do not touch */
  tm__shard *next;        /* all shards of the heap; set once, before it is published */
  tm__shard *next_idle;
  tm__shard *next_of_thread; /* the thread's other heaps; owner only */
  bool listed, ended;        /* in such a list; heap is closing. Guarded by the lock of structs */

  /* the profile's, see sample.h; owner only, written when credit is drawn */
  bool sample_hit;       /* the request that drew last has a sample point */
  uint32_t sample_start; /* number of the profile that these are of */
  uint64_t sample_at;    /* gross of the next point */
  uint64_t sample_seed;

  /* Written by other threads: on a line of its own. */
  TM_ALIGNED(TM_CACHE_LINE) _Atomic(uint64_t) remote_bytes; /* in the rows' remote lists */

  /* Built-in ones point to `own`, a host pool's are made late. */
  TM_ALIGNED(TM_CACHE_LINE) tm__row *rows[TM_POOLS_MAX + 1];
  tm__row own[TM_POOLS_BUILT_IN];
};

/* An allocator inside a heap: what the shards' rows of this index are. */
struct tm_pool {
  tm_heap *heap;
  char name[32];
  tm_family family;
  unsigned id;
  tm_pool_kind kind;
  uint32_t block_bytes; /* FIXED, CACHED: rounded up to 16; else 0 */
  size_t most_bytes;    /* of a request: as the config has it, or SIZE_MAX */
  uint32_t cache_blocks;
  _Atomic(bool) used; /* the slot holds a pool */
  /* totals of the pools that had this slot before: not this one's */
  uint64_t before_bytes, before_blocks, before_reallocs;
};

typedef struct tm__inform_tag {
  char name[64];
  _Atomic(int64_t) bytes, peak;
  bool complained;
} tm__inform_tag;

/* One movable block; free ones are linked by `next`. */
typedef struct tm__handle_entry {
  void *block;
  size_t bytes;
  uint32_t generation, locks;
  uint32_t next;
} tm__handle_entry;

/* What start-up writes stands together, from the engine's end to the built-in pools, and what few
 * programs use stands before and behind: a heap that is hardly used dirties one or two pages. */
struct tm_heap {
  tm__engine engine;
  char name[32];
  tm_delivery delivery;
  tm_threads threads;
  bool is_default;
  unsigned slot;               /* in the table of heaps */
  tm_heap *next_unused;        /* of a closed heap's struct */
  tm__shard *one;              /* TM_ONE_THREAD: its shard, else NULL */
  _Atomic(tm__shard *) shards; /* all, newest first; only grows */
  _Atomic(uint32_t) shard_count;
  _Atomic(uint32_t) busy_shards; /* with a living thread */
  _Atomic(uint32_t) pool_count;  /* slots of `pools` ever used */
  _Atomic(uint32_t) tag_count;

  /* the books that no shard keeps; atomics, written on slow paths */
  _Atomic(int64_t) informed_bytes;
  tm__counter informed_added_bytes; /* gross: positive informs, ever */
  tm__counter peak_bytes;
  tm__counter span_bytes, usable_bytes, page_count;
  tm__counter hole_bytes; /* parts of spans that the OS does not back: free, but not committed */
  tm__counter failures[TM_FAIL_COUNT];
  tm__counter acquired_bytes, released_bytes;
  tm__counter mismatches;
  tm__counter meta_bytes; /* shards and rows of this heap */
  tm__counter slack_bytes;
  tm__counter fixable_bytes;                   /* as of the last count */
  tm__counter fixable_at_ns, fixable_at_freed; /* when that was; several threads may count */
  tm__counter handle_bytes;                    /* in movable blocks */

  tm__lock lock; /* guards `idle`, `limit_sum`, `pools` and the shards' marked fields */
  tm__shard *idle;
  _Atomic(int64_t) limit_sum; /* SUM shard.limit - settled_freed: never below live */
  tm__lock tags_lock;
  tm__lock handles_lock;
  uint32_t handle_count; /* entries ever used */
  uint32_t handle_free;  /* first free one, 1-based; 0 = none */
  struct tm_pool pools[TM_POOLS_MAX + 1];
  tm__inform_tag tags[TM_TAGS_MAX + 1];              /* the last one is "other" */
  tm__handle_entry *handle_chunks[TM_HANDLE_CHUNKS]; /* chunk k has 256 << k entries */
  _Atomic(struct tm_limits *) limits; /* from the environment, see limits.c; NULL = none */
  tm__membership membership;
};

/* ---- The arena as everybody sees it --------------------------------------------------------- */

typedef struct tm__arena_view {
  char *base;
  size_t bytes; /* 0 until the arena is there: then every pointer is foreign */
  _Atomic(tm__tag) *tags;
  tm_page *pages;
} tm__arena_view;

TM_HIDDEN extern tm__arena_view tm__arena;

/* Also asked by threads that race with the very first use. Base starts so that no address is near
 * it, so any mix of old and new says no; the sanitizer is told that this is meant. */
TM_INLINE bool tm__inside(const void *p)
{
#if TM_TSAN
  size_t bytes = __atomic_load_n(&tm__arena.bytes, __ATOMIC_ACQUIRE);
  return (uintptr_t)p - (uintptr_t)__atomic_load_n(&tm__arena.base, __ATOMIC_RELAXED) < bytes;
#else
  return (uintptr_t)p - (uintptr_t)tm__arena.base < tm__arena.bytes;
#endif
}
TM_INLINE uint32_t tm__slice_of(const void *p)
{
  return (uint32_t)(((uintptr_t)p - (uintptr_t)tm__arena.base) >> TM_SLICE_SHIFT);
}
TM_INLINE tm__tag tm__tag_read(uint32_t slice)
{
  return atomic_load_explicit(&tm__arena.tags[slice], memory_order_relaxed);
}
TM_INLINE char *tm__slice_address(uint32_t slice)
{
  return tm__arena.base + ((size_t)slice << TM_SLICE_SHIFT);
}
TM_INLINE uint32_t tm__page_slice(const tm_page *page)
{
  return (uint32_t)(page - tm__arena.pages);
}
TM_INLINE char *tm__page_address(const tm_page *page)
{
  return tm__slice_address(tm__page_slice(page));
}

#endif
