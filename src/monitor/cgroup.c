/* cgroup.c - see cgroup.h. */
#include "monitor/cgroup.h"

#include <string.h>

#include "gc/allowance.h"

static void read_events(const tm__memcg *own, tm__cgroup *out)
{
  char text[512];
  (void)tm__memcg_read(own, "memory.events", text, sizeof text);
#define READ_EVENT(name) out->name = tm__memcg_value(text, #name);
  TM__CGROUP_EVENTS(READ_EVENT)
#undef READ_EVENT
}

/* A group that is not asked to count has no such file; then its parent tells of both. */
static uint64_t read_current(const tm__memcg *group)
{
  const char *name = group->version == 2 ? "memory.current" : "memory.usage_in_bytes";
  tm__memcg at = *group;
  uint64_t current;
  do
    current = tm__memcg_number(&at, name);
  while (current == TM__CGROUP_UNKNOWN && tm__memcg_up(&at));
  return current;
}

void tm__cgroup_read(const char *root, tm__cgroup *out)
{
  tm__allowance allowance;
  memset(out, 0xFF, sizeof *out); /* every member UNKNOWN */
  if (!tm__allowance_read(root, &allowance))
    return;
  _Static_assert(TM__NO_LIMIT == TM__CGROUP_UNKNOWN, "no limit is written as unknown");
  out->limit_bytes = allowance.max_bytes;
  out->current_bytes = read_current(&allowance.tightest);
  if (allowance.version == 1)
    return;
  out->high_bytes = allowance.high_bytes;
  read_events(&allowance.own, out);
}
