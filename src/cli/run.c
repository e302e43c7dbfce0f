/*
 * run.c - `tidemark run`: look before leaping, then become COMMAND.
 *
 * Everything that can fail is tried before the exec, in the order in which it leaves no trace:
 * command line, COMMAND, libraries, listening socket, output files. The process stays the same, so
 * that its number, parent, signals, limits and exit status are what everybody expects.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tidemark/monitor.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/elf.h"
#include "cli/library.h"
#include "cli/run_options.h"
#include "cli/serve.h"
#include "cli/target.h"
#include "gc/allowance.h"
#include "gc/memory.h"

/* What COMMAND gets, all of it known to be good. */
typedef struct plan {
  tm__run_options options;
  tm__target target;
  char self[PATH_MAX], library[PATH_MAX], report[PATH_MAX], record[PATH_MAX];
  char profile[PATH_MAX], leaks[PATH_MAX];
  int serve_fd; /* -1 = none */
} plan;

/* ---- Looking -------------------------------------------------------------------------------- */

static int find_command(plan *p, tm__complaint *complaint)
{
  tm__elf elf = {.kind = TM_ELF_NONE};
  int fd = open(p->self, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    tm__elf_read(fd, &elf);
    (void)close(fd);
  }
  tm__surroundings around = {getenv("PATH"), elf.kind == TM_ELF_DYNAMIC ? elf.loader : NULL};
  return tm__target_find(*p->options.command, &around, &p->target, complaint);
}

/* Without a limit it is fine: one may come while COMMAND runs. */
static int find_group(const plan *p, tm__complaint *complaint)
{
  tm__allowance allowance;
  if (!p->options.group_limits || tm__allowance_read("", &allowance))
    return 0;
  return tm__complain(complaint, TM_EXIT_FAILED,
                      "--limits-from-cgroup: no control group of memory is in sight; mount "
                      "/sys/fs/cgroup, or set --soft and --hard");
}

static int open_serve(plan *p, tm__complaint *complaint)
{
  char monitor[PATH_MAX];
  p->serve_fd = -1;
  if (!p->options.serve)
    return 0;
  int result = tm__library_find(p->self, "libtidemark-monitor.so", monitor, complaint);
  return result ? result : tm__serve_open(p->options.serve, &p->serve_fd, complaint);
}

/* An output file's absolute name, since COMMAND may go elsewhere; the file is made now, so that a
 * wrong name is known before the work and not after it. What it holds already stays until then. */
static int open_output(const char *option, const char *name, char path[PATH_MAX],
                       tm__complaint *complaint)
{
  char here[PATH_MAX] = "";
  if (*name != '/' && !getcwd(here, sizeof here))
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "%s: the working directory is gone, so '%s' has no meaning; write a path "
                        "that starts with '/'",
                        option, name);
  if (snprintf(path, PATH_MAX, "%s%s%s", here, *here ? "/" : "", name) >= PATH_MAX)
    return tm__complain(complaint, TM_EXIT_FAILED, "%s: '%s' is too long a path", option, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
  if (fd < 0)
    return tm__complain(complaint, TM_EXIT_FAILED, "%s: cannot write '%s': %s; name another file",
                        option, name, strerror(errno));
  (void)close(fd);
  return 0;
}

/* An option that was given; "-" is standard error, where it may be. */
static int open_if_given(const char *option, const char *name, char path[PATH_MAX],
                         tm__complaint *complaint)
{
  if (!name)
    return 0;
  if (strcmp(name, "-") != 0)
    return open_output(option, name, path, complaint);
  memcpy(path, "-", 2);
  return 0;
}

static int open_outputs(plan *p, tm__complaint *complaint)
{
  const tm__run_options *o = &p->options;
  int result = open_if_given("--report", o->report, p->report, complaint);
  if (!result)
    result = open_if_given("--leaks", o->leaks, p->leaks, complaint);
  if (!result && o->record)
    result = open_output("--record", o->record, p->record, complaint);
  if (!result && o->profile)
    result = open_output("--profile", o->profile, p->profile, complaint);
  return result;
}

/* ---- Leaping -------------------------------------------------------------------------------- */

static bool set_number(const char *name, uint64_t value)
{
  char text[24];
  (void)snprintf(text, sizeof text, "%" PRIu64, value);
  return setenv(name, text, 1) == 0;
}

static bool set_profile(const plan *p)
{
  const tm__run_options *o = &p->options;
  bool ok = true;
  if (o->profile)
    ok = setenv("TM_PROFILE", p->profile, 1) == 0;
  if (o->profile_interval_bytes)
    ok = ok && set_number("TM_PROFILE_INTERVAL", o->profile_interval_bytes);
  if (o->leaks)
    ok = ok && setenv("TM_LEAKS", p->leaks, 1) == 0;
  if (o->leaks_allow_bytes)
    ok = ok && set_number("TM_LEAKS_ALLOW", o->leaks_allow_bytes);
  if (o->leaks_exit_code)
    ok = ok && set_number("TM_LEAKS_EXIT_CODE", o->leaks_exit_code);
  return ok;
}

