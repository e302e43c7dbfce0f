/* serve.c - from --serve's value to a descriptor; reading and binding are the monitor's. */
#define _GNU_SOURCE
#include "cli/serve.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <tidemark/monitor.h>
#include <unistd.h>
#include <uv.h>

enum { HIGH = 500 };

static bool starts_with(const char *text, const char *start)
{
  return strncmp(text, start, strlen(start)) == 0;
}

static bool is_port(const char *text)
{
  return *text && text[strspn(text, "0123456789")] == 0;
}

static bool is_local(const char *address)
{
  static const char *const starts[] = {"127.", "localhost:", "[::1]:", "unix:"};
  for (size_t i = 0; i < TM_ARRAY_LEN(starts); i++)
    if (starts_with(address, starts[i]))
      return true;
  return false;
}

static int complain(int error, const char *address, const char *why, tm__complaint *complaint)
{
  switch (error) {
  case UV_EINVAL:
    return tm__complain(complaint, TM_EXIT_USAGE, "--serve: %s", why);
  case UV_EADDRINUSE:
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "--serve: %s is in use already; choose another address, or port 0 for a "
                        "free one",
                        address);
  case UV_EACCES:
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "--serve: you may not listen on %s; choose a port above 1023 or a "
                        "directory that you may write to",
                        address);
  default:
    return tm__complain(complaint, TM_EXIT_FAILED, "--serve: cannot listen on %s", why);
  }
}

/* Programs and shells choose low descriptors by number. The copy is inherited. */
static int move_high(int fd)
{
  struct rlimit limit;
  int least = HIGH;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= HIGH)
    least = (int)limit.rlim_cur / 2;
  int high = fcntl(fd, F_DUPFD, least);
  (void)close(fd);
  return high;
}

int tm__serve_open(const char *text, int *fd, tm__complaint *complaint)
{
  char address[160], why[256];
  const char *host = *text == ':' ? "127.0.0.1" : is_port(text) ? "127.0.0.1:" : "";
  if (snprintf(address, sizeof address, "%s%s", host, text) >= (int)sizeof address)
    return tm__complain(complaint, TM_EXIT_USAGE, "--serve: the address is too long");
  if (!is_local(address))
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "--serve: '%s' is not on this machine's loopback; the pages have no "
                        "password, so write :9100, 127.0.0.1:9100, [::1]:9100 or unix:/path and "
                        "put a proxy or an SSH tunnel in front",
                        text);
  int listener = tm_monitor_listen(address, why, sizeof why);
  if (listener < 0)
    return complain(listener, address, why, complaint);
  *fd = move_high(listener);
  if (*fd < 0)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "--serve: there is no descriptor left; raise 'ulimit -n'");
  return 0;
}
