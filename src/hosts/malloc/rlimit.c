/*
 * rlimit.c - a limit on address space that the program sets for itself.
 *
 * The heap's range is reserved at the start, far above any such limit: no thread would get a stack
 * any more, and no request of ours would be refused, since the range is there already. So the range
 * is cut to what the limit leaves room for. A limit that another process sets is not seen.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tidemark/version.h>

#include "heap/arena.h"

static int set_limit(pid_t pid, int kind, const struct rlimit *new, struct rlimit *old)
{
  int result = (int)syscall(SYS_prlimit64, pid, kind, new, old);
  bool self = pid == 0 || pid == getpid();
  if (result == 0 && new &&kind == RLIMIT_AS && self &&new->rlim_cur != RLIM_INFINITY)
    tm__arena_fit(new->rlim_cur);
  return result;
}

TM_API int setrlimit(__rlimit_resource_t kind, const struct rlimit *limit)
{
  return set_limit(0, (int)kind, limit, NULL);
}

TM_API int prlimit(pid_t pid, enum __rlimit_resource kind, const struct rlimit *new,
                   struct rlimit *old)
{
  return set_limit(pid, (int)kind, new, old);
}

/* The names that programs built for large files use: the same structs on this machine. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one layout");

TM_API int setrlimit64(__rlimit_resource_t kind, const struct rlimit64 *limit)
{
  return set_limit(0, (int)kind, (const struct rlimit *)limit, NULL);
}

TM_API int prlimit64(pid_t pid, enum __rlimit_resource kind, const struct rlimit64 *new,
                     struct rlimit64 *old)
{
  return set_limit(pid, (int)kind, (const struct rlimit *)new, (struct rlimit *)old);
}
