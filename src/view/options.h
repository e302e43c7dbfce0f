/* options.h - the command lines of the views: flags, and words that are no flags. */
#ifndef TM_VIEW_OPTIONS_H
#define TM_VIEW_OPTIONS_H

#include "cli/complaint.h"

typedef struct tm__view_options {
  bool once, json, follow;
  uint64_t interval_ms; /* 1000 unless said */
  uint64_t count;       /* 0 = without end */
  const char *target;   /* PID, URL or NULL */
} tm__view_options;

/* What a command takes. */
enum {
  TM__TAKES_ONCE = 1,
  TM__TAKES_JSON = 2,
  TM__TAKES_FOLLOW = 4,
  TM__TAKES_INTERVAL = 8, /* --interval SECONDS */
  TM__TAKES_COUNTS = 16   /* INTERVAL and COUNT behind the target */
};

/* 0 or TM_EXIT_USAGE. `command` is its name, for people. */
TM_HIDDEN int tm__view_options_parse(char **arguments, const char *command, unsigned takes,
                                     tm__view_options *out, tm__complaint *complaint);

#endif
