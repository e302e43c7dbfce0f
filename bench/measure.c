/*
 * measure.c - runs one command and says what it cost: CPU time, wall time, peak RSS, page faults.
 *
 *   measure [-o FILE] [NAME=VALUE ...] -- COMMAND [ARGUMENT ...]
 *
 * Linux keeps ru_maxrss across exec, so a command that is started from a big process (the runner is
 * a Python program) shows at least that process's size. This parent is small. NAME=VALUE go into
 * the environment of the command only; -o is where its standard output goes. The command dies with
 * its parent. Prints: exit status (or 128 + signal), user us, system us, wall us, peak RSS KiB,
 * minor faults, major faults, context switches.
 */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_STARTED = 127 };

static uint64_t now_us(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t timeval_us(struct timeval t)
{
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

_Noreturn static void become(char **settings, const char *output, char **command)
{
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (output != NULL) {
    int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0) {
      (void)fprintf(stderr, "measure: %s: %s\n", output, strerror(errno));
      _exit(EXIT_NOT_STARTED);
    }
    (void)close(fd);
  }
  for (; strcmp(*settings, "--") != 0; settings++) {
    if (putenv(*settings) != 0) {
      _exit(EXIT_NOT_STARTED);
    }
  }
  (void)execvp(command[0], command);
  (void)fprintf(stderr, "measure: %s: %s\n", command[0], strerror(errno));
  _exit(EXIT_NOT_STARTED);
}

int main(int argc, char **argv)
{
  const char *output = NULL;
  char **settings = argv + 1;
  if (argc > 2 && strcmp(argv[1], "-o") == 0) {
    output = argv[2];
    settings += 2;
  }
  char **command = settings;
  while (*command != NULL && strcmp(*command, "--") != 0) {
    command++;
  }
  if (*command == NULL || command[1] == NULL) {
    bench_die(BENCH_EXIT_USAGE, "usage: measure [-o FILE] [NAME=VALUE ...] -- COMMAND ...");
  }
  uint64_t start = now_us();
  pid_t child = fork();
  if (child == 0) {
    become(settings, output, command + 1);
  }
  int status = 0;
  struct rusage used;
  if (child < 0 || wait4(child, &status, 0, &used) != child) {
    bench_die(BENCH_EXIT_FAILED, "fork or wait4: %s", strerror(errno));
  }
  uint64_t wall = now_us() - start;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  (void)printf("%d %llu %llu %llu %ld %ld %ld %ld\n", code,
               (unsigned long long)timeval_us(used.ru_utime),
               (unsigned long long)timeval_us(used.ru_stime), (unsigned long long)wall,
               used.ru_maxrss, used.ru_minflt, used.ru_majflt, used.ru_nvcsw + used.ru_nivcsw);
  return 0;
}
