/* facts.c - reading what the heap and the kernel know when the program ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os.h"
#include "hosts/malloc/report.h"
#include "stats/process.h"

uint64_t tm__facts_peak_rss(const char *status)
{
  const char *at = strstr(status, "\nVmHWM:");
  if (!at)
    return 0;
  at += strlen("\nVmHWM:");
  uint64_t kib;
  return tm__number_read(&at, &kib) ? kib * 1024 : 0;
}

static uint64_t peak_rss(void)
{
  char status[4096];
  (void)tm__file_read("/proc/self/status", status, sizeof status);
  uint64_t bytes = tm__facts_peak_rss(status);
  struct rusage usage;
  /* without /proc: may be too high, since it counts what the process was before an exec */
  if (!bytes && getrusage(RUSAGE_SELF, &usage) == 0)
    bytes = (uint64_t)usage.ru_maxrss * 1024;
  return bytes;
}

/* The arguments with blanks between them, on one line, with an ellipsis when cut. */
static void read_command(char *out, size_t capacity)
{
  char text[256];
  size_t length = tm__file_read("/proc/self/cmdline", text, sizeof text);
  while (length && text[length - 1] == 0)
    length--;
  if (!length) {
    const char *name = program_invocation_short_name;
    length = strlen(name) < sizeof text ? strlen(name) : sizeof text - 1;
    memcpy(text, name, length);
  }
  bool cut = length >= capacity;
  if (cut)
    length = capacity - 4;
  for (size_t i = 0; i < length; i++)
    out[i] = text[i] == 0 ? ' ' : (unsigned char)text[i] < ' ' ? '?' : text[i];
  memcpy(out + length, cut ? "..." : "", cut ? 4 : 1);
}

/* Does `a` stand above `b` in the table? */
static bool above(const tm_pool_row *a, const tm_pool_row *b)
{
  if (a->live_bytes != b->live_bytes)
    return a->live_bytes > b->live_bytes;
  return a->allocated_bytes_total > b->allocated_bytes_total;
}

/* Keeps the first TM__FACTS_POOLS in order. */
static void insert_pool(tm__facts *facts, const tm_pool_row *row)
{
  size_t at = facts->pool_count;
  while (at > 0 && above(row, &facts->pools[at - 1]))
    at--;
  if (facts->pool_count == TM__FACTS_POOLS)
    facts->pools_left_out++;
  else
    facts->pool_count++;
  if (at == TM__FACTS_POOLS)
    return;
  for (size_t i = facts->pool_count - 1; i > at; i--)
    facts->pools[i] = facts->pools[i - 1];
  facts->pools[at] = *row;
}

void tm__facts_read(tm__facts *facts, const tm_heap *heap, uint64_t start_ns)
{
  memset(facts, 0, sizeof *facts);
  facts->pid = (uint64_t)getpid();
  facts->elapsed_ns = tm__os_now_ns() - start_ns;
  facts->peak_rss_bytes = peak_rss();
  read_command(facts->command, sizeof facts->command);
  tm_stats_init(&facts->stats);
  (void)tm_stats_read(heap, &facts->stats);
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++)
    (void)tm_action_stats_read(heap, (tm_hook_kind)kind, &facts->actions[kind]);
  tm_pool_row row;
  for (size_t i = 0; tm_pool_stats_read(heap, i, &row) == 1; i++)
    if (row.allocs_total)
      insert_pool(facts, &row);
}
