/*
 * group_table.h - what lies in a group's shared memory, and how a line changes hands.
 *
 *   line   owner      who may write it: a process, 0 = free. Changes by compare-and-swap only
 *          sequence   odd while it is written
 *          words      what the author said; they count iff the author is the owner
 *
 * One writer per line. A writer that dies between two stores leaves an odd sequence, or words of a
 * former owner: readers then use what they read last, or nothing, until the line expires.
 *
 * Every word may be anything: other processes write here. No number is trusted to be in range.
 */
#ifndef TM_GC_GROUP_TABLE_H
#define TM_GC_GROUP_TABLE_H

#include <tidemark/group.h>

#include "base/atomics.h"
#include "stats/alive.h"

/* "tidemark" as a little-endian number; the version changes with the layout of this file. */
#define TM__GROUP_MAGIC UINT64_C(0x6b72616d65646974)
enum { TM__GROUP_VERSION = 1, TM__GROUP_WORDS = 6, TM__GROUP_HELD = (TM_GROUP_MEMBERS + 63) / 64 };

typedef struct tm__group_line {
  TM_ALIGNED(TM_CACHE_LINE) _Atomic(uint64_t) owner;
  _Atomic(uint64_t) sequence;
  _Atomic(uint64_t) words[TM__GROUP_WORDS];
} tm__group_line;
_Static_assert(sizeof(tm__group_line) == TM_CACHE_LINE, "one line a member");

typedef struct tm__group_table {
  _Atomic(uint64_t) magic;
  _Atomic(uint64_t) version;
  _Atomic(uint64_t) slots;
  _Atomic(uint64_t) budget_bytes;
  _Atomic(uint64_t) pid_namespace; /* in which the owners' pids mean something; 0 = not known */
  uint64_t reserved[3];
  tm__group_line lines[TM_GROUP_MEMBERS];
} tm__group_table;
_Static_assert(sizeof(tm__group_table) == 16384, "whole pages");

/* A line's words, spelled out. */
typedef struct tm__group_entry {
  tm__process_id author;
  uint64_t heartbeat_ns; /* CLOCK_MONOTONIC at the last write */
  uint64_t live_bytes, footprint_bytes, soft_limit_bytes;
  float growth_rate, collect_speed; /* one word */
} tm__group_entry;

/* Fills a table of zeros. */
TM_HIDDEN void tm__group_table_init(tm__group_table *table, uint64_t budget_bytes);
/* Is this a table that this version can work with, here? 0 or TM_ENOTSUP. */
TM_HIDDEN int tm__group_table_check(const tm__group_table *table);

/* Takes a line for `me`: one that it owns and that no bit of `held` (may be NULL) names, since an
 * exec left it behind; else a free one; else a dead one. Its slot, or -1 iff all are alive. */
TM_HIDDEN int tm__group_claim(tm__group_table *table, tm__process_id me, const uint64_t *held);
TM_HIDDEN bool tm__group_owns(const tm__group_table *table, int slot, tm__process_id me);
/* By its owner: says nothing and is free. */
TM_HIDDEN void tm__group_release(tm__group_table *table, int slot, tm__process_id me);
/* Frees the line of an owner that was found dead; nothing if it has another one by now. */
TM_HIDDEN void tm__group_expire(tm__group_table *table, int slot, tm__process_id dead);

/* By its owner: entry->author. */
TM_HIDDEN void tm__group_write(tm__group_table *table, int slot, const tm__group_entry *entry);

/* FREE: nobody's. MUTE: *owner has said nothing yet, or is in the middle of it. SAID: *out is what
 * it said last. */
typedef enum { TM__LINE_FREE, TM__LINE_MUTE, TM__LINE_SAID } tm__line_state;
TM_HIDDEN tm__line_state tm__group_look(const tm__group_table *table, int slot,
                                        tm__process_id *owner, tm__group_entry *out);

#endif
