/* alive.c - see alive.h. */
#define _GNU_SOURCE
#include "stats/alive.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "stats/process.h"

bool tm__stat_parse(const char *text, char *state, uint64_t *start_ticks)
{
  const char *at = strrchr(text, ')'); /* the last one: what follows are letters and numbers */
  if (!at || at[1] != ' ' || !at[2])
    return false;
  *state = at[2];
  at += 3;
  for (int field = 4; field < 22; field++) { /* some are negative */
    at += strspn(at, " ");
    at += strcspn(at, " ");
  }
  return tm__number_read(&at, start_ticks);
}

/* What /proc says of a process; false iff nothing. */
static bool read_stat(uint32_t pid, char *state, uint64_t *start_ticks)
{
  char path[32], text[1024];
  (void)tm__format(path, sizeof path, "/proc/%u/stat", pid);
  return tm__file_read(path, text, sizeof text) && tm__stat_parse(text, state, start_ticks);
}

static tm__process_id id_of(uint32_t pid, uint64_t start_ticks)
{
  return start_ticks << TM__PID_BITS | pid;
}

tm__process_id tm__process_self(void)
{
  char state;
  uint32_t pid = (uint32_t)getpid();
  uint64_t start = 0;
  return read_stat(pid, &state, &start) ? id_of(pid, start) : id_of(pid, 0);
}

bool tm__process_alive(tm__process_id id)
{
  char state;
  uint32_t pid = tm__process_pid(id);
  uint64_t start = 0;
  if (!pid)
    return false;
  int saved = errno;
  bool exists = kill((pid_t)pid, 0) == 0 || errno == EPERM;
  errno = saved;
  if (!exists || !read_stat(pid, &state, &start))
    return exists; /* no /proc, or no descriptor left to read it by: nobody is buried alive */
  bool gone = state == 'Z' || state == 'X' || state == 'x';
  bool same = !(id >> TM__PID_BITS) || id == id_of(pid, start);
  return same && !gone;
}

uint64_t tm__pid_namespace(void)
{
  struct stat st;
  int saved = errno;
  uint64_t inode = stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
  errno = saved;
  return inode;
}
