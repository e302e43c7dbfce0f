/* target.h - COMMAND: where it is, what runs it in the end, and whether a library can be put in. */
#ifndef TM_CLI_TARGET_H
#define TM_CLI_TARGET_H

#include <limits.h>

#include "cli/complaint.h"

typedef struct tm__target {
  char path[PATH_MAX];    /* the file to execute */
  char program[PATH_MAX]; /* the program that runs in the end: path, or a script's interpreter */
} tm__target;

/* What to compare with. */
typedef struct tm__surroundings {
  const char *search_path; /* the value of PATH; NULL: it is not set */
  const char *loader;      /* the program loader that our library needs; NULL: not known */
} tm__surroundings;

/*
 * Finds `command` as execvp would and follows "#!" lines (through env too) to the program. Looks at
 * files only, runs nothing. 0 and *target, or an exit code and *complaint:
 * TM_EXIT_NOT_FOUND   there is no such command, or env would not find the interpreter
 * TM_EXIT_CANNOT_RUN  it is a directory, not executable, broken, its interpreter is missing, it is
 *                     for another machine or another C library, statically linked, or marked
 *                     setuid, setgid or with capabilities (the loader would drop our library)
 */
TM_HIDDEN int tm__target_find(const char *command, const tm__surroundings *around,
                              tm__target *target, tm__complaint *complaint);

#endif
