/* commands.h - the subcommands that look at a running process. */
#ifndef TM_VIEW_COMMANDS_H
#define TM_VIEW_COMMANDS_H

#include "cli/complaint.h"

/* Each gets the arguments behind its name, ended by NULL, and returns the exit code; what went
 * wrong stands in *complaint, or nothing when there is nothing to say. */
TM_HIDDEN int tm__view_top(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__view_stat(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__view_log(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__view_doctor(char **arguments, tm__complaint *complaint);

#endif
