/*
 * settings.h - what `tidemark run` says to the library in COMMAND's process: the environment.
 *
 *   TM_SOFT, TM_HARD   limits, as tm__size_parse reads them
 *   TM_POLICY          a policy, as tm__policy_parse reads it
 *   TM_LIMITS          "cgroup": limits also come from the control group, see tm_limits
 *   TM_GROUP           a group's name, as tm_group_join reads it, and
 *   TM_BUDGET          its budget, as tm__size_parse reads it
 *   TM_MISMATCH        see tm_mismatch_set; a preloaded process reports unless it is set
 *   TM_RUN_PID         the process that serves and reports; its children are none of that. Without
 *                      it (the library was preloaded by hand) every process is the one
 *   TM_SERVE_FD        a listening socket that was inherited, and
 *   TM_SERVE_ID        its inode: another file under that number is not touched
 *   TM_REPORT          where the report goes: "-" is standard error, else an absolute path
 *   TM_RECORD          where the recording goes: an absolute path
 *   TM_PROFILE         where the heap profile goes: an absolute path
 *   TM_PROFILE_INTERVAL  its mean, as tm__size_parse reads it; alone it starts a profile, too
 *   TM_LEAKS           where is told what is live at the end: "-" or an absolute path
 *   TM_LEAKS_ALLOW     bytes that may be live, as tm__size_parse reads them, before
 *   TM_LEAKS_EXIT_CODE replaces an exit status of 0
 *
 * They stay in the environment: COMMAND may be a shell script that ends in `exec python3 app.py`,
 * and then it is the same process that starts again.
 */
#ifndef TM_HOSTS_MALLOC_SETTINGS_H
#define TM_HOSTS_MALLOC_SETTINGS_H

#include <tidemark/gc.h>

#include "base/hints.h"
#include "gc/group_file.h"

enum { TM__REPORT_PATH = 4096 };

typedef struct tm__settings {
  int64_t soft_bytes, hard_bytes; /* 0 = none */
  bool group_limits;              /* they also come from the control group */
  bool has_policy;
  tm_policy policy;           /* iff has_policy */
  char policy_text[48];       /* as it was written; "" = the default */
  char group[TM__GROUP_PATH]; /* "" = none */
  uint64_t budget_bytes;      /* 0 = the one that the group has */
  bool mismatch_given;
  bool is_run;  /* this is the process that serves and reports */
  int serve_fd; /* -1 = none */
  uint64_t serve_id;
  const char *report;  /* "-", an absolute path (until the next reading), or "" = none */
  const char *record;  /* an absolute path (until the next reading), or "" = none */
  const char *profile; /* the same */
  const char *leaks;   /* the same, or "-" */
  uint64_t profile_interval_bytes; /* 0 = the usual one */
  uint64_t leaks_allow_bytes;
  int leaks_exit_code; /* 0 = leave the status alone */
} tm__settings;

/* Reads one variable: its value or NULL. tm__os_env, or a test's own. */
typedef const char *(*tm__env_fn)(const char *name);

/*
 * Reads the settings of process `pid`. A value that cannot be used is left out and, in the process
 * that is the one, said in a sentence on the report descriptor. Allocates nothing, and
 * keeps no pointer into the environment: programs write over it to change their title.
 */
TM_HIDDEN void tm__settings_read(tm__settings *settings, tm__env_fn env, uint64_t pid);

#endif
