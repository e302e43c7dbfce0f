/* group_scan.c - see group_scan.h. */
#include "gc/group_scan.h"

#include "gc/policy.h"

/* Since the last write. The clock is one for all processes, but it was read before the line was. */
static uint64_t age_of(const tm__group_entry *entry, uint64_t now_ns)
{
  uint64_t then = entry->heartbeat_ns;
  if (then > now_ns)
    return then - now_ns < TM__GROUP_FRESH_NS ? 0 : UINT64_MAX; /* of an earlier boot */
  return now_ns - then;
}

/* Does the owner of a line that is `age` old live? */
static bool lives(tm__group_peer *peer, tm__process_id owner, uint64_t age, uint64_t now_ns)
{
  bool asked = peer->checked == owner && now_ns - peer->checked_ns < TM__GROUP_FRESH_NS;
  if (age < TM__GROUP_FRESH_NS || asked)
    return true;
  if (!tm__process_alive(owner))
    return false;
  peer->checked = owner;
  peer->checked_ns = now_ns;
  return true;
}

/* What is to be believed of a line: what it says, or what it said; nothing of a new owner. */
static tm__line_state believe(const tm__group_table *table, int slot, tm__group_peer *peer,
                              tm__process_id *owner, tm__group_entry *entry)
{
  tm__line_state state = tm__group_look(table, slot, owner, entry);
  if (state == TM__LINE_SAID)
    peer->last = *entry;
  else if (state == TM__LINE_MUTE && peer->last.author == *owner) {
    *entry = peer->last;
    state = TM__LINE_SAID;
  }
  return state;
}

/* A member that does not ask for memory cannot grow faster than what it may take unasked. */
static double growth_of(const tm__group_entry *entry, uint64_t age)
{
  double rate = (double)entry->growth_rate;
  double most =
      age >= TM__GROUP_FRESH_NS ? (double)TM__GROUP_SILENT_BYTES * 1e9 / (double)age : rate;
  return rate > most ? most : rate;
}

/* One that never collected is new, and gets an even part to grow into; a server's master, which
 * forks and then waits, does not. */
static bool asleep(const tm__group_entry *entry, uint64_t age)
{
  return age >= (entry->collect_speed > 0 ? TM__GROUP_ASLEEP_NS : TM__GROUP_DOZE_NS);
}

static void add(tm__group_members *out, int slot, const tm__group_entry *entry, uint64_t age)
{
  out->footprint_bytes = tm__add(out->footprint_bytes, entry->footprint_bytes);
  if (asleep(entry, age)) {
    uint64_t held = tm__max(entry->live_bytes, entry->footprint_bytes);
    out->asleep_bytes = tm__add(out->asleep_bytes, held);
    out->slots[TM_GROUP_MEMBERS - ++out->asleep] = (uint8_t)slot;
    return;
  }
  out->live_bytes = tm__add(out->live_bytes, entry->live_bytes);
  out->slots[out->count] = (uint8_t)slot;
  out->shares[out->count++] = (tm__share){.live_bytes = entry->live_bytes,
                                          .growth_rate = growth_of(entry, age),
                                          .collect_speed = (double)entry->collect_speed};
}

uint64_t tm__group_part(const tm__group_members *members, size_t index, uint64_t budget_bytes)
{
  uint64_t budget = tm__less(budget_bytes, members->asleep_bytes);
  return tm__share_headroom(budget, members->shares, members->count, index);
}

void tm__group_scan(tm__group_table *table, tm__group_peer *peers, int own_slot,
                    const tm__group_entry *own, uint64_t now_ns, bool expires,
                    tm__group_members *out)
{
  out->count = 0;
  out->self = SIZE_MAX;
  out->asleep = 0;
  out->asleep_bytes = out->live_bytes = out->footprint_bytes = 0;
  for (int slot = 0; slot < TM_GROUP_MEMBERS; slot++) {
    tm__process_id owner;
    tm__group_entry entry = {.author = 0};
    if (slot == own_slot) {
      out->self = out->count;
      add(out, slot, own, 0);
      continue;
    }
    tm__line_state state = believe(table, slot, &peers[slot], &owner, &entry);
    if (state == TM__LINE_FREE)
      continue;
    /* A mute one was claimed just now, or its owner died before it said a word. */
    uint64_t age = state == TM__LINE_SAID ? age_of(&entry, now_ns) : TM__GROUP_FRESH_NS;
    if (lives(&peers[slot], owner, age, now_ns))
      add(out, slot, &entry, age);
    else if (expires)
      tm__group_expire(table, slot, owner);
  }
  if (out->self == SIZE_MAX)
    out->self = out->count;
}
