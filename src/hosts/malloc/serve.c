/* serve.c - starting the monitor without the program noticing. */
#define _GNU_SOURCE
#include "hosts/malloc/serve.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"

typedef int (*start_fn)(int listen_fd);        /* tm_monitor_thread_start */
typedef size_t (*loop_size_fn)(void);          /* uv_loop_size */
typedef int (*loop_fn)(void *loop);            /* uv_loop_init, uv_loop_close */
typedef const char *(*strerror_fn)(int error); /* uv_strerror */

typedef struct job {
  start_fn start;
  int socket_fd, reports_fd;
  int result;
} job;

/* Opens the library `name` that stands beside the one that this function is in. */
static void *open_beside(const char *name)
{
  Dl_info self;
  char path[PATH_MAX];
  if (!dladdr((void *)(uintptr_t)tm__serve_start, &self) || !self.dli_fname)
    return NULL;
  const char *slash = strrchr(self.dli_fname, '/');
  int directory = slash ? (int)(slash - self.dli_fname + 1) : 0;
  if ((size_t)directory + strlen(name) >= sizeof path)
    return NULL;
  memcpy(path, self.dli_fname, (size_t)directory);
  memcpy(path + directory, name, strlen(name) + 1);
  return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* A function of the library or of what it needs. POSIX says that the conversion is good. */
static bool find(void *library, const char *name, void *function_pointer)
{
  void *address = dlsym(library, name);
  memcpy(function_pointer, &address, sizeof address);
  return address != NULL;
}

/* libuv has a pair of descriptors for the whole process, made with its first loop and made again in
 * a forked child. They must stand in the program's own table, since the program may use the same
 * libuv; so the first loop is made here and not by the thread. */
static void warm_libuv_up(void *library)
{
  static _Alignas(max_align_t) char loop[4096];
  loop_size_fn size;
  loop_fn init, end;
  if (find(library, "uv_loop_size", &size) && find(library, "uv_loop_init", &init) &&
      find(library, "uv_loop_close", &end) && size() <= sizeof loop && init(loop) == 0)
    (void)end(loop);
}

static int close_range_of(unsigned first, unsigned last, unsigned flags)
{
  return first > last ? 0 : (int)syscall(SYS_close_range, first, last, flags);
}

/* Leaves the table of descriptors that is shared with the program and keeps two of its files. A
 * kernel that cannot do it leaves the table shared, which only fails if the program closes all. */
static void take_own_table(int a, int b)
{
  unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
  if (a < 0)
    low = high;
  if (close_range_of(high + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) != 0)
    return;
  (void)close_range_of(low + 1, high - 1, 0);
  (void)close_range_of(3, low - 1, 0);
  for (int fd = 0; fd < 3; fd++) { /* a pipe that the program closes must end for its reader */
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0 && nothing != fd) {
      (void)dup3(nothing, fd, O_CLOEXEC);
      (void)close(nothing);
    }
  }
}

/* Threads share the table of the one that made them: so this one makes the monitor's, and ends. */
static void *start_in_own_table(void *context)
{
  job *j = context;
  take_own_table(j->reports_fd, j->socket_fd);
  j->result = j->start(j->socket_fd);
  return NULL;
}

void tm__serve_start(const tm__outlet *socket, const tm__outlet *reports)
{
  job j = {.socket_fd = socket->fd, .reports_fd = reports->fd};
  void *library = open_beside("libtidemark-monitor.so");
  if (!library || !find(library, "tm_monitor_thread_start", &j.start)) {
    const char *why = dlerror();
    tm__report("nothing is served: the monitor's library cannot be loaded: %s",
               why ? why : "its path is too long");
    return;
  }
  warm_libuv_up(library);
  pthread_t thread;
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, start_in_own_table, &j);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    tm__report("nothing is served: the system refused a thread");
    return;
  }
  (void)pthread_join(thread, NULL);
  strerror_fn explain;
  if (j.result != 0)
    tm__report("nothing is served: %s",
               find(library, "uv_strerror", &explain) ? explain(j.result) : "libuv failed");
}
