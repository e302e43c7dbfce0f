/* replay_options.h - the command line of `tidemark replay`. */
#ifndef TM_CLI_REPLAY_OPTIONS_H
#define TM_CLI_REPLAY_OPTIONS_H

#include <tidemark/gc.h>

#include "cli/complaint.h"

enum { TM__REPLAY_POLICIES = 16 };

typedef struct tm__replay_options {
  const char *file;                          /* the recording */
  const char *policies[TM__REPLAY_POLICIES]; /* as written, known to be good */
  size_t policy_count;
  bool own_soft, own_hard; /* limits other than the recorded ones: */
  uint64_t soft_bytes, hard_bytes;
  bool sweep, json, help;
  const char *plot; /* file, NULL = none */
} tm__replay_options;

/*
 * Reads the arguments behind `replay`, ended by NULL; options may stand before or behind FILE, and
 * end at "--". 0, or TM_EXIT_USAGE and *complaint.
 */
TM_HIDDEN int tm__replay_options_parse(char **arguments, tm__replay_options *options,
                                       tm__complaint *complaint);

/* A policy that can be replayed: as tm__policy_parse, and TM_ENOTSUP for what a recording cannot
 * tell: the share of a group. */
TM_HIDDEN int tm__replay_policy(const char *text, tm_policy *policy, char *why, size_t capacity);

#endif
