/* run_options.h - the command line of `tidemark run`. */
#ifndef TM_CLI_RUN_OPTIONS_H
#define TM_CLI_RUN_OPTIONS_H

#include "cli/complaint.h"

typedef struct tm__run_options {
  uint64_t soft_bytes, hard_bytes; /* 0 = none */
  bool group_limits;               /* limits also come from the control group */
  const char *policy;              /* as written, known to be good; NULL = the default */
  const char *group;               /* as written, known to be a name; NULL = none */
  uint64_t budget_bytes;           /* of it; 0 = the one that it has */
  const char *serve;               /* as written, not looked at; NULL = do not serve */
  const char *report;              /* file, "-" = standard error, NULL = no report */
  const char *record;              /* file, NULL = no recording */
  const char *profile;             /* file, NULL = no profile file */
  uint64_t profile_interval_bytes; /* 0 = the usual one */
  const char *leaks;               /* file, "-" = standard error, NULL = not told */
  uint64_t leaks_allow_bytes;
  uint64_t leaks_exit_code; /* 0 = the status is left alone */
  char **command;           /* COMMAND and its arguments, ended by NULL */
  bool help;                /* --help was given: nothing else counts */
} tm__run_options;

/*
 * Reads the arguments behind `run`, ended by NULL. Options end at "--" or at the first argument
 * that is none; a later one wins over an earlier. whole_bytes is what percentages are of (0: not
 * known, a percentage is then refused).
 * 0, or TM_EXIT_USAGE and *complaint.
 */
TM_HIDDEN int tm__run_options_parse(char **arguments, uint64_t whole_bytes,
                                    tm__run_options *options, tm__complaint *complaint);

#endif
