/*
 * source.c - finding a monitor. Nothing is written anywhere for this: a process that serves has a
 * listening socket, and /proc shows it. Whether a socket is a monitor's is asked of itself: its
 * /stats.json must name the process.
 */
#define _GNU_SOURCE
#include "view/source.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "view/http.h"
#include "view/sockets.h"

enum { PROBE_MS = 1000, CHOICES = 16 };

/* ---- Values --------------------------------------------------------------------------------- */

uint64_t tm__number(const json_t *object, const char *key)
{
  return (uint64_t)json_integer_value(json_object_get(object, key));
}

const char *tm__string(const json_t *object, const char *key)
{
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

const json_t *tm__heap_named(const json_t *stats, const char *name)
{
  const json_t *heaps = json_object_get(stats, "heaps");
  for (size_t i = 0; i < json_array_size(heaps); i++)
    if (strcmp(tm__string(json_array_get(heaps, i), "name"), name) == 0)
      return json_array_get(heaps, i);
  return NULL;
}

static int get(const tm__place *place, const char *path, int timeout_ms, json_t **out,
               tm__complaint *complaint)
{
  tm__body body;
  json_error_t error;
  int result = tm__http_get(place, path, timeout_ms, &body, complaint);
  if (result)
    return result;
  *out = json_loadb(body.text, body.length, 0, &error);
  free(body.text);
  if (*out)
    return 0;
  return tm__complain(complaint, TM_EXIT_FAILED, "%s: %s is no JSON: %s", place->name, path,
                      error.text);
}

int tm__source_get(const tm__source *source, const char *path, json_t **out,
                   tm__complaint *complaint)
{
  return get(&source->place, path, TM__HTTP_TIMEOUT_MS, out, complaint);
}

/* ---- A process ------------------------------------------------------------------------------ */

static bool is_monitor_of(const tm__place *place, long pid)
{
  tm__complaint ignored;
  json_t *stats;
  if (get(place, "/stats.json", PROBE_MS, &stats, &ignored))
    return false;
  bool is = tm__number(json_object_get(stats, "process"), "pid") == (uint64_t)pid;
  json_decref(stats);
  return is;
}

/* Its addresses mean something else where we are. */
static bool same_network(long pid)
{
  char path[64], ours[64], theirs[64];
  (void)snprintf(path, sizeof path, "/proc/%ld/ns/net", pid);
  ssize_t a = readlink("/proc/self/ns/net", ours, sizeof ours);
  ssize_t b = readlink(path, theirs, sizeof theirs);
  return a <= 0 || b <= 0 || (a == b && memcmp(ours, theirs, (size_t)a) == 0);
}

static bool find_place(long pid, const tm__sockets *sockets, tm__place *out)
{
  for (size_t i = 0; i < sockets->count; i++)
    if (is_monitor_of(&sockets->places[i], pid)) {
      *out = sockets->places[i];
      return true;
    }
  return false;
}

static int find_process(long pid, tm__source *out, tm__complaint *complaint)
{
  static tm__sockets sockets; /* large */
  if (!tm__sockets_of("/proc", pid, &sockets))
    return tm__complain(complaint, TM_EXIT_FAILED, "there is no process %ld", pid);
  if (!same_network(pid))
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "process %ld is in another network namespace; ask from inside it: nsenter "
                        "-t %ld -n tidemark ...",
                        pid, pid);
  if (find_place(pid, &sockets, &out->place))
    return 0;
  if (sockets.denied)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "process %ld is not yours to look into; use sudo, or give the address that "
                        "it serves",
                        pid);
  return tm__complain(
      complaint, TM_EXIT_FAILED,
      "process %ld serves nothing; start it by 'tidemark run --serve :0 -- ...', or "
      "give the address of its monitor",
      pid);
}

/* ---- Any process ---------------------------------------------------------------------------- */

typedef struct choice {
  long pid;
  tm__place place;
} choice;

static size_t find_all(choice choices[CHOICES])
{
  static tm__sockets sockets;
  size_t count = 0;
  DIR *directory = opendir("/proc");
  for (struct dirent *one; directory && count < CHOICES && (one = readdir(directory));) {
    if (!tm__place_is_pid(one->d_name))
      continue;
    long pid = strtol(one->d_name, NULL, 10);
    if (tm__has_monitor_thread("/proc", pid) && tm__sockets_of("/proc", pid, &sockets) &&
        same_network(pid) && find_place(pid, &sockets, &choices[count].place))
      choices[count++].pid = pid;
  }
  if (directory)
    (void)closedir(directory);
  return count;
}

static int find_only(tm__source *out, tm__complaint *complaint)
{
  choice choices[CHOICES];
  char list[512] = "";
  size_t count = find_all(choices);
  if (count == 1) {
    out->place = choices[0].place;
    return 0;
  }
  if (count == 0)
    return tm__complain(
        complaint, TM_EXIT_FAILED,
        "no process of yours serves; start one by 'tidemark run --serve :0 -- ...'");
  for (size_t i = 0; i < count; i++) {
    size_t used = strlen(list);
    (void)snprintf(list + used, sizeof list - used, "%s%ld", i ? ", " : "", choices[i].pid);
  }
  return tm__complain(complaint, TM_EXIT_USAGE, "several processes serve; say which one: %s", list);
}

int tm__source_find(const char *text, tm__source *out, tm__complaint *complaint)
{
  memset(out, 0, sizeof *out);
  out->local = true;
  if (!text)
    return find_only(out, complaint);
  if (tm__place_is_pid(text))
    return find_process(strtol(text, NULL, 10), out, complaint);
  int result = tm__place_parse(text, &out->place, complaint);
  out->local = !out->place.host[0] || strncmp(out->place.host, "127.", 4) == 0 ||
               strcmp(out->place.host, "::1") == 0 || strcmp(out->place.host, "localhost") == 0;
  return result;
}
