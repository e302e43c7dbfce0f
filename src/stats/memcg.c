/* memcg.c - see memcg.h. Both files may be long and hold anything: they are read by lines. */
#define _GNU_SOURCE
#include "stats/memcg.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "stats/process.h"

/* ---- Lines ---------------------------------------------------------------------------------- */

typedef struct lines {
  int fd;
  size_t at, length; /* of what is in text and was not given out yet */
  char text[4096];
} lines;

static bool open_lines(lines *l, const char *root, const char *name)
{
  char path[TM__MEMCG_PATH];
  size_t length = tm__format(path, sizeof path, "%s%s", root, name);
  l->at = l->length = 0;
  l->fd = length + 1 < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  return l->fd >= 0;
}

/* Moves what is left to the front and reads more behind it; false iff there is no more. */
static bool fill(lines *l)
{
  ssize_t n;
  memmove(l->text, l->text + l->at, l->length - l->at);
  l->length -= l->at;
  l->at = 0;
  do
    n = read(l->fd, l->text + l->length, sizeof l->text - l->length);
  while (n < 0 && errno == EINTR);
  if (n <= 0)
    return false;
  l->length += (size_t)n;
  return true;
}

/* The next line that fits, without its end; NULL iff there is none. What is longer than
 * the buffer cannot be one of ours (mount options can be): it is passed over. */
static char *next_line(lines *l)
{
  bool passing = false;
  for (;;) {
    char *line = l->text + l->at;
    char *end = memchr(line, '\n', l->length - l->at);
    if (end) {
      *end = 0;
      l->at = (size_t)(end - l->text) + 1;
      if (!passing)
        return line;
      passing = false;
      continue;
    }
    if (l->at == 0 && l->length == sizeof l->text) { /* full, and no end in sight */
      passing = true;
      l->at = l->length;
    }
    if (!fill(l))
      break;
  }
  char *rest = l->text + l->at; /* a last line without an end */
  if (passing || l->at == l->length || l->length == sizeof l->text)
    return NULL;
  l->text[l->length] = 0;
  l->at = l->length;
  return rest;
}

/* ---- Our group's name ----------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
  size_t length = strlen(word);
  for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
    if (strcspn(at, ",") == length && memcmp(at, word, length) == 0)
      return true;
  return false;
}

/* "ID:CONTROLLERS:NAME": version 2 has ID 0 and no controllers. */
static const char *name_in(char *line, int version)
{
  char *controllers = strchr(line, ':');
  char *name = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!name || name[1] != '/')
    return NULL;
  *controllers++ = 0;
  *name++ = 0;
  bool ours =
      version == 2 ? strcmp(line, "0") == 0 && !*controllers : has_word(controllers, "memory");
  return ours ? name : NULL;
}

static bool find_name(const char *root, int version, char *name)
{
  lines l;
  bool found = false;
  if (!open_lines(&l, root, "/proc/self/cgroup"))
    return false;
  for (char *line = next_line(&l); line && !found; line = next_line(&l)) {
    const char *at = name_in(line, version);
    size_t length = at ? strlen(at) : TM__MEMCG_PATH;
    found = length < TM__MEMCG_PATH;
    if (found)
      memcpy(name, at, length + 1);
  }
  (void)close(l.fd);
  return found;
}

/* ---- Mounts --------------------------------------------------------------------------------- */

/* Takes "/.." off the front as often as it stands there. */
static unsigned take_ups(const char **path)
{
  unsigned ups = 0;
  while (strncmp(*path, "/..", 3) == 0 && ((*path)[3] == '/' || !(*path)[3])) {
    *path += 3;
    ups++;
  }
  return ups;
}

/* The way from a mount's root down to our group: "", "/a/b"; NULL iff we are not below it. */
static const char *way_down(const char *mount_root, const char *name)
{
  unsigned root_ups = take_ups(&mount_root), our_ups = take_ups(&name);
  if (strcmp(mount_root, "/") == 0)
    mount_root = "";
  if (root_ups > our_ups) /* above us by names that we cannot know */
    return *mount_root ? NULL : "";
  size_t length = strlen(mount_root);
  if (root_ups < our_ups || strncmp(mount_root, name, length) != 0)
    return NULL;
  name += length;
  if ((*name && *name != '/') || strstr(name, "/../"))
    return NULL;
  return strcmp(name, "/") == 0 ? "" : name;
}

/* The next field of a line, ended with NUL; *at moves behind it. */
static char *next_field(char **at)
{
  char *field = *at, *end = field + strcspn(field, " ");
  *at = *end ? end + 1 : end;
  *end = 0;
  return field;
}

static bool is_octal(const char *digits)
{
  for (int i = 0; i < 3; i++)
    if (digits[i] < '0' || digits[i] > '7')
      return false;
  return true;
}

