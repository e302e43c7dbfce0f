/* body_metrics.c - the library's families, then the monitor's own and the control group's. */
#define _GNU_SOURCE
#include <string.h>

#include "base/os.h"
#include "monitor/cgroup.h"
#include "monitor/routes.h"
#include "stats/families.h"

static void status_family(tm__metrics *out, const tm__monitor *m)
{
  static const char *const codes[TM__STATUS_COUNT] = {
#define STATUS_CODE(code, text) #code,
      TM__STATUSES(STATUS_CODE)};
  tm__family(out, "tidemark_monitor_requests_total", "counter", "requests answered, by status");
  for (size_t i = 0; i < TM__STATUS_COUNT; i++) {
    tm__sample(out, "");
    tm__label(out, "code", codes[i]);
    tm__sample_u64(out, m->answered[i]);
  }
}

static void own_families(tm__metrics *out, const tm__monitor *m)
{
#define EMIT_COST(name, metric, type, help)                                                        \
  if (strstr(#name, "_ns"))                                                                        \
    tm__family_seconds(out, metric, type, help, m->cost.name);                                     \
  else                                                                                             \
    tm__family_u64(out, metric, type, help, m->cost.name);
  TM__COST_FIELDS(EMIT_COST)
#undef EMIT_COST
  status_family(out, m);
  tm__family_u64(out, "tidemark_monitor_open_connections", "gauge", "connections open now",
                 (uint64_t)m->in_use);
  tm__family_u64(out, "tidemark_monitor_resident_bytes", "gauge",
                 "memory of the monitor itself, outside every heap",
                 tm__os_resident(m, m->mapped_bytes));
}

static void known_u64(tm__metrics *out, const char *name, const char *help, uint64_t value)
{
  if (value != TM__CGROUP_UNKNOWN)
    tm__family_u64(out, name, "gauge", help, value);
}

static void cgroup_families(tm__metrics *out)
{
  tm__cgroup group;
  tm__cgroup_read("", &group);
  known_u64(out, "tidemark_cgroup_memory_current_bytes",
            "memory of the control group whose limit is the tightest", group.current_bytes);
  known_u64(out, "tidemark_cgroup_memory_limit_bytes",
            "tightest memory limit of the control group and its ancestors", group.limit_bytes);
  known_u64(out, "tidemark_cgroup_memory_high_bytes",
            "tightest level above which the kernel throttles", group.high_bytes);
  tm__family(out, "tidemark_cgroup_memory_events_total", "counter",
             "memory events of the control group");
#define EMIT_EVENT(name)                                                                           \
  if (group.name != TM__CGROUP_UNKNOWN) {                                                          \
    tm__sample(out, "");                                                                           \
    tm__label(out, "event", #name);                                                                \
    tm__sample_u64(out, group.name);                                                               \
  }
  TM__CGROUP_EVENTS(EMIT_EVENT)
#undef EMIT_EVENT
}

size_t tm__body_metrics(tm__monitor *m, tm_text_format format, char *buffer, size_t capacity)
{
  tm__emit e;
  size_t room;
  tm__emit_init(&e, buffer, capacity);
  char *rest = tm__emit_rest(&e, &room);
  e.length += tm_stats_metrics(format, rest, room);
  if (format == TM_TEXT_OPENMETRICS)
    e.length -= strlen("# EOF\n"); /* it comes again, at the end */
  tm__metrics out = {.emit = &e, .format = format};
  own_families(&out, m);
  cgroup_families(&out);
  if (format == TM_TEXT_OPENMETRICS)
    tm__emit_text(&e, "# EOF\n");
  return tm__emit_end(&e);
}
