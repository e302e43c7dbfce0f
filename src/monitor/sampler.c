/* sampler.c - fixed rings, one per heap. */
#define _GNU_SOURCE
#include "monitor/sampler.h"

#include <string.h>

#include "monitor/checkups.h"
#include "monitor/lifecycle.h"

static void read_actions(tm_heap *heap, tm_monitor_sample *sample)
{
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
    tm_action_row row;
    if (tm_action_stats_read(heap, (tm_hook_kind)kind, &row) != 1)
      continue;
    sample->actions_total += row.runs_total;
    sample->action_ns_total += row.duration_ns_total;
  }
}

/* Totals only grow: a heap with less than was seen is another one, at the same address. */
static bool is_younger(const tm__ring *ring, const tm_stats *stats)
{
  const tm_monitor_sample *last = &ring->samples[(ring->count - 1) % TM_MONITOR_SAMPLES];
  return ring->count > ring->first && stats->allocs_total < last->allocs_total;
}

static void sample_heap(tm__ring *ring, tm_heap *heap, uint64_t now_ns)
{
  tm_stats stats;
  tm_stats_init(&stats);
  if (tm_stats_read(heap, &stats))
    return;
  if (ring->heap != heap || is_younger(ring, &stats)) { /* another heap took its place */
    ring->heap = heap;
    ring->first = ring->count;
  }
  tm_monitor_sample *sample = &ring->samples[ring->count % TM_MONITOR_SAMPLES];
  memset(sample, 0, sizeof *sample);
  sample->sequence = ++ring->count;
  sample->time_ns = now_ns;
#define KEEP(name) sample->name = stats.name;
  TM__SAMPLE_LEVELS(KEEP)
  TM__SAMPLE_TOTALS(KEEP)
#undef KEEP
  sample->informed_bytes = stats.informed_bytes;
  read_actions(heap, sample);
}

void tm__sample_take(tm__monitor *m)
{
  uint64_t start = tm__thread_cpu_ns(), now = uv_hrtime();
  for (size_t i = 0; i < TM_MONITOR_HEAPS; i++) {
    tm_heap *heap = tm_heap_at(i);
    if (heap)
      sample_heap(&m->rings[i], heap, now);
    else
      m->rings[i].heap = NULL;
  }
  tm__checkups_keep(m);
  m->cost.samples++;
  m->cost.sample_cpu_ns += tm__thread_cpu_ns() - start;
}

int tm__sample_read(const tm__ring *ring, uint64_t *cursor, tm_monitor_sample *out)
{
  uint64_t oldest = ring->count > TM_MONITOR_SAMPLES ? ring->count - TM_MONITOR_SAMPLES : 0;
  if (oldest < ring->first)
    oldest = ring->first;
  if (*cursor < oldest)
    *cursor = oldest;
  if (!ring->heap || *cursor >= ring->count)
    return 0;
  *out = ring->samples[*cursor % TM_MONITOR_SAMPLES];
  (*cursor)++;
  return 1;
}

bool tm__sample_before(const tm__ring *ring, uint64_t cursor, tm_monitor_sample *out)
{
  uint64_t before = cursor - 1;
  return cursor > ring->first && tm__sample_read(ring, &before, out) && before == cursor;
}

int tm_monitor_sample_read(const tm_monitor *monitor, size_t index, uint64_t *cursor,
                           tm_monitor_sample *out)
{
  if (!monitor || !monitor->inner || !cursor || !out || index >= TM_MONITOR_HEAPS)
    return 0;
  return tm__sample_read(&monitor->inner->rings[index], cursor, out);
}
