/*
 * crime.h - runs a misuse in a child process and shows what it said on stderr and how it ended.
 * Every check names the case, so that a red line tells the crime.
 */
#ifndef TM_TESTS_MISUSE_CRIME_H
#define TM_TESTS_MISUSE_CRIME_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef void (*crime_fn)(const void *arg);

typedef struct crime_scene {
  char text[8192]; /* what was written to stderr */
  int status;      /* as waitpid gives it */
} crime_scene;

static inline void crime_child(crime_fn fn, const void *arg, int report_fd)
{
  struct rlimit no_core = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &no_core);
  (void)signal(SIGABRT, SIG_DFL);
  if (dup2(report_fd, STDERR_FILENO) < 0)
    _exit(99);
  (void)alarm(20); /* a hang is an answer too */
  fn(arg);
  _exit(0);
}

static inline void crime_commit(crime_fn fn, const void *arg, crime_scene *out)
{
  int ends[2];
  size_t length = 0;
  ssize_t n;
  (void)fflush(NULL);
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)close(ends[0]);
    crime_child(fn, arg, ends[1]);
  }
  (void)close(ends[1]);
  while ((n = read(ends[0], out->text + length, sizeof out->text - 1 - length)) > 0)
    length += (size_t)n;
  out->text[length] = 0;
  (void)close(ends[0]);
  assert_int_equal(waitpid(child, &out->status, 0), child);
}

static inline void crime_complain(const char *name, const char *want, const crime_scene *scene)
{
  print_error("case %s\n  wanted: %s\n  status: %#x\n  stderr: %s\n", name, want,
              (unsigned)scene->status, scene->text);
}

/* The child was killed by SIGABRT and the report starts with `start` and names an address. */
static inline void crime_expect_abort(const char *name, crime_fn fn, const void *arg,
                                      const char *start)
{
  crime_scene scene;
  crime_commit(fn, arg, &scene);
  const char *rest = scene.text + strlen(start);
  int ok = WIFSIGNALED(scene.status) && WTERMSIG(scene.status) == SIGABRT &&
           strncmp(scene.text, start, strlen(start)) == 0 && strstr(rest, "0x") != NULL;
  if (!ok)
    crime_complain(name, start, &scene);
  assert_true(ok);
}

/* The child went on to its end. Its report, if `start` is not NULL, starts so; else it is empty. */
static inline void crime_expect_exit(const char *name, crime_fn fn, const void *arg,
                                     const char *start)
{
  crime_scene scene;
  crime_commit(fn, arg, &scene);
  int said = start ? strncmp(scene.text, start, strlen(start)) == 0 : scene.text[0] == 0;
  int ok = said && WIFEXITED(scene.status) && WEXITSTATUS(scene.status) == 0;
  if (!ok)
    crime_complain(name, start ? start : "(silence)", &scene);
  assert_true(ok);
}

/* Keeps the compiler from seeing through a pointer that is about to be misused. */
static inline void *crime_launder(void *p)
{
  void *volatile hidden = p;
  return hidden;
}

#endif
