/* cgroup.c - walking from our group up to the root: a limit of any ancestor is a limit of ours. */
#define _GNU_SOURCE
#include "monitor/cgroup.h"

#include <string.h>

#include "stats/emit.h"
#include "stats/process.h"

enum { PATH_BYTES = 1024 };

/* Names of the files in either version. */
typedef struct layout {
  const char *limit, *high, *current, *events;
} layout;

static const layout version2 = {"memory.max", "memory.high", "memory.current", "memory.events"};
static const layout version1 = {"memory.limit_in_bytes", "", "memory.usage_in_bytes", ""};

/* ---- Files ---------------------------------------------------------------------------------- */

static size_t read_in(const char *folder, const char *name, char *buffer, size_t capacity)
{
  char path[PATH_BYTES];
  tm__emit e;
  tm__emit_init(&e, path, sizeof path);
  tm__emit_text(&e, folder);
  tm__emit_char(&e, '/');
  tm__emit_text(&e, name);
  if (!*name || tm__emit_end(&e) >= sizeof path)
    return 0;
  return tm__file_read(path, buffer, capacity);
}

/* The number in a file; "max" and what version 1 writes for no limit are UNKNOWN. */
static uint64_t read_bytes(const char *folder, const char *name)
{
  char text[64];
  const char *at = text;
  uint64_t value;
  if (!read_in(folder, name, text, sizeof text) || !tm__number_read(&at, &value))
    return TM__CGROUP_UNKNOWN;
  return value >= UINT64_C(1) << 62 ? TM__CGROUP_UNKNOWN : value;
}

static void read_events(const char *folder, const layout *files, tm__cgroup *out)
{
  char text[512];
  if (!read_in(folder, files->events, text, sizeof text))
    return;
  for (const char *line = text; line && *line; line = strchr(line, '\n')) {
    line += *line == '\n';
#define READ_EVENT(name)                                                                           \
  if (strncmp(line, #name " ", sizeof #name) == 0) {                                               \
    const char *number = line + sizeof #name;                                                      \
    (void)tm__number_read(&number, &out->name);                                                    \
  }
    TM__CGROUP_EVENTS(READ_EVENT)
#undef READ_EVENT
  }
}

/* ---- Our group ------------------------------------------------------------------------------ */

/* The path behind `mark` ("0::" or ":memory:") in a line of self; its length, 0 iff it is "/" or
 * there is none. */
static size_t group_path(const char *self, const char *mark, char *path, size_t capacity)
{
  for (const char *line = self; line && *line; line = strchr(line, '\n')) {
    line += *line == '\n';
    const char *end = strchr(line, '\n');
    const char *at = strstr(line, mark);
    if (!at || (end && at > end))
      continue;
    at += strlen(mark);
    size_t length = end ? (size_t)(end - at) : strlen(at);
    if (length == 0 || length >= capacity || *at != '/')
      continue;
    memcpy(path, at, length);
    path[length] = 0;
    return length == 1 ? 0 : length; /* "/" adds nothing to the mount */
  }
  path[0] = 0;
  return 0;
}

/* Takes in one group; `folder` is ours first, then each ancestor. */
static void take_in(const char *folder, const layout *files, tm__cgroup *out)
{
  uint64_t limit = read_bytes(folder, files->limit);
  uint64_t high = read_bytes(folder, files->high);
  if (high < out->high_bytes)
    out->high_bytes = high;
  if (limit < out->limit_bytes || out->current_bytes == TM__CGROUP_UNKNOWN)
    out->current_bytes = read_bytes(folder, files->current);
  if (limit < out->limit_bytes)
    out->limit_bytes = limit;
}

static void walk(const char *root, const char *path, const layout *files, tm__cgroup *out)
{
  char folder[PATH_BYTES];
  size_t root_length = strlen(root), length = strlen(path);
  if (root_length + length >= sizeof folder)
    return;
  memcpy(folder, root, root_length);
  memcpy(folder + root_length, path, length + 1);
  read_events(folder, files, out);
  for (;;) {
    take_in(folder, files, out);
    char *slash = strrchr(folder, '/');
    if (!slash || slash < folder + root_length)
      break;
    *slash = 0;
  }
}

void tm__cgroup_read(const char *self, const char *mount, tm__cgroup *out)
{
  char text[4096], path[PATH_BYTES / 2], root[PATH_BYTES / 4];
  memset(out, 0xFF, sizeof *out); /* every member UNKNOWN */
  tm__file_read(self, text, sizeof text);
  (void)group_path(text, "0::", path, sizeof path);
  walk(mount, path, &version2, out);
  if (out->current_bytes != TM__CGROUP_UNKNOWN)
    return;
  tm__emit e;
  tm__emit_init(&e, root, sizeof root);
  tm__emit_text(&e, mount);
  tm__emit_text(&e, "/memory");
  if (tm__emit_end(&e) >= sizeof root)
    return;
  (void)group_path(text, ":memory:", path, sizeof path);
  walk(root, path, &version1, out);
}