/* mountinfo writes blanks and backslashes as \040 and \134. */
static void unescape(char *path)
{
  char *to = path;
  for (const char *from = path; *from; to++) {
    if (*from == '\\' && is_octal(from + 1)) {
      *to = (char)(((from[1] - '0') << 6) | ((from[2] - '0') << 3) | (from[3] - '0'));
      from += 4;
    } else {
      *to = *from++;
    }
  }
  *to = 0;
}

/* "36 35 0:30 ROOT POINT OPTIONS [more]... - TYPE SOURCE SUPER_OPTIONS" */
static bool read_mount(char *line, int version, char **mount_root, char **point)
{
  char *at = line;
  for (int i = 0; i < 3; i++)
    (void)next_field(&at);
  *mount_root = next_field(&at);
  *point = next_field(&at);
  char *mark = strstr(at, " - ");
  if (!mark || **mount_root != '/' || **point != '/')
    return false;
  at = mark + 3;
  const char *type = next_field(&at);
  (void)next_field(&at);
  if (strcmp(type, version == 2 ? "cgroup2" : "cgroup") != 0)
    return false;
  unescape(*mount_root);
  unescape(*point);
  return version == 2 || has_word(next_field(&at), "memory");
}

/* Our group by one mount; its folder may be gone, then it is the nearest one that is there. */
static bool place(const char *root, const char *point, const char *way, tm__memcg *out)
{
  if (strlen(root) + strlen(point) + strlen(way) + 1 >= sizeof out->folder)
    return false;
  out->top = tm__format(out->folder, sizeof out->folder, "%s%s", root, point);
  (void)tm__format(out->folder + out->top, sizeof out->folder - out->top, "%s", way);
  while (access(out->folder, F_OK) != 0)
    if (!tm__memcg_up(out))
      return false;
  return true;
}

bool tm__memcg_find(const char *root, int version, tm__memcg *out)
{
  char name[TM__MEMCG_PATH];
  tm__memcg seen = {.version = version};
  int saved = errno;
  bool found = false;
  size_t best = 0;
  lines l;
  if (!find_name(root, version, name) || !open_lines(&l, root, "/proc/self/mountinfo")) {
    errno = saved;
    return false;
  }
  for (char *line = next_line(&l); line; line = next_line(&l)) {
    char *mount_root, *point;
    if (!read_mount(line, version, &mount_root, &point))
      continue;
    const char *way = way_down(mount_root, name);
    /* the one that shows most ancestors; of equals the later one, which lies on top */
    if (!way || (found && strlen(way) < best) || !place(root, point, way, &seen))
      continue;
    *out = seen;
    best = strlen(way);
    found = true;
  }
  (void)close(l.fd);
  errno = saved;
  return found;
}

bool tm__memcg_up(tm__memcg *group)
{
  char *slash = strrchr(group->folder, '/');
  if (!slash || (size_t)(slash - group->folder) < group->top)
    return false;
  *slash = 0;
  return true;
}

/* ---- Its files ------------------------------------------------------------------------------ */

bool tm__memcg_file(const tm__memcg *group, const char *name, char *path, size_t capacity)
{
  if (strlen(group->folder) + strlen(name) + 2 > capacity)
    return false;
  (void)tm__format(path, capacity, "%s/%s", group->folder, name);
  return true;
}

size_t tm__memcg_read(const tm__memcg *group, const char *name, char *buffer, size_t capacity)
{
  char path[TM__MEMCG_PATH + 64];
  buffer[0] = 0;
  if (!tm__memcg_file(group, name, path, sizeof path))
    return 0;
  return tm__file_read(path, buffer, capacity);
}

/* Digits up to the end of a line, below 2^62; else UINT64_MAX. */
static uint64_t whole_number(const char *at)
{
  uint64_t value = 0;
  if (*at < '0' || *at > '9')
    return UINT64_MAX;
  for (; *at >= '0' && *at <= '9'; at++) {
    value = value * 10 + (uint64_t)(*at - '0');
    if (value >= UINT64_C(1) << 62)
      return UINT64_MAX;
  }
  return *at == '\n' || !*at ? value : UINT64_MAX;
}

uint64_t tm__memcg_number(const tm__memcg *group, const char *name)
{
  char text[64];
  size_t length = tm__memcg_read(group, name, text, sizeof text);
  /* one line: what fills the buffer, or has a NUL in it, is no number of the kernel's */
  if (length + 1 >= sizeof text || strlen(text) != length)
    return UINT64_MAX;
  return whole_number(text);
}

uint64_t tm__memcg_value(const char *text, const char *key)
{
  size_t length = strlen(key);
  for (const char *line = text; line && *line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, key, length) == 0 && line[length] == ' ')
      return whole_number(line + length + 1);
  }
  return UINT64_MAX;
}
