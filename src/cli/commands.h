/* commands.h - the subcommands, as main sees them. */
#ifndef TM_CLI_COMMANDS_H
#define TM_CLI_COMMANDS_H

#include "cli/complaint.h"

/* Each gets the arguments behind its name, ended by NULL, and returns the exit code; what went
 * wrong stands in *complaint when that is not 0. */
TM_HIDDEN int tm__command_run(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__command_groups(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__command_replay(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__command_report(char **arguments, tm__complaint *complaint);
/* top, stat, log, doctor: see view.c. arguments[-1] is the command's name. */
TM_HIDDEN int tm__command_view(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__command_help(char **arguments, tm__complaint *complaint);
TM_HIDDEN int tm__command_version(char **arguments, tm__complaint *complaint);

/* Prints the help of `command` (NULL: of the whole program) to standard output. 0, or
 * TM_EXIT_OUTPUT when it cannot be written, TM_EXIT_USAGE when there is no such command. */
TM_HIDDEN int tm__help_print(const char *command, tm__complaint *complaint);

/* The help of top, stat, log or doctor; NULL for another name. */
TM_HIDDEN const char *tm__help_view(const char *command);

/* Prints text to standard output, all of it or a complaint. */
TM_HIDDEN int tm__print(const char *text, tm__complaint *complaint);
/* Writes text into the file that `option` named, all of it or a complaint. */
TM_HIDDEN int tm__write(const char *option, const char *path, const char *text,
                        tm__complaint *complaint);

#endif
