/* profiled.c - see profiled.h. */
#define _GNU_SOURCE
#include "hosts/malloc/profiled.h"

#include <errno.h>
#include <string.h>
#include <tidemark/profile.h>
#include <tidemark/stats.h>

#include "base/assert.h"
#include "base/os.h"

static const tm__settings *wishes; /* NULL = none */
static bool written;

bool tm__profiled_wanted(const tm__settings *s)
{
  return *s->profile || s->profile_interval_bytes || *s->leaks;
}

void tm__profiled_start(const tm__settings *s)
{
  wishes = s;
  if (!*s->profile && !s->profile_interval_bytes)
    return;
  int error = tm_profile_start(s->profile_interval_bytes);
  if (error)
    tm__report("no heap profile is taken: %s", tm_strerror(error));
}

static bool ends_with(const char *text, const char *end)
{
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

void tm__profiled_write(void)
{
  if (!wishes || !*wishes->profile || written)
    return;
  written = true;
  bool folded = ends_with(wishes->profile, ".folded") || ends_with(wishes->profile, ".txt");
  int error = tm_profile_write(wishes->profile, folded ? TM_PROFILE_FOLDED : TM_PROFILE_PPROF);
  if (error)
    tm__report("the heap profile could not be written to %s: %s", wishes->profile,
               error == TM_EIO ? strerrordesc_np(errno) : tm_strerror(error));
}

/* To its file, or else to where reports go. */
static void tell(const char *text, size_t length, const tm__outlet *fallback)
{
  tm__outlet file = TM__OUTLET_NONE;
  if (strcmp(wishes->leaks, "-") != 0)
    file = tm__outlet_open(wishes->leaks);
  if (file.fd < 0 || !tm__outlet_write(&file, text, length, true))
    (void)tm__outlet_write(fallback, text, length, false);
  tm__outlet_close(&file);
}

static void tell_leaks(const tm_heap *heap, const tm__outlet *fallback)
{
  static const char head[] = "tidemark: ";
  size_t length = tm_leaks_text(heap, NULL, 0) + sizeof head;
  size_t mapped = (length + 2 * TM_OS_PAGE) & ~(size_t)(TM_OS_PAGE - 1);
  char *text = tm__os_map(mapped); /* not from the heap that it tells of */
  if (!text)
    return;
  memcpy(text, head, sizeof head - 1);
  length = tm_leaks_text(heap, text + sizeof head - 1, mapped - sizeof head) + sizeof head - 1;
  tell(text, length < mapped ? length : mapped - 1, fallback);
  (void)tm__os_unreserve(text, mapped);
}

int tm__profiled_end(const tm__outlet *fallback)
{
  if (!wishes)
    return 0;
  tm__profiled_write();
  if (!*wishes->leaks)
    return 0;
  const tm_heap *heap = tm_heap_default();
  tm_stats stats;
  tm_stats_init(&stats);
  if (tm_stats_read(heap, &stats))
    return 0;
  tell_leaks(heap, fallback);
  return stats.live_bytes > wishes->leaks_allow_bytes ? wishes->leaks_exit_code : 0;
}

void tm__profiled_forget(void)
{
  wishes = NULL;
}
