/* target.c - the walk from a name to the program that runs in the end. */
#define _GNU_SOURCE
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/elf.h"

enum { MAX_SCRIPTS = 5 /* as the kernel */, HEAD_BYTES = 256 };

/* The way so far. */
typedef struct walk {
  const char *command; /* as the person wrote it */
  const tm__surroundings *around;
  tm__target *target;
  tm__complaint *complaint;
} walk;

static const char *file_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* How a complaint begins: "'COMMAND'", or "'COMMAND' is run by 'PROGRAM', which". */
static const char *subject(const walk *w, char *buffer, size_t capacity)
{
  if (strcmp(w->target->program, w->target->path) == 0)
    (void)snprintf(buffer, capacity, "'%s'", w->command);
  else
    (void)snprintf(buffer, capacity, "'%s' is run by '%s', which", w->command, w->target->program);
  return buffer;
}

TM_PRINTF(2, 3) static int cannot_run(const walk *w, const char *format, ...)
{
  char who[2 * PATH_MAX], what[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(what, sizeof what, format, args);
  va_end(args);
  return tm__complain(w->complaint, TM_EXIT_CANNOT_RUN, "%s %s", subject(w, who, sizeof who), what);
}

/* ---- Finding -------------------------------------------------------------------------------- */

/* true iff path can be executed as far as its mode says; else errno says why not. */
static bool is_executable(const char *path)
{
  struct stat st;
  if (stat(path, &st) != 0)
    return false;
  if (S_ISDIR(st.st_mode)) {
    errno = EISDIR;
    return false;
  }
  if (!S_ISREG(st.st_mode)) {
    errno = EACCES;
    return false;
  }
  return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* As execvp: the first hit wins; a file that may not be executed is only told of when there is no
 * other. 0 and `found`, or an errno. */
static int search(const char *name, const char *search_path, char found[PATH_MAX])
{
  if (!*name)
    return ENOENT;
  if (strchr(name, '/')) {
    if (snprintf(found, PATH_MAX, "%s", name) >= PATH_MAX)
      return ENAMETOOLONG;
    return is_executable(name) ? 0 : errno;
  }
  int error = ENOENT;
  const char *at = search_path ? search_path : "/bin:/usr/bin";
  for (;;) {
    int length = (int)strcspn(at, ":");
    const char *between = length ? "/" : ""; /* an empty entry is the working directory */
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%.*s%s%s", length, at, between, name) < PATH_MAX) {
      if (is_executable(path)) {
        memcpy(found, path, sizeof path);
        return 0;
      }
      if (errno == EACCES) {
        memcpy(found, path, sizeof path);
        error = EACCES;
      }
    }
    at += length;
    if (!*at)
      return error;
    at++;
  }
}

static int complain_search(const walk *w, int error)
{
  const char *command = w->command;
  if (error == ENOENT && !strchr(command, '/'))
    return tm__complain(w->complaint, TM_EXIT_NOT_FOUND,
                        "there is no command '%s' in PATH; check the spelling or give its path",
                        command);
  if (error == ENOENT || error == ENOTDIR)
    return tm__complain(w->complaint, TM_EXIT_NOT_FOUND, "there is no file '%s'; check the path",
                        command);
  if (error == EISDIR)
    return tm__complain(w->complaint, TM_EXIT_CANNOT_RUN,
                        "'%s' is a directory, not a program; name a file in it", command);
  if (error == EACCES)
    return tm__complain(w->complaint, TM_EXIT_CANNOT_RUN,
                        "'%s' is not executable for you; check its mode (chmod +x), its "
                        "directories' modes, or name its interpreter as COMMAND",
                        command);
  return tm__complain(w->complaint, TM_EXIT_CANNOT_RUN, "'%s' cannot be run: %s", command,
                      strerror(error));
}

/* ---- Programs ------------------------------------------------------------------------------- */

/* The loader clears LD_PRELOAD for programs that run with more rights than their caller. We refuse
 * for root too: what works must not depend on who tries it. */
static int check_rights(const walk *w, const char *path, const struct stat *st)
{
  const char *mark = NULL;
  if (st->st_mode & S_ISUID)
    mark = "setuid";
  else if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP))
    mark = "setgid";
  else if (getxattr(path, "security.capability", NULL, 0) > 0)
    mark = "given capabilities";
  if (!mark)
    return 0;
  return cannot_run(w,
                    "is %s, so the system's loader drops tidemark's library; when it starts the "
                    "program that you mean (as sudo does), put 'tidemark run --' behind it instead",
                    mark);
}

