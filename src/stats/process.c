/* process.c - the process by the kernel's own files: no stdio and no opendir, which allocate. */
#define _GNU_SOURCE
#include "stats/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <tidemark/version.h>

#include "base/atomics.h"

/* ---- Reading the kernel's files ------------------------------------------------------------- */

size_t tm__file_read(const char *path, char *buffer, size_t capacity)
{
  int saved = errno;
  size_t length = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && length + 1 < capacity) {
    ssize_t n = read(fd, buffer + length, capacity - 1 - length);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    length += (size_t)n;
  }
  if (fd >= 0)
    (void)close(fd);
  if (capacity)
    buffer[length] = 0;
  errno = saved;
  return length;
}

bool tm__number_read(const char **text, uint64_t *value)
{
  const char *at = *text;
  while (*at == ' ' || *at == '\t')
    at++;
  if (*at < '0' || *at > '9')
    return false;
  uint64_t result = 0;
  for (; *at >= '0' && *at <= '9'; at++)
    result = result * 10 + (uint64_t)(*at - '0');
  *value = result;
  *text = at;
  return true;
}

/* The n-th number (from 0) of the text. */
static uint64_t number_at(const char *text, int n)
{
  uint64_t value = TM__UNKNOWN;
  for (int i = 0; i <= n; i++)
    if (!tm__number_read(&text, &value))
      return TM__UNKNOWN;
  return value;
}

/* ---- The numbers ---------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t id)
{
  struct timespec now;
  if (clock_gettime(id, &now))
    return TM__UNKNOWN;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t pages_to_bytes(uint64_t pages)
{
  return pages == TM__UNKNOWN ? pages : pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t limit_of(__rlimit_resource_t resource)
{
  struct rlimit limit;
  if (getrlimit(resource, &limit) || limit.rlim_cur == RLIM_INFINITY)
    return TM__UNKNOWN;
  return limit.rlim_cur;
}

/* Entries of /proc/self/fd without . and .. and the descriptor that counts. */
static uint64_t count_fds(void)
{
  struct entry { /* what getdents64 writes */
    uint64_t inode, offset;
    unsigned short length;
    unsigned char type;
    char name[];
  };
  _Alignas(struct entry) char buffer[2048];
  int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return TM__UNKNOWN;
  uint64_t count = 0;
  long n;
  while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
    for (long at = 0; at < n; count++)
      at += ((struct entry *)(void *)(buffer + at))->length;
  (void)close(fd);
  return n < 0 || count < 3 ? TM__UNKNOWN : count - 3;
}

/* Threads and the start in ticks after boot: fields 20 and 22 of stat, counted behind the name,
 * which may hold blanks and brackets itself. */
static void read_stat(uint64_t *threads, uint64_t *start_ticks)
{
  char text[1024];
  *threads = *start_ticks = TM__UNKNOWN;
  tm__file_read("/proc/self/stat", text, sizeof text);
  const char *at = strrchr(text, ')');
  for (int field = 2; at && field < 20; field++)
    at = strchr(at + 1, ' '); /* the blank before the next field */
  if (!at)
    return;
  *threads = number_at(at, 0);
  *start_ticks = number_at(at, 2);
}

/* Unix time of the start. Computed once: clocks that are set later must not move it. */
static uint64_t start_time_ns(uint64_t start_ticks)
{
  static _Atomic(uint64_t) known;
  uint64_t result = atomic_load(&known);
  if (result || start_ticks == TM__UNKNOWN)
    return result ? result : TM__UNKNOWN;
  uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK);
  uint64_t booted = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
  result = booted + start_ticks * (1000000000u / hertz);
  atomic_store(&known, result);
  return result;
}

void tm__process_read(tm__process *out)
{
  char text[256];
  uint64_t start_ticks;
  int saved = errno;
  tm__file_read("/proc/self/statm", text, sizeof text);
  out->virtual_bytes = pages_to_bytes(number_at(text, 0));
  out->resident_bytes = pages_to_bytes(number_at(text, 1));
  out->virtual_max_bytes = limit_of(RLIMIT_AS);
  out->max_fds = limit_of(RLIMIT_NOFILE);
  out->open_fds = count_fds();
  out->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  read_stat(&out->threads, &start_ticks);
  out->start_time_ns = start_time_ns(start_ticks);
  errno = saved;
}

void tm__process_json(tm__emit *e)
{
  tm__process process;
  bool first = true;
  tm__process_read(&process);
  tm__emit_char(e, '{');
  tm__emit_key(e, &first, "pid");
  tm__emit_u64(e, (uint64_t)getpid());
  tm__emit_key(e, &first, "version");
  tm__emit_json_string(e, tm_version());
#define EMIT_KNOWN(name, metric, type, help)                                                       \
  if (process.name != TM__UNKNOWN) {                                                               \
    tm__emit_key(e, &first, #name);                                                                \
    tm__emit_u64(e, process.name);                                                                 \
  }
  TM__PROCESS_FIELDS(EMIT_KNOWN)
#undef EMIT_KNOWN
  tm__emit_char(e, '}');
}
