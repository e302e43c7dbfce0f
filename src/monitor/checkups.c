/* checkups.c - a checkup each minute, and the doctor's round over them. */
#define _GNU_SOURCE
#include "monitor/checkups.h"

#include <string.h>

#include "base/os.h"

static const uint64_t apart_ns = UINT64_C(60) * 1000000000u;

static void keep(tm__checkups *c, tm_heap *heap)
{
  if (c->heap != heap) {
    c->heap = heap;
    c->count = 0;
  }
  if (!heap || (c->count && tm__os_now_ns() - c->kept[c->count - 1].time_ns < apart_ns))
    return;
  if (c->count == TM__CHECKUPS)
    memmove(c->kept, c->kept + 1, --c->count * sizeof c->kept[0]);
  c->count += tm_checkup_read(heap, &c->kept[c->count]) == 0;
}

void tm__checkups_keep(tm__monitor *m)
{
  for (size_t i = 0; i < TM_MONITOR_HEAPS; i++)
    keep(&m->checkups[i], tm_heap_at(i));
}

size_t tm__checkups_examine(const tm__monitor *m, size_t index, tm_heap *heap, tm_finding *out,
                            size_t capacity)
{
  const tm_checkup *history[TM__CHECKUPS + 1];
  tm_checkup now;
  size_t count = 0;
  if (tm_checkup_read(heap, &now))
    return 0;
  const tm__checkups *c = index < TM_MONITOR_HEAPS ? &m->checkups[index] : NULL;
  for (size_t i = 0; c && c->heap == heap && i < c->count; i++)
    history[count++] = &c->kept[i];
  history[count++] = &now;
  return tm_doctor_examine(history, count, out, capacity);
}