/* The contract with the library, see src/hosts/malloc/settings.h. What the command line does not
 * say is taken out, so that an outer `tidemark run` does not speak in an inner one. */
static bool set_environment(const plan *p)
{
  static const char *const contract[] = {
      "TM_SOFT",           "TM_HARD",    "TM_LIMITS",           "TM_POLICY", "TM_SERVE_FD",
      "TM_SERVE_ID",       "TM_REPORT",  "TM_RUN_PID",          "TM_GROUP",  "TM_BUDGET",
      "TM_RECORD",         "TM_PROFILE", "TM_PROFILE_INTERVAL", "TM_LEAKS",  "TM_LEAKS_ALLOW",
      "TM_LEAKS_EXIT_CODE"};
  for (size_t i = 0; i < TM_ARRAY_LEN(contract); i++)
    (void)unsetenv(contract[i]);
  const tm__run_options *o = &p->options;
  const char *theirs = getenv("LD_PRELOAD");
  size_t capacity = strlen(p->library) + (theirs ? strlen(theirs) : 0) + 2;
  char *preload = malloc(capacity);
  bool ok = preload && tm__preload_value(p->library, theirs, preload, capacity) &&
            setenv("LD_PRELOAD", preload, 1) == 0;
  free(preload);
  struct stat st;
  if (p->serve_fd >= 0)
    ok = ok && fstat(p->serve_fd, &st) == 0 && set_number("TM_SERVE_FD", (uint64_t)p->serve_fd) &&
         set_number("TM_SERVE_ID", st.st_ino);
  if (o->soft_bytes)
    ok = ok && set_number("TM_SOFT", o->soft_bytes);
  if (o->hard_bytes)
    ok = ok && set_number("TM_HARD", o->hard_bytes);
  if (o->group_limits)
    ok = ok && setenv("TM_LIMITS", "cgroup", 1) == 0;
  if (o->policy)
    ok = ok && setenv("TM_POLICY", o->policy, 1) == 0;
  if (o->group)
    ok = ok && setenv("TM_GROUP", o->group, 1) == 0;
  if (o->budget_bytes)
    ok = ok && set_number("TM_BUDGET", o->budget_bytes);
  if (o->report)
    ok = ok && setenv("TM_REPORT", p->report, 1) == 0;
  if (o->record)
    ok = ok && setenv("TM_RECORD", p->record, 1) == 0;
  return ok && set_profile(p) && set_number("TM_RUN_PID", (uint64_t)getpid());
}

/* A script without "#!" is the shell's, as for execvp. */
static void exec_by_shell(const plan *p)
{
  size_t count = 0;
  while (p->options.command[count])
    count++;
  char **arguments = calloc(count + 2, sizeof *arguments);
  if (!arguments)
    return;
  arguments[0] = (char *)(uintptr_t) "sh";
  arguments[1] = (char *)(uintptr_t)p->target.path;
  memcpy(arguments + 2, p->options.command + 1, count * sizeof *arguments);
  (void)execv("/bin/sh", arguments);
  free(arguments);
}

static int leap(const plan *p, tm__complaint *complaint)
{
  if (!set_environment(p))
    return tm__complain(complaint, TM_EXIT_FAILED, "there is no memory for the environment");
  if (p->serve_fd >= 0) {
    char url[192];
    (void)tm_monitor_listen_url(p->serve_fd, url, sizeof url);
    (void)fprintf(stderr, "tidemark: serving %s\n", url);
  }
  (void)execv(p->target.path, p->options.command);
  if (errno == ENOEXEC)
    exec_by_shell(p);
  int code = errno == ENOENT ? TM_EXIT_NOT_FOUND : TM_EXIT_CANNOT_RUN;
  return tm__complain(complaint, code, "'%s' cannot be run: %s", *p->options.command,
                      strerror(errno));
}

int tm__command_run(char **arguments, tm__complaint *complaint)
{
  static plan p; /* large: several paths */
  int result = tm__run_options_parse(arguments, tm__memory_whole(""), &p.options, complaint);
  if (result)
    return result;
  if (p.options.help)
    return tm__help_print("run", complaint);
  if (!tm__self_path(p.self))
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "the system does not tell where tidemark is installed; mount /proc");
  result = find_command(&p, complaint);
  if (!result)
    result = tm__library_find(p.self, "libtidemark-preload.so", p.library, complaint);
  if (!result)
    result = find_group(&p, complaint);
  if (!result)
    result = open_serve(&p, complaint);
  if (!result)
    result = open_outputs(&p, complaint);
  return result ? result : leap(&p, complaint);
}
