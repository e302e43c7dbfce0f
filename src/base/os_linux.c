/* os_linux.c - the contract of os.h on Linux. */
#define _GNU_SOURCE
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomics.h"

/* ---- Faults on purpose ---------------------------------------------------------------------- */

static _Atomic(unsigned) fault_countdown;
static _Atomic(bool) fault_sticky;
static _Atomic(unsigned long) os_calls;

void tm__os_fault(unsigned nth, bool sticky)
{
  atomic_store(&fault_sticky, sticky);
  atomic_store(&fault_countdown, nth);
}

unsigned long tm__os_calls(void)
{
  return atomic_load(&os_calls);
}

/* true iff this call must fail. */
static bool fault_now(void)
{
  atomic_fetch_add_explicit(&os_calls, 1, memory_order_relaxed);
  unsigned left = atomic_load_explicit(&fault_countdown, memory_order_relaxed);
  if (tm_likely(left == 0))
    return false;
  if (left > 1) {
    atomic_store(&fault_countdown, left - 1);
    return false;
  }
  if (!atomic_load(&fault_sticky))
    atomic_store(&fault_countdown, 0);
  return true;
}

/* ---- Memory --------------------------------------------------------------------------------- */

/* Every call keeps errno: malloc's caller only sees the ENOMEM that we set on purpose. */
void *tm__os_reserve(size_t bytes, size_t alignment)
{
  int saved = errno;
  if (fault_now() || bytes + alignment < bytes)
    return NULL;
  /* Without access it costs nothing, so there is no need for MAP_NORESERVE; and what is committed
   * later is then weighed as any malloc is: more than the machine has gets refused, not killed. */
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *p = mmap(NULL, bytes + alignment, PROT_NONE, flags, -1, 0);
  errno = saved;
  if (p == MAP_FAILED)
    return NULL;
  size_t head = (alignment - ((uintptr_t)p & (alignment - 1))) & (alignment - 1);
  if (head)
    (void)munmap(p, head);
  if (alignment - head)
    (void)munmap(p + head + bytes, alignment - head);
  return p + head;
}

int tm__os_unreserve(void *p, size_t bytes)
{
  int saved = errno, result = munmap(p, bytes) ? -errno : 0;
  errno = saved;
  return result;
}

int tm__os_commit(void *p, size_t bytes)
{
  if (fault_now())
    return -ENOMEM;
  int saved = errno, result = mprotect(p, bytes, PROT_READ | PROT_WRITE) ? -errno : 0;
  errno = saved;
  return result;
}

int tm__os_readable(void *p, size_t bytes)
{
  int saved = errno, result = mprotect(p, bytes, PROT_READ) ? -errno : 0;
  errno = saved;
  return result;
}

void tm__os_huge(void *p, size_t bytes, bool wanted)
{
  int saved = errno;
  (void)madvise(p, bytes, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  errno = saved;
}

void tm__os_populate(void *p, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE /* Linux 5.14; an older one says EINVAL, and pages come one by one */
  int saved = errno;
  (void)madvise(p, bytes, MADV_POPULATE_WRITE);
  errno = saved;
#else
  (void)p, (void)bytes;
#endif
}

int tm__os_purge(void *p, size_t bytes)
{
  if (fault_now())
    return -EINVAL;
  int saved = errno, result = madvise(p, bytes, MADV_DONTNEED) ? -errno : 0;
  errno = saved;
  return result;
}

int tm__os_move(void *from, void *to, size_t bytes)
{
  if (fault_now())
    return -ENOMEM;
  int saved = errno, result = 0;
  int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
  if (mremap(from, bytes, bytes, flags, to) == MAP_FAILED)
    result = -errno;
  errno = saved;
  return result;
}

size_t tm__os_resident(const void *p, size_t bytes)
{
  unsigned char map[1024];
  int saved = errno;
  size_t resident = 0;
  const char *at = p, *end = at + bytes;
  while (at < end) {
    size_t step = (size_t)(end - at);
    if (step > sizeof map * TM_OS_PAGE)
      step = sizeof map * TM_OS_PAGE;
    if (mincore((void *)(uintptr_t)at, step, map) == 0)
      for (size_t i = 0; i < step / TM_OS_PAGE; i++)
        resident += (map[i] & 1u) ? TM_OS_PAGE : 0;
    at += step;
  }
  errno = saved;
  return resident;
}

void *tm__os_map(size_t bytes)
{
  if (fault_now())
    return NULL;
  int saved = errno;
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errno = saved;
  return p == MAP_FAILED ? NULL : p;
}

/* ---- Time, barrier, environment ------------------------------------------------------------- */

static _Atomic(tm__clock_fn) clock_fn;
static void *_Atomic clock_ctx;

void tm__os_clock_set(tm__clock_fn fn, void *ctx)
{
  atomic_store(&clock_ctx, ctx);
  atomic_store(&clock_fn, fn);
}

uint64_t tm__os_now_ns(void)
{
  tm__clock_fn fn = atomic_load_explicit(&clock_fn, memory_order_acquire);
  if (fn)
    return fn(atomic_load(&clock_ctx));
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void tm__os_pause(uint64_t ns)
{
  int saved = errno;
  struct timespec moment = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  (void)nanosleep(&moment, NULL);
  errno = saved;
}

bool tm__os_barrier_all(void)
{
  static _Atomic(int) registered; /* 0 not yet, 1 yes, -1 the kernel has none */
  int saved = errno, state = atomic_load(&registered);
  if (state == 0) {
    long r = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    state = r == 0 ? 1 : -1;
    atomic_store(&registered, state);
  }
  bool done = state == 1 && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
  errno = saved;
  return done;
}

/* The C library's fstat asks with an empty name as well, but with one of its own constants: the
 * kernel's look at it makes 64 KiB of them resident that a small program has no other use for. */
int tm__os_fstat(int fd, struct stat *st)
{
  return fstatat(fd, "", st, AT_EMPTY_PATH);
}

const char *tm__os_env(const char *name)
{
  size_t length = strlen(name);
  for (char **e = environ; e && *e; e++)
    if (strncmp(*e, name, length) == 0 && (*e)[length] == '=')
      return *e + length + 1;
  return NULL;
}
