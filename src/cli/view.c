/*
 * view.c - top, stat, log and doctor: they read JSON from a running process, and are a program of
 * their own, so that what `tidemark run` loads does not grow by a library that it never uses.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/library.h"

static const char *const places[] = {"../libexec/tidemark", "../lib/tidemark", "."};

/* From where tidemark is to tidemark-view. */
static bool find_view(const char *self, char path[PATH_MAX])
{
  const char *slash = strrchr(self, '/');
  int directory = slash ? (int)(slash - self) : 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(places); i++)
    if (snprintf(path, PATH_MAX, "%.*s/%s/tidemark-view", directory, self, places[i]) < PATH_MAX &&
        access(path, X_OK) == 0)
      return true;
  return false;
}

int tm__command_view(char **arguments, tm__complaint *complaint)
{
  char self[PATH_MAX], path[PATH_MAX];
  if (*arguments && (strcmp(*arguments, "--help") == 0 || strcmp(*arguments, "-h") == 0))
    return tm__help_print(arguments[-1], complaint);
  if (!tm__self_path(self))
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "the system does not tell where tidemark is installed; mount /proc");
  if (!find_view(self, path))
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "tidemark-view is not in ../libexec/tidemark beside %s, where it belongs; "
                        "install tidemark whole, or build it again",
                        self);
  (void)execv(path, arguments - 2);
  return tm__complain(complaint, TM_EXIT_FAILED, "'%s' cannot be run: %s", path, strerror(errno));
}
