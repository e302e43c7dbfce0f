/*
 * trace.h - a recording as bytes: what recorder.c writes and the replay reads. Pure.
 *
 *   file    = magic (8 bytes) version (4 bytes) block*
 *   block   = length (4) CRC-32 of the payload (4) payload; whole records, at most 64 KiB
 *   record  = kind (1 byte) numbers; fixed numbers are little-endian
 *
 * Numbers of records are varints: seven bits a byte, low ones first. Time counts up from the record
 * before; levels are differences to the levels before, folded (0, -1, 1, -2 ... become 0, 1, 2, 3)
 * so that small ones are short. A sample of a quiet program has 9 bytes.
 *
 * The first record is START, the last one END; without it the recording was cut off. Nothing that
 * is read is believed: see tm__trace_read.
 */
#ifndef TM_GC_TRACE_H
#define TM_GC_TRACE_H

#include <tidemark/gc.h>

#include "base/hints.h"

enum {
  TM__TRACE_VERSION = 1,
  TM__TRACE_HEAD_BYTES = 12,
  TM__TRACE_BLOCK_HEAD_BYTES = 8,
  TM__TRACE_BLOCK_BYTES = 65536, /* most payload of a block */
  TM__TRACE_RECORD_BYTES = 512   /* most bytes of a record */
};

typedef enum {
  TM__TRACE_START = 1, /* wall_seconds, pid, heap */
  TM__TRACE_LIMITS,    /* soft_bytes, hard_bytes */
  TM__TRACE_POLICY,    /* policy */
  TM__TRACE_HOOKS,     /* hooks */
  TM__TRACE_PRESSURE,  /* pressure */
  TM__TRACE_SAMPLE,    /* levels, request_bytes */
  TM__TRACE_ACTION,    /* levels: before it; action; after */
  TM__TRACE_END,
  TM__TRACE_KIND_END
} tm__trace_kind;

typedef struct tm__trace_levels {
  uint64_t footprint_bytes, allocated_bytes_total;
  uint64_t committed_bytes, dirty_bytes, fixable_bytes, informed_bytes;
} tm__trace_levels;

typedef struct tm__trace_action {
  tm_hook_kind kind;
  int result; /* TM_HOOK_* */
  unsigned reasons;
  uint64_t duration_ns;
  uint64_t live_bytes;     /* L as it was before */
  uint64_t returned_bytes; /* trim */
} tm__trace_action;

typedef struct tm__trace_record {
  tm__trace_kind kind;
  uint64_t time_ns; /* since the start; of an action: when it began */
  tm__trace_levels levels, after;
  uint64_t request_bytes; /* SAMPLE: the part of the levels that came at once; whole KiB */
  tm__trace_action action;
  uint64_t soft_bytes, hard_bytes;
  tm_policy policy;
  unsigned hooks;
  tm_pressure pressure;
  uint64_t wall_seconds, pid; /* START: since 1970, of which process */
  char heap[32];
} tm__trace_record;

/* What the next record's differences are to; zero at the start of a file. */
typedef struct tm__trace_past {
  uint64_t time_ns;
  tm__trace_levels levels;
} tm__trace_past;

/* Writes the head of a file. */
TM_HIDDEN void tm__trace_head(unsigned char out[TM__TRACE_HEAD_BYTES]);
/* 0; TM_EINVAL iff this is no recording, TM_ENOTSUP iff it is one of another version (*version). */
TM_HIDDEN int tm__trace_head_check(const unsigned char *bytes, size_t length, uint32_t *version);

/* The head of a block with this payload. */
TM_HIDDEN void tm__trace_block_head(const unsigned char *payload, size_t length,
                                    unsigned char out[TM__TRACE_BLOCK_HEAD_BYTES]);
/* Finds the block at the start of bytes. 0, *payload and its *length; TM_EAGAIN iff the bytes end
 * before it does, TM_ECORRUPT iff its length or its CRC is wrong. */
TM_HIDDEN int tm__trace_block(const unsigned char *bytes, size_t available,
                              const unsigned char **payload, size_t *length);

/* Appends a record; at most TM__TRACE_RECORD_BYTES. Returns its length. */
TM_HIDDEN size_t tm__trace_write(const tm__trace_record *record, tm__trace_past *past,
                                 unsigned char *out);
/*
 * Reads the record at *at, moving it. 0, or TM_ECORRUPT iff the bytes end inside it, its kind is
 * unknown, or a number is out of its range: times and sizes stay below 2^62, allocated bytes never
 * fall, a soft limit is not above a hard one, enumerators are known. *record is then undefined.
 */
TM_HIDDEN int tm__trace_read(const unsigned char **at, const unsigned char *end,
                             tm__trace_past *past, tm__trace_record *record);

#endif
