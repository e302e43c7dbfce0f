/* sockets.c - /proc/PID/task/TID/fd has the inodes, /proc/PID/net their addresses. */
#define _GNU_SOURCE
#include "view/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INODES_MAX = 65536, LISTEN = 0x0A, ACCEPTS = 0x10000 };

typedef struct inodes {
  size_t count;
  unsigned long *list; /* INODES_MAX of them */
} inodes;

/* ---- Threads and their descriptors ---------------------------------------------------------- */

static bool is_monitor_thread(const char *proc, long pid, const char *thread)
{
  char path[300], name[32] = "";
  (void)snprintf(path, sizeof path, "%s/%ld/task/%s/comm", proc, pid, thread);
  FILE *file = fopen(path, "re");
  bool named = file && fgets(name, sizeof name, file) && strcmp(name, "tidemark\n") == 0;
  if (file)
    (void)fclose(file);
  return named;
}

static void add_descriptors(const char *folder, inodes *found, bool *denied)
{
  DIR *directory = opendir(folder);
  if (!directory && errno == EACCES)
    *denied = true;
  for (struct dirent *one; directory && (one = readdir(directory)) && found->count < INODES_MAX;) {
    char target[64];
    ssize_t n = readlinkat(dirfd(directory), one->d_name, target, sizeof target - 1);
    if (n <= 0)
      continue;
    target[n] = 0;
    if (strncmp(target, "socket:[", 8) == 0)
      found->list[found->count++] = strtoul(target + 8, NULL, 10);
  }
  if (directory)
    (void)closedir(directory);
}

/* Of the threads that are the monitor's, or of all others. */
static bool add_threads(const char *proc, long pid, bool monitors, inodes *found, bool *denied)
{
  char path[300];
  (void)snprintf(path, sizeof path, "%s/%ld/task", proc, pid);
  DIR *directory = opendir(path);
  if (!directory)
    return false;
  for (struct dirent *one; (one = readdir(directory));) {
    if (*one->d_name == '.' || is_monitor_thread(proc, pid, one->d_name) != monitors)
      continue;
    (void)snprintf(path, sizeof path, "%s/%ld/task/%.20s/fd", proc, pid, one->d_name);
    add_descriptors(path, found, denied);
  }
  (void)closedir(directory);
  return true;
}

bool tm__has_monitor_thread(const char *proc, long pid)
{
  char path[300];
  bool has = false;
  (void)snprintf(path, sizeof path, "%s/%ld/task", proc, pid);
  DIR *directory = opendir(path);
  for (struct dirent *one; directory && !has && (one = readdir(directory));)
    has = *one->d_name != '.' && is_monitor_thread(proc, pid, one->d_name);
  if (directory)
    (void)closedir(directory);
  return has;
}

/* ---- Addresses ------------------------------------------------------------------------------ */

/* "0100007F:24F8", in the machine's order of bytes, four at a time. */
static bool take_address(const char *text, tm__place *place)
{
  struct in6_addr raw = {0};
  char host[INET6_ADDRSTRLEN];
  size_t digits = strspn(text, "0123456789abcdefABCDEF");
  if ((digits != 8 && digits != 32) || text[digits] != ':')
    return false;
  for (size_t i = 0; i < digits / 8; i++) {
    char word[9] = {0};
    memcpy(word, text + 8 * i, 8);
    uint32_t bytes = (uint32_t)strtoul(word, NULL, 16);
    memcpy((char *)&raw + 4 * i, &bytes, sizeof bytes);
  }
  if (!inet_ntop(digits == 8 ? AF_INET : AF_INET6, &raw, host, sizeof host))
    return false;
  const char *reached = strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1"
                        : strcmp(host, "::") == 0    ? "::1"
                                                     : host;
  tm__place_tcp(reached, (unsigned)strtoul(text + digits + 1, NULL, 16), place);
  return true;
}

/* "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/app.sock" */
static bool unix_line(const char *line, tm__place *place, unsigned long *inode)
{
  unsigned flags, type;
  int path = 0;
  if (sscanf(line, "%*[^:]: %*x %*x %x %x %*x %lu %n", &flags, &type, inode, &path) != 3 || !path)
    return false;
  size_t length = strcspn(line + path, "\n");
  if (!(flags & ACCEPTS) || type != 1 || line[path] != '/' || length >= sizeof place->path)
    return false;
  char name[sizeof place->path];
  memcpy(name, line + path, length);
  name[length] = 0;
  tm__place_unix(name, place);
  return true;
}

bool tm__socket_line(const char *table, const char *line, tm__place *place, unsigned long *inode)
{
  char local[48];
  unsigned state;
  if (strcmp(table, "unix") == 0)
    return unix_line(line, place, inode);
  /* "  0: 0100007F:24F8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ..." */
  return sscanf(line, " %*u: %47s %*s %x %*s %*s %*x %*u %*u %lu", local, &state, inode) == 3 &&
         state == LISTEN && take_address(local, place);
}

static size_t rank_of(const inodes *found, unsigned long inode)
{
  size_t i = 0;
  while (i < found->count && found->list[i] != inode)
    i++;
  return i;
}

/* Keeps `out` in the order of the descriptors. */
static void insert(tm__sockets *out, size_t ranks[TM__SOCKETS_MAX], size_t rank,
                   const tm__place *place)
{
  if (out->count == TM__SOCKETS_MAX)
    return;
  size_t i = out->count++;
  for (; i > 0 && ranks[i - 1] > rank; i--) {
    ranks[i] = ranks[i - 1];
    out->places[i] = out->places[i - 1];
  }
  ranks[i] = rank;
  out->places[i] = *place;
}

static void add_table(const char *proc, long pid, const char *table, const inodes *found,
                      tm__sockets *out, size_t ranks[TM__SOCKETS_MAX])
{
  char path[300], line[512];
  (void)snprintf(path, sizeof path, "%s/%ld/net/%s", proc, pid, table);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file)) {
    tm__place place;
    unsigned long inode;
    if (!tm__socket_line(table, line, &place, &inode))
      continue;
    size_t rank = rank_of(found, inode);
    if (rank < found->count)
      insert(out, ranks, rank, &place);
  }
  if (file)
    (void)fclose(file);
}

bool tm__sockets_of(const char *proc, long pid, tm__sockets *out)
{
  static const char *const tables[] = {"tcp", "tcp6", "unix"};
  size_t ranks[TM__SOCKETS_MAX];
  inodes found = {0, calloc(INODES_MAX, sizeof(unsigned long))};
  memset(out, 0, sizeof *out);
  bool there = found.list && add_threads(proc, pid, true, &found, &out->denied) &&
               add_threads(proc, pid, false, &found, &out->denied);
  for (size_t i = 0; there && i < TM_ARRAY_LEN(tables); i++)
    add_table(proc, pid, tables[i], &found, out, ranks);
  free(found.list);
  return there;
}
