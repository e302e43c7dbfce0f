/* main.c - the door: which command, and how a failure is said. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/similar.h"

typedef struct command {
  const char *name;
  int (*run)(char **arguments, tm__complaint *complaint);
} command;

static const command commands[] = {
    {"run", tm__command_run},           {"groups", tm__command_groups},
    {"replay", tm__command_replay},     {"report", tm__command_report},
    {"top", tm__command_view},          {"stat", tm__command_view},
    {"log", tm__command_view},          {"doctor", tm__command_view},
    {"help", tm__command_help},         {"--help", tm__command_help},
    {"-h", tm__command_help},           {"version", tm__command_version},
    {"--version", tm__command_version}, {"-V", tm__command_version},
};

static int unknown_command(const char *name, tm__complaint *complaint)
{
  const char *names[TM_ARRAY_LEN(commands)];
  for (size_t i = 0; i < TM_ARRAY_LEN(commands); i++)
    names[i] = commands[i].name;
  const char *near = tm__most_similar(name, names, TM_ARRAY_LEN(names));
  if (near)
    return tm__complain(complaint, TM_EXIT_USAGE, "there is no command '%s'; did you mean '%s'?",
                        name, near);
  return tm__complain(complaint, TM_EXIT_USAGE,
                      "there is no command '%s'; to run a program write 'tidemark run -- %s'", name,
                      name);
}

static int dispatch(char **arguments, tm__complaint *complaint)
{
  if (!*arguments)
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "say what to do, as in 'tidemark run --report -- python3 app.py'; "
                        "'tidemark help' tells more");
  for (size_t i = 0; i < TM_ARRAY_LEN(commands); i++)
    if (strcmp(*arguments, commands[i].name) == 0)
      return commands[i].run(arguments + 1, complaint);
  return unknown_command(*arguments, complaint);
}

int main(int argc, char **argv)
{
  static char *nothing[] = {NULL};
  tm__complaint complaint = {0};
  int code = dispatch(argc > 0 ? argv + 1 : nothing, &complaint);
  if (code)
    (void)fprintf(stderr, "tidemark: %s\n", complaint.text);
  return code;
}
