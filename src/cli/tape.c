/* tape.c - see tape.h. */
#define _GNU_SOURCE
#include "cli/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 1 << 16 };
/* The recorder ends at 256 MiB and a block. */
static const size_t most_bytes = (size_t)257 << 20;

/* ---- The file -------------------------------------------------------------------------------- */

static int read_all(int fd, tm__tape *tape)
{
  size_t capacity = 0;
  for (;;) {
    if (tape->length == capacity) {
      capacity = capacity ? 2 * capacity : FIRST_CAPACITY;
      unsigned char *more = realloc(tape->bytes, capacity);
      if (!more)
        return ENOMEM;
      tape->bytes = more;
    }
    ssize_t n = read(fd, tape->bytes + tape->length, capacity - tape->length);
    if (n == 0)
      return 0;
    if (n < 0 && errno != EINTR)
      return errno;
    tape->length += n > 0 ? (size_t)n : 0;
    if (tape->length > most_bytes)
      return EFBIG;
  }
}

static int read_file(const char *path, tm__tape *tape, tm__complaint *complaint)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  int error = fd < 0 ? errno : read_all(fd, tape);
  if (fd >= 0)
    (void)close(fd);
  if (error)
    return tm__complain(complaint, TM_EXIT_FAILED, "cannot read '%s': %s", path, strerror(error));
  return 0;
}

/* ---- Playing --------------------------------------------------------------------------------- */

/* true and *record; false: *damaged, or the bytes end here, between two blocks or inside one. */
static bool next(const tm__tape *tape, tm__tape_cursor *c, tm__trace_record *record, bool *damaged)
{
  if (!c->at)
    c->at = TM__TRACE_HEAD_BYTES;
  while (c->in == c->end) {
    const unsigned char *payload;
    size_t length;
    int error = tm__trace_block(tape->bytes + c->at, tape->length - c->at, &payload, &length);
    *damaged = error == TM_ECORRUPT;
    if (error)
      return false;
    c->at += TM__TRACE_BLOCK_HEAD_BYTES + length;
    c->in = payload;
    c->end = payload + length;
  }
  *damaged = tm__trace_read(&c->in, c->end, &c->past, record) != TM_OK;
  return !*damaged;
}

bool tm__tape_next(const tm__tape *tape, tm__tape_cursor *cursor, tm__trace_record *record)
{
  bool damaged = false;
  return next(tape, cursor, record, &damaged);
}

/* ---- Checking -------------------------------------------------------------------------------- */

static int check_head(const char *path, const tm__tape *tape, tm__complaint *complaint)
{
  uint32_t version = 0;
  int result = tm__trace_head_check(tape->bytes, tape->length, &version);
  if (result == TM_ENOTSUP)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "'%s' is a recording of version %u, and this tidemark reads version %d; "
                        "record it again",
                        path, version, (int)TM__TRACE_VERSION);
  if (result)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "'%s' is not a recording; 'tidemark run --record FILE' makes one", path);
  return 0;
}

/* START stands first and only there, END last and only there. */
static bool in_place(const tm__tape *tape, const tm__trace_record *record, bool ended)
{
  bool first = tape->records == 0;
  return !ended && first == (record->kind == TM__TRACE_START);
}

static int check_records(const char *path, tm__tape *tape, tm__complaint *complaint)
{
  tm__tape_cursor cursor = {0};
  tm__trace_record record;
  bool ended = false, damaged = false;
  size_t block = TM__TRACE_HEAD_BYTES;
  while (!damaged && next(tape, &cursor, &record, &damaged)) {
    damaged = !in_place(tape, &record, ended);
    if (!tape->records++)
      tape->start = record;
    tape->duration_ns = cursor.past.time_ns;
    ended = record.kind == TM__TRACE_END;
    block = cursor.in == cursor.end ? cursor.at : block;
  }
  if (damaged)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "'%s' is damaged: the block at byte %zu is not what was written; nothing "
                        "can be said about this run",
                        path, block);
  if (!tape->records)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "'%s' breaks off before its first block ends; nothing is in it", path);
  tape->cut = !ended;
  tape->length = cursor.at;
  return 0;
}

int tm__tape_open(const char *path, tm__tape *tape, tm__complaint *complaint)
{
  memset(tape, 0, sizeof *tape);
  int result = read_file(path, tape, complaint);
  if (!result)
    result = check_head(path, tape, complaint);
  if (!result)
    result = check_records(path, tape, complaint);
  return result;
}

void tm__tape_close(tm__tape *tape)
{
  free(tape->bytes);
  tape->bytes = NULL;
  tape->length = 0;
}
