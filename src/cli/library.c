/* library.c - from our own executable to the library beside it. */
#define _GNU_SOURCE
#include "cli/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* The directory of multiarch systems; other machines are served by lib and lib64. */
#if defined(__x86_64__)
#define MULTIARCH_LIB "../lib/x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH_LIB "../lib/aarch64-linux-gnu"
#elif defined(__riscv)
#define MULTIARCH_LIB "../lib/riscv64-linux-gnu"
#elif defined(__powerpc64__)
#define MULTIARCH_LIB "../lib/powerpc64le-linux-gnu"
#else
#define MULTIARCH_LIB "../lib/s390x-linux-gnu"
#endif

static const char *const places[] = {"../lib", MULTIARCH_LIB, "../lib64", "."};

bool tm__self_path(char path[PATH_MAX])
{
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
  if (length > 0) {
    path[length] = 0;
    return true;
  }
  const char *executed = (const char *)getauxval(AT_EXECFN); /* without /proc */
  return executed && realpath(executed, path);
}

int tm__library_find(const char *self, const char *name, char path[PATH_MAX],
                     tm__complaint *complaint)
{
  const char *slash = strrchr(self, '/');
  int directory = slash ? (int)(slash - self) : 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(places); i++) {
    char candidate[2 * PATH_MAX];
    (void)snprintf(candidate, sizeof candidate, "%.*s/%s/%s", directory, self, places[i], name);
    if (!realpath(candidate, path) || access(path, R_OK) != 0)
      continue;
    if (path[strcspn(path, ": \t\n")])
      return tm__complain(complaint, TM_EXIT_FAILED,
                          "LD_PRELOAD cannot name '%s', because it has a blank or a colon; install "
                          "tidemark in another directory",
                          path);
    return 0;
  }
  return tm__complain(
      complaint, TM_EXIT_FAILED,
      "%s is not in %.*s/../lib, where it belongs; install tidemark whole, or build "
      "it again",
      name, directory, self);
}

/* The loader takes blanks and colons between the names. */
static const char separators[] = ": \t\n";

bool tm__preload_value(const char *ours, const char *theirs, char *buffer, size_t capacity)
{
  size_t length = strlen(ours), used = length;
  if (used + 1 > capacity)
    return false;
  memcpy(buffer, ours, used + 1);
  const char *at = theirs ? theirs : "";
  for (;;) {
    at += strspn(at, separators);
    size_t one = strcspn(at, separators);
    if (one == 0)
      return true;
    bool same = one == length && memcmp(at, ours, one) == 0;
    if (!same) {
      if (used + 1 + one + 1 > capacity)
        return false;
      buffer[used++] = ':';
      memcpy(buffer + used, at, one);
      used += one;
      buffer[used] = 0;
    }
    at += one;
  }
}
