/* group_scan.h - from the lines of a table to the members that share: who lives, who sleeps. */
#ifndef TM_GC_GROUP_SCAN_H
#define TM_GC_GROUP_SCAN_H

#include "gc/group_table.h"
#include "gc/shares.h"

#define TM__GROUP_FRESH_NS UINT64_C(1000000000)   /* a line this young is not asked for a pulse */
#define TM__GROUP_ASLEEP_NS UINT64_C(10000000000) /* from here on a member gets no part, */
#define TM__GROUP_DOZE_NS UINT64_C(2000000000)    /* or from here on, if it never collected */
/* What a member may have allocated since it wrote last, or so: it writes when it draws memory. */
#define TM__GROUP_SILENT_BYTES ((uint64_t)1 << 20)

/* What a reader remembers of one line. */
typedef struct tm__group_peer {
  tm__group_entry last; /* for a line that is torn at the moment */
  tm__process_id checked;
  uint64_t checked_ns; /* when that one was found alive */
} tm__group_peer;

/*
 * The living members, in the order of their lines. One that has asked for nothing for long sleeps:
 * what it holds is taken off the budget, and the rest of its part is of use to others until it
 * wakes. It finds out at the first quantum that it draws.
 */
typedef struct tm__group_members {
  size_t count;                    /* that share: not asleep */
  size_t self;                     /* index of the reader's own line; count if it has none */
  size_t asleep;                   /* members that are */
  uint64_t asleep_bytes;           /* that they hold */
  uint64_t live_bytes;             /* SUM L of those that share */
  uint64_t footprint_bytes;        /* of all */
  uint8_t slots[TM_GROUP_MEMBERS]; /* of those that share, then of sleepers, backwards */
  tm__share shares[TM_GROUP_MEMBERS];
} tm__group_members;

/* E of member `index` of those that share; 0 for any other index. */
TM_HIDDEN uint64_t tm__group_part(const tm__group_members *members, size_t index,
                                  uint64_t budget_bytes);

/*
 * Reads all lines at now_ns. `own` (slot -1: none) stands for the reader's own line. Lines of dead
 * owners are freed iff `expires`; else the table is not written to. /proc is asked about a line
 * that is older than TM__GROUP_FRESH_NS, once per that time. Allocates nothing.
 */
TM_HIDDEN void tm__group_scan(tm__group_table *table, tm__group_peer *peers, int own_slot,
                              const tm__group_entry *own, uint64_t now_ns, bool expires,
                              tm__group_members *out);

#endif
