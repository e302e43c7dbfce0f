/*
 * tape.h - a recording that was read: every byte is checked at the start, then it is played record
 * by record, as often as wanted, in little memory.
 */
#ifndef TM_CLI_TAPE_H
#define TM_CLI_TAPE_H

#include "cli/complaint.h"
#include "gc/trace.h"

typedef struct tm__tape {
  unsigned char *bytes; /* the file, as far as it is whole */
  size_t length;
  uint64_t records;
  uint64_t duration_ns;
  bool cut;               /* the last record is not END: the program was killed, the disk full */
  tm__trace_record start; /* START */
} tm__tape;

/*
 * Reads and checks the file at `path`. 0, or TM_EXIT_FAILED and *complaint iff it cannot be read,
 * is no recording, is one of another version, is damaged, or ends before its first block does.
 * Call tm__tape_close in either case.
 */
TM_HIDDEN int tm__tape_open(const char *path, tm__tape *tape, tm__complaint *complaint);
TM_HIDDEN void tm__tape_close(tm__tape *tape);

/* Where a reader of a tape is; zero at the start. */
typedef struct tm__tape_cursor {
  size_t at;                     /* of the next block */
  const unsigned char *in, *end; /* the rest of the current one */
  tm__trace_past past;
} tm__tape_cursor;

/* The next record of a tape that was opened: true and *record, false at its end. */
TM_HIDDEN bool tm__tape_next(const tm__tape *tape, tm__tape_cursor *cursor,
                             tm__trace_record *record);

#endif
