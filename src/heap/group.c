/* group.c - group.h of the public headers, and when a heap tells its group. */
#include <tidemark/group.h>

#include <string.h>

#include "gc/policy.h"
#include "heap/credit.h"
#include "heap/group.h"
#include "heap/safepoint.h"

/* ---- When ------------------------------------------------------------------------------------ */

static uint64_t refresh(tm_heap *heap, uint64_t footprint_bytes)
{
  tm_policy_state state;
  tm__engine_state(&heap->engine, &state);
  tm__membership_news news = {.state = &state,
                              .footprint_bytes = footprint_bytes,
                              .soft_limit_bytes = tm__counter_read(&heap->engine.soft_bytes),
                              .now_ns = tm__os_now_ns()};
  return tm__membership_refresh(&heap->membership, &news);
}

uint64_t tm__group_headroom(tm_heap *heap, uint64_t footprint_bytes)
{
  if (!tm__membership_joined(&heap->membership))
    return 0;
  uint64_t headroom = refresh(heap, footprint_bytes);
  tm__counter_set(&heap->membership.applied_bytes, headroom);
  return headroom;
}

void tm__group_tick(tm_heap *heap)
{
  tm__membership *m = &heap->membership;
  if (tm_likely(!tm__membership_joined(m)) || !tm__membership_due(m, tm__os_now_ns()))
    return;
  (void)refresh(heap, tm__credit_level(heap));
  if (tm__membership_moved(m))
    tm__engine_fell(&heap->engine);
}

/* ---- Joining --------------------------------------------------------------------------------- */

int tm_group_join(tm_heap *heap, const char *name, uint64_t budget_bytes)
{
  tm_policy_state state;
  if (!heap)
    return TM_EINVAL;
  tm__engine_state(&heap->engine, &state);
  int error = tm__membership_join(&heap->membership, name, budget_bytes, &state, tm__os_now_ns());
  if (!error) {
    tm__engine_fell(&heap->engine);
    tm__safepoint_look(heap);
  }
  return error;
}

int tm_group_leave(tm_heap *heap)
{
  int error = heap ? tm__membership_leave(&heap->membership) : TM_EINVAL;
  if (!error)
    tm__engine_fell(&heap->engine);
  return error;
}

/* ---- Reading --------------------------------------------------------------------------------- */

void tm_group_info_init(tm_group_info *info)
{
  *info = (tm_group_info){.size = sizeof *info};
}

int tm_group_get(const tm_heap *heap, tm_group_info *info)
{
  tm_group_info whole;
  if (!heap || !info || info->size < offsetof(tm_group_info, name) || info->size > sizeof *info)
    return TM_EINVAL;
  if (!tm__membership_joined(&heap->membership) || !tm__membership_info(&heap->membership, &whole))
    return 0;
  whole.size = info->size;
  memcpy(info, &whole, info->size);
  return 1;
}

static void fill_row(tm_group_row *row, const tm__group_entry *entry, tm__process_id owner,
                     uint64_t now_ns)
{
  *row = (tm_group_row){.pid = tm__process_pid(owner),
                        .age_ns = tm__less(now_ns, entry->heartbeat_ns),
                        .live_bytes = entry->live_bytes,
                        .footprint_bytes = entry->footprint_bytes,
                        .soft_limit_bytes = entry->soft_limit_bytes,
                        .growth_bytes_per_s = (double)entry->growth_rate,
                        .collect_bytes_per_s = (double)entry->collect_speed};
}

/* What stands in a group's file, as members see it. */
typedef struct scan {
  tm__group_peer peers[TM_GROUP_MEMBERS];
  tm__group_members members;
} scan;
enum { SCAN_BYTES = (sizeof(scan) + TM_OS_PAGE - 1) / TM_OS_PAGE * TM_OS_PAGE };

static void fill_rows(const tm__group_table *table, scan *s, tm_group_row *rows, size_t capacity)
{
  uint64_t now_ns = tm__os_now_ns(), budget = atomic_load(&table->budget_bytes);
  const tm__group_members *m = &s->members;
  /* It writes only where it expires lines, which it does not. */
  tm__group_scan((tm__group_table *)(uintptr_t)table, s->peers, -1, NULL, now_ns, false,
                 &s->members);
  for (size_t i = 0; i < m->count + m->asleep && i < capacity; i++) {
    tm__process_id owner;
    tm__group_entry entry = {.author = 0};
    unsigned slot = m->slots[i < m->count ? i : TM_GROUP_MEMBERS - 1 - (i - m->count)];
    if (tm__group_look(table, (int)slot, &owner, &entry) != TM__LINE_SAID)
      entry = s->peers[slot].last; /* zero of one that has said nothing yet */
    fill_row(&rows[i], &entry, owner, now_ns);
    rows[i].share_bytes = tm__group_part(m, i, budget);
  }
}

int tm_group_read(const char *name, uint64_t *budget_bytes, tm_group_row *rows, size_t capacity)
{
  char path[TM__GROUP_PATH];
  tm__group_place place;
  if (capacity && !rows)
    return TM_EINVAL;
  int error = tm__group_path(name, path, NULL);
  if (!error)
    error = tm__group_peek(path, &place);
  if (error)
    return error;
  int count = TM_ENOMEM;
  scan *s = tm__os_map(SCAN_BYTES);
  if (s) {
    fill_rows(place.table, s, rows, capacity);
    count = (int)(s->members.count + s->members.asleep);
    (void)tm__os_unreserve(s, SCAN_BYTES);
  }
  if (budget_bytes)
    *budget_bytes = atomic_load(&place.table->budget_bytes);
  tm__group_unmap(place.table);
  return count;
}
