/* main.c - the door of tidemark-view, which `tidemark` becomes for the commands that look at a
 * running process: they need a JSON library, which `tidemark run` shall not load. */
#include <stdio.h>
#include <string.h>

#include "view/commands.h"

static const struct {
  const char *name;
  int (*run)(char **arguments, tm__complaint *complaint);
} commands[] = {{"top", tm__view_top},
                {"stat", tm__view_stat},
                {"log", tm__view_log},
                {"doctor", tm__view_doctor}};

int main(int argc, char **argv)
{
  static tm__complaint complaint;
  for (size_t i = 0; argc > 1 && i < TM_ARRAY_LEN(commands); i++) {
    if (strcmp(argv[1], commands[i].name) != 0)
      continue;
    int code = commands[i].run(argv + 2, &complaint);
    if (complaint.text[0])
      (void)fprintf(stderr, "tidemark: %s\n", complaint.text);
    return code;
  }
  (void)fprintf(stderr, "tidemark: this is a part of 'tidemark'; write 'tidemark top'\n");
  return TM_EXIT_USAGE;
}
