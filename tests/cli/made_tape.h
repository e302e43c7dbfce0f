/* made_tape.h - a recording that a test writes by hand, record by record. */
#ifndef TM_TESTS_CLI_MADE_TAPE_H
#define TM_TESTS_CLI_MADE_TAPE_H

#include "cli/tape.h"
#include "gc/trace.h"
#include "support/check.h"

typedef struct made_tape {
  unsigned char bytes[TM__TRACE_HEAD_BYTES + TM__TRACE_BLOCK_HEAD_BYTES + TM__TRACE_BLOCK_BYTES];
  size_t used; /* of the payload */
  tm__trace_past past;
} made_tape;

static inline void made_add(made_tape *made, const tm__trace_record *record)
{
  unsigned char *payload = made->bytes + TM__TRACE_HEAD_BYTES + TM__TRACE_BLOCK_HEAD_BYTES;
  made->used += tm__trace_write(record, &made->past, payload + made->used);
  assert_true(made->used + TM__TRACE_RECORD_BYTES < TM__TRACE_BLOCK_BYTES);
}

static inline void made_start(made_tape *made)
{
  tm__trace_record start = {.kind = TM__TRACE_START, .pid = 42, .wall_seconds = 1790000000};
  memset(made, 0, sizeof *made);
  memcpy(start.heap, "made", 5);
  made_add(made, &start);
}

static inline void made_sample(made_tape *made, uint64_t time_ns, uint64_t allocated,
                               uint64_t footprint)
{
  tm__trace_record r = {.kind = TM__TRACE_SAMPLE,
                        .time_ns = time_ns,
                        .levels = {.allocated_bytes_total = allocated,
                                   .footprint_bytes = footprint,
                                   .committed_bytes = footprint}};
  made_add(made, &r);
}

/* An action at that time that takes `ns` and leads from one footprint to another. */
static inline void made_action(made_tape *made, tm_hook_kind kind, int result, uint64_t time_ns,
                               uint64_t ns, uint64_t allocated, uint64_t before, uint64_t after)
{
  tm__trace_record r = {.kind = TM__TRACE_ACTION,
                        .time_ns = time_ns,
                        .levels = {.allocated_bytes_total = allocated, .footprint_bytes = before},
                        .action = {.kind = kind, .result = result, .duration_ns = ns}};
  r.after = r.levels;
  r.after.footprint_bytes = after;
  made_add(made, &r);
}

/* Ends it. The tape's bytes are the maker's: it is not closed. */
static inline tm__tape made_end(made_tape *made, uint64_t time_ns)
{
  unsigned char *block = made->bytes + TM__TRACE_HEAD_BYTES;
  tm__trace_record end = {.kind = TM__TRACE_END, .time_ns = time_ns};
  made_add(made, &end);
  tm__trace_head(made->bytes);
  tm__trace_block_head(block + TM__TRACE_BLOCK_HEAD_BYTES, made->used, block);
  tm__tape tape = {.bytes = made->bytes,
                   .length = TM__TRACE_HEAD_BYTES + TM__TRACE_BLOCK_HEAD_BYTES + made->used,
                   .duration_ns = made->past.time_ns};
  tm__tape_cursor cursor = {0};
  assert_true(tm__tape_next(&tape, &cursor, &tape.start));
  return tape;
}

#endif
