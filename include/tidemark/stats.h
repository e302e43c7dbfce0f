/*
 * stats.h - reading the books. Every reader here may be called by any thread, at any time, for any
 * heap that is not being closed; none takes a lock that an allocation takes, none allocates.
 */
#ifndef TIDEMARK_STATS_H
#define TIDEMARK_STATS_H

#include <tidemark/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why requests fail: the index of failures_total. X(enumerator, name, meaning) */
#define TM_FAILS(X)                                                                                \
  X(TM_FAIL_LIMIT, "limit", "the hard limit would have been exceeded")                             \
  X(TM_FAIL_OS, "os", "the operating system or the address space had no memory")                   \
  X(TM_FAIL_OVERFLOW, "overflow", "the size was above PTRDIFF_MAX or its product overflowed")      \
  X(TM_FAIL_INJECTED, "injected", "a test asked for the failure")

#define TM__FAIL_ENUM(name, text, meaning) name,
typedef enum { TM_FAILS(TM__FAIL_ENUM) TM_FAIL_COUNT } tm_fail;
#undef TM__FAIL_ENUM

/*
 * A snapshot of a heap's books. The fields are listed, with their meaning, in fields.def.
 * Conservation, exact while no request is in motion:
 *   footprint == live + informed                     live == allocated_total - freed_total
 *   committed == live + free + waste + dirty + meta  blocks == allocs_total - frees_total
 * In motion every level is still between 0 and its peak. The free slices of the arena (dirty) and
 * its tables (meta) are booked on the default heap.
 */
typedef struct tm_stats {
  size_t size; /* bytes of this struct that the caller has, stamped by tm_stats_init */
  int version; /* layout version, 1 */
#define TM_FIELD(type, name, kind, pool, help) type name;
#define TM_FIELD_BY_REASON(name, help) uint64_t name[TM_FAIL_COUNT];
#include <tidemark/fields.def>
#undef TM_FIELD
#undef TM_FIELD_BY_REASON
} tm_stats;

/* Zeroes *stats and stamps size and version. */
TM_API void tm_stats_init(tm_stats *stats);

/* Fills *out, never writing past out->size. 0, or TM_EINVAL iff an argument is NULL or out was not
 * stamped. O(shards x size classes in use); about a microsecond. */
TM_API int tm_stats_read(const tm_heap *heap, tm_stats *out);

/* One pool's row. */
typedef struct tm_pool_row {
  char name[32];
  tm_family family;
  uint64_t live_bytes, live_blocks;
  uint64_t allocated_bytes_total, freed_bytes_total;
  uint64_t allocs_total, frees_total, reallocs_total;
} tm_pool_row;

/* Row `index` from 0: raw, mem, obj, c (what the malloc shim serves), then the host's pools.
 * 1 = *row written, 0 = no such row. The rows' levels add up to the heap's while it is quiet. */
TM_API int tm_pool_stats_read(const tm_heap *heap, size_t index, tm_pool_row *row);

/* One tag of informed bytes. */
typedef struct tm_tag_row {
  char name[64];
  int64_t informed_bytes;
  int64_t informed_peak_bytes;
} tm_tag_row;

/* Row `index` from 0, in order of first use. 1 = written, 0 = no such row. */
TM_API int tm_tag_stats_read(const tm_heap *heap, size_t index, tm_tag_row *row);

/* What was allocated, by size: blocks of up to 16, 32, 64 ... 65,536 bytes, and larger ones. */
enum { TM_SIZE_BUCKETS = 14 };

typedef struct tm_size_row {
  uint64_t up_to_bytes;           /* largest usable size in it; UINT64_MAX in the last row */
  uint64_t allocs_total;          /* blocks ever allocated with such a size, in all pools */
  uint64_t allocated_bytes_total; /* and their bytes; what resizing added is not in it */
} tm_size_row;

/* Fills rows, the smallest size first. 0, or TM_EINVAL iff an argument is NULL. Frees are not told
 * by size: a block that was resized is freed with another one than it was allocated with. */
TM_API int tm_size_stats_read(const tm_heap *heap, tm_size_row rows[TM_SIZE_BUCKETS]);

/* live + informed, bytes, now. Cheaper than a snapshot. */
TM_API uint64_t tm_footprint(const tm_heap *heap);

/* Starts the peak again at the present footprint. */
TM_API void tm_peak_reset(tm_heap *heap);

/* The name given at tm_heap_new, or "default". Valid as long as the heap. */
TM_API const char *tm_heap_name(const tm_heap *heap);

/* Heap `index` of the process from 0 (the default heap, if it was used), or NULL when there are
 * fewer. For monitors: the caller must know that the heap is not closed meanwhile. */
TM_API tm_heap *tm_heap_at(size_t index);

/*
 * The snapshot of a heap as one JSON object: {"name", the fields of fields.def, "pools": [...],
 * "tags": [...], "sizes": [...], "actions": {...}}, and "group": {...} iff it is in one (group.h).
 * Writes at most `capacity` bytes including the final NUL and returns the length that the whole
 * text has without it: when that is >= capacity, the buffer was too short and holds a cut text.
 * Allocates nothing.
 */
TM_API size_t tm_stats_json(const tm_heap *heap, char *buffer, size_t capacity);

/* Text formats of metrics. */
typedef enum { TM_TEXT_PROMETHEUS, TM_TEXT_OPENMETRICS } tm_text_format;

/* All heaps of the process in Prometheus text format 0.0.4 or OpenMetrics 1.0.0 (ends "# EOF").
 * Same rule for the buffer as tm_stats_json. */
TM_API size_t tm_stats_metrics(tm_text_format format, char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
