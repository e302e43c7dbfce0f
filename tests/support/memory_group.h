/*
 * memory_group.h - a control group of memory (version 1) of the test's own, where the machine
 * permits it: for root, with the controller mounted. It is removed at the end.
 */
#ifndef TM_TESTS_SUPPORT_MEMORY_GROUP_H
#define TM_TESTS_SUPPORT_MEMORY_GROUP_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stats/memcg.h"
#include "support/check.h"

static char memory_group[TM__MEMCG_PATH + 64];

static inline bool memory_group_write(const char *folder, const char *name, const char *text)
{
  char path[2 * TM__MEMCG_PATH];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (fd >= 0)
    (void)close(fd);
  return written;
}

/* Moves this process into a group. */
static inline bool memory_group_enter(const char *folder)
{
  char pid[24];
  (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
  return memory_group_write(folder, "cgroup.procs", pid);
}

static inline void memory_group_remove(void)
{
  struct timespec moment = {0, 10000000};
  for (int i = 0; i < 500 && *memory_group && rmdir(memory_group) != 0 && errno == EBUSY; i++)
    (void)nanosleep(&moment, NULL); /* a process that ended leaves a little later */
  *memory_group = 0;
}

/* Makes it with a limit; false after a line that says why not. */
static inline bool memory_group_make(const char *limit_bytes)
{
  tm__memcg own;
  if (!tm__memcg_find("", 1, &own)) {
    printf("SKIP: the memory controller of version 1 is not mounted\n");
    return false;
  }
  (void)snprintf(memory_group, sizeof memory_group, "%.*s/tidemark-test-%d", (int)own.top,
                 own.folder, (int)getpid());
  if (mkdir(memory_group, 0700) != 0) {
    printf("SKIP: no group can be made: %s\n", strerror(errno));
    *memory_group = 0;
    return false;
  }
  if (memory_group_write(memory_group, "memory.limit_in_bytes", limit_bytes))
    return true;
  printf("SKIP: the group takes no limit\n");
  memory_group_remove();
  return false;
}

/* Runs body(ctx) in a child inside the group; its status. */
static inline int memory_group_run(void (*body)(void *ctx), void *ctx)
{
  int status = -1;
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    must(memory_group_enter(memory_group));
    body(ctx);
    _exit(0);
  }
  must(child > 0 && waitpid(child, &status, 0) == child);
  return status;
}

/* Fills the page cache of the group without a disk: a file that is one large hole. One pass. */
static inline void memory_group_press(int hole)
{
  static char page[1 << 16];
  for (off_t at = 0; at < (off_t)256 << 20; at += (off_t)sizeof page)
    (void)!pread(hole, page, sizeof page, at);
}

static inline int memory_group_hole(void)
{
  char name[] = "hole-XXXXXX";
  int fd = mkstemp(name);
  must(fd >= 0 && unlink(name) == 0 && ftruncate(fd, (off_t)256 << 20) == 0);
  return fd;
}

#endif
