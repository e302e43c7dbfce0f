/* child.h - forked children that do one thing, say so, and wait to be ended. */
#ifndef TM_TESTS_SUPPORT_CHILD_H
#define TM_TESTS_SUPPORT_CHILD_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"

typedef struct test_child {
  pid_t pid;
  int said, told; /* pipes: from it, to it */
} test_child;

/* In the child: one word to the test. */
static inline void child_say(int fd, uint64_t word)
{
  must(write(fd, &word, sizeof word) == sizeof word);
}
/* The next word; fails where the other side is gone. */
static inline uint64_t child_hear(int fd)
{
  uint64_t word;
  must(read(fd, &word, sizeof word) == sizeof word);
  return word;
}

/* Forks; the child runs body(ctx, in, out) and ends. It is killed after a minute. */
static inline test_child child_start(void (*body)(void *ctx, int in, int out), void *ctx)
{
  int from[2], to[2];
  must(pipe(from) == 0);
  must(pipe(to) == 0);
  test_child child = {.pid = fork()};
  must(child.pid >= 0);
  if (child.pid == 0) {
    (void)alarm(60);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when it is stopped and the test has failed */
    (void)close(from[0]);
    (void)close(to[1]);
    body(ctx, to[0], from[1]);
    _exit(0);
  }
  (void)close(from[1]);
  (void)close(to[0]);
  child.said = from[0];
  child.told = to[1];
  return child;
}

/* Ends it by a signal and waits for it. */
static inline void child_kill(test_child *child)
{
  must(kill(child->pid, SIGKILL) == 0);
  must(waitpid(child->pid, NULL, 0) == child->pid);
  (void)close(child->said);
  (void)close(child->told);
}

/* Waits for its own end, which must be a good one. */
static inline void child_end(test_child *child)
{
  int status;
  must(waitpid(child->pid, &status, 0) == child->pid);
  must_equal(status, 0);
  (void)close(child->said);
  (void)close(child->told);
}

#endif
