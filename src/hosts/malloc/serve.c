/* serve.c - the monitor's library stands beside ours; the program never sees it. */
#define _GNU_SOURCE
#include "hosts/malloc/serve.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>

#include "base/assert.h"

typedef int (*start_fn)(int listen_fd, int kept_fd); /* tm_monitor_apart_start */
typedef const char *(*explain_fn)(int error);        /* uv_strerror */

/* Opens the library `name` that stands beside the one that this function is in. */
static void *open_beside(const char *name)
{
  Dl_info self;
  char path[PATH_MAX];
  if (!dladdr((void *)(uintptr_t)tm__serve_start, &self) || !self.dli_fname)
    return NULL;
  const char *slash = strrchr(self.dli_fname, '/');
  size_t directory = slash ? (size_t)(slash - self.dli_fname) + 1 : 0;
  if (directory + strlen(name) >= sizeof path)
    return NULL;
  memcpy(path, self.dli_fname, directory);
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

void tm__serve_start(const tm__outlet *socket, const tm__outlet *reports)
{
  start_fn start;
  explain_fn explain;
  void *library = open_beside("libtidemark-monitor.so");
  if (!library || !find(library, "tm_monitor_apart_start", &start)) {
    const char *why = dlerror();
    tm__report("nothing is served: the monitor cannot be loaded: %s",
               why ? why : "its path is too long");
    return;
  }
  int error = start(socket->fd, reports->fd);
  if (error)
    tm__report("nothing is served: %s",
               find(library, "uv_strerror", &explain) ? explain(error) : "libuv failed");
}