static int check_elf(const walk *w, const tm__elf *elf)
{
  const char *loader = w->around->loader;
  switch (elf->kind) {
  case TM_ELF_BROKEN:
    return cannot_run(w, "is not a whole program: its ELF tables are cut or damaged");
  case TM_ELF_FOREIGN:
    return cannot_run(w,
                      "is built for %s, and tidemark's library is not; use a build of both for "
                      "the same machine",
                      elf->machine);
  case TM_ELF_STATIC:
    return cannot_run(w, "is statically linked, so no library can be put into it; link it "
                         "dynamically, or build libtidemark into it");
  default:
    break;
  }
  if (loader && strcmp(file_name(loader), file_name(elf->loader)) != 0)
    return cannot_run(w,
                      "is built for another C library (its loader is %s, tidemark's is %s); use "
                      "a build of tidemark for that one",
                      elf->loader, loader);
  if (access(elf->loader, X_OK) != 0)
    return cannot_run(w, "needs the program loader %s, which is not there; install it",
                      elf->loader);
  return 0;
}

/* ---- Scripts -------------------------------------------------------------------------------- */

/* Cuts the next word off *at; NULL iff there is none. */
static char *next_word(char **at)
{
  char *word = *at + strspn(*at, " \t");
  if (!*word)
    return NULL;
  char *end = word + strcspn(word, " \t");
  *at = *end ? end + 1 : end;
  *end = 0;
  return word;
}

/* The command in env's arguments, or NULL when we do not understand them. */
static char *env_command(char *argument)
{
  static const char *const splits[] = {"-S", "-vS", "--split-string="};
  char *at = NULL;
  for (size_t i = 0; i < TM_ARRAY_LEN(splits) && !at; i++)
    if (strncmp(argument, splits[i], strlen(splits[i])) == 0)
      at = argument + strlen(splits[i]);
  if (!at)
    return *argument && *argument != '-' ? argument : NULL; /* the kernel does not split */
  char *word;
  while ((word = next_word(&at)) != NULL)
    if (!strchr(word, '='))
      return *word == '-' ? NULL : word;
  return NULL;
}

/* Sets target->program to what the "#!" line names. 0, or an exit code. */
static int follow_script(const walk *w, char *line)
{
  char *at = line, *interpreter = next_word(&at);
  if (!interpreter)
    return cannot_run(w, "has an empty #! line; name an interpreter in it");
  if (!is_executable(interpreter))
    return cannot_run(w, "needs the interpreter %s, which %s; correct its first line or install it",
                      interpreter, errno == ENOENT ? "is not there" : "cannot be executed");
  char *argument = at + strspn(at, " \t");
  size_t length = strlen(argument);
  while (length && strchr(" \t\r", argument[length - 1]))
    argument[--length] = 0;
  char *command = NULL;
  if (strcmp(file_name(interpreter), "env") == 0)
    command = env_command(argument);
  if (!command) {
    (void)snprintf(w->target->program, PATH_MAX, "%s", interpreter);
    return 0;
  }
  char found[PATH_MAX];
  if (search(command, w->around->search_path, found) != 0)
    return tm__complain(w->complaint, TM_EXIT_NOT_FOUND,
                        "'%s' asks env for '%s', which is not in PATH; install it or correct the "
                        "script's first line",
                        w->command, command);
  memcpy(w->target->program, found, sizeof found);
  return 0;
}

/* Looks at target->program. 0 = it is the end of the walk, -1 = one more step, or an exit code. */
static int step(const walk *w)
{
  const char *path = w->target->program;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return 0; /* executable but not readable: the kernel will judge */
  char head[HEAD_BYTES];
  ssize_t length = pread(fd, head, sizeof head - 1, 0);
  struct stat st;
  bool known = fstat(fd, &st) == 0;
  tm__elf elf;
  tm__elf_read(fd, &elf);
  (void)close(fd);
  if (elf.kind != TM_ELF_NONE) {
    int result = check_elf(w, &elf);
    return result || !known ? result : check_rights(w, path, &st);
  }
  head[length > 0 ? length : 0] = 0;
  if (head[0] != '#' || head[1] != '!') {
    if (length > 0 && memchr(head, 0, (size_t)length))
      return cannot_run(w, "is neither a program nor a script");
    (void)snprintf(w->target->program, PATH_MAX, "/bin/sh"); /* as execvp and every shell do */
    return -1;
  }
  head[strcspn(head, "\n")] = 0;
  int result = follow_script(w, head + 2);
  return result ? result : -1;
}

int tm__target_find(const char *command, const tm__surroundings *around, tm__target *target,
                    tm__complaint *complaint)
{
  walk w = {command, around, target, complaint};
  int error = search(command, around->search_path, target->path);
  if (error)
    return complain_search(&w, error);
  memcpy(target->program, target->path, sizeof target->program);
  for (int scripts = 0; scripts <= MAX_SCRIPTS; scripts++) {
    int result = step(&w);
    if (result >= 0)
      return result;
  }
  return cannot_run(&w, "is a script whose interpreters are scripts without end");
}
