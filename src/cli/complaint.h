/* complaint.h - what a person is told when tidemark cannot do what was asked, and the exit code. */
#ifndef TM_CLI_COMPLAINT_H
#define TM_CLI_COMPLAINT_H

#include "base/hints.h"

/* As env, nice and timeout have them, so that a script can tell tidemark's failure from COMMAND's.
 * The last three are only used before COMMAND runs. */
enum {
  TM_EXIT_OK = 0,
  TM_EXIT_OUTPUT = 1,       /* what was asked for could not be written to standard output */
  TM_EXIT_USAGE = 2,        /* the command line is wrong */
  TM_EXIT_FAILED = 125,     /* tidemark itself failed: port in use, report not writable, ... */
  TM_EXIT_CANNOT_RUN = 126, /* COMMAND is there, but cannot run (under tidemark) */
  TM_EXIT_NOT_FOUND = 127   /* there is no such COMMAND */
};

/* One sentence and what to do about it, without the leading "tidemark: " and the line feed. */
typedef struct tm__complaint {
  int exit_code;
  char text[1024];
} tm__complaint;

/* Fills *complaint (cutting the text) and returns exit_code. */
TM_HIDDEN TM_PRINTF(3, 4) int tm__complain(tm__complaint *complaint, int exit_code,
                                           const char *format, ...);

#endif
