/* checkup.c - what the doctor looks at, taken together. */
#include <string.h>
#include <tidemark/doctor.h>

#include "base/os.h"
#include "gc/allowance.h"
#include "stats/emit.h"
#include "stats/process.h"

static uint64_t known_bytes(void)
{
  uint64_t sum = 0;
  tm_heap *heap;
  for (size_t i = 0; (heap = tm_heap_at(i)); i++) {
    tm_stats stats;
    tm_stats_init(&stats);
    if (tm_stats_read(heap, &stats))
      continue;
    sum += stats.committed_bytes;
    if (stats.informed_bytes > 0)
      sum += (uint64_t)stats.informed_bytes;
  }
  return sum;
}

static void read_process(tm_checkup *out)
{
  char text[128];
  const char *at = text;
  uint64_t all, resident;
  tm__file_read("/proc/self/statm", text, sizeof text);
  if (tm__number_read(&at, &all) && tm__number_read(&at, &resident))
    out->resident_bytes = resident * TM_OS_PAGE;
}

static void read_group(tm_checkup *out)
{
  tm__allowance allowance;
  if (tm__allowance_read("", &allowance) && allowance.max_bytes != TM__NO_LIMIT)
    out->group_limit_bytes = allowance.max_bytes;
}

int tm_checkup_read(tm_heap *heap, tm_checkup *out)
{
  tm_policy policy;
  tm__emit e;
  if (!heap || !out)
    return TM_EINVAL;
  memset(out, 0, sizeof *out);
  out->size = sizeof *out;
  out->time_ns = tm__os_now_ns();
  tm__emit_init(&e, out->heap, sizeof out->heap);
  tm__emit_text(&e, tm_heap_name(heap));
  (void)tm__emit_end(&e);
  tm_stats_init(&out->stats);
  (void)tm_stats_read(heap, &out->stats);
  out->next_due_ns = tm_pending(heap) ? tm_next_due_ns(heap) : 0;
  tm_policy_init(&policy);
  (void)tm_policy_get(heap, &policy);
  out->cpu_cap_percent = policy.cpu_cap_percent;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++)
    (void)tm_action_stats_read(heap, (tm_hook_kind)kind, &out->actions[kind]);
  while (out->tag_count < TM_CHECKUP_TAGS &&
         tm_tag_stats_read(heap, out->tag_count, &out->tags[out->tag_count]) == 1)
    out->tag_count++;
  out->first = heap == tm_heap_at(0);
  read_group(out);
  if (out->first) {
    out->known_bytes = known_bytes();
    read_process(out);
  }
  return 0;
}
