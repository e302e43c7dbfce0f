/*
 * log.h - the decision log: a ring of 256 records that allocates nothing.
 *
 *   slot of sequence n: n % 256, stamp = 2n while it holds n, 2n - 1 while n is being written
 *   readable: every n with last - 256 < n <= last
 *
 * Writers take turns (the engine's lock); readers take none. A record is copied as words with
 * release stores between two stamps, and read with acquire loads between two looks at the stamp: a
 * reader that saw one word of a newer record also sees the newer stamp, and starts again.
 */
#ifndef TM_GC_LOG_H
#define TM_GC_LOG_H

#include <tidemark/gc.h>

#include "base/atomics.h"

enum { TM__LOG_RECORDS = 256, TM__LOG_WORDS = sizeof(tm_record) / sizeof(uint64_t) };
_Static_assert(sizeof(tm_record) % sizeof(uint64_t) == 0, "a record is whole words");

typedef struct tm__log_slot {
  _Atomic(uint64_t) stamp;
  _Atomic(uint64_t) words[TM__LOG_WORDS];
} tm__log_slot;

/* 80 KiB. Its memory must be zero at the start and is not touched before it is used. */
typedef struct tm__log {
  _Atomic(uint64_t) last; /* newest sequence that is complete */
  tm__log_slot slots[TM__LOG_RECORDS];
} tm__log;

/* Appends a copy of *record, stamping its sequence. One writer at a time. */
TM_HIDDEN void tm__log_write(tm__log *log, tm_record *record);
/* As tm_log_read. */
TM_HIDDEN int tm__log_read(tm__log *log, uint64_t *cursor, tm_record *out);
/* Empties the log, so that its memory can be a new log. No reader and no writer may be near. */
TM_HIDDEN void tm__log_clear(tm__log *log);

#endif
