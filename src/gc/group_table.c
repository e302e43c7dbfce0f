/* group_table.c - see group_table.h. */
#include "gc/group_table.h"

#include <string.h>

enum { LOOKS = 32 }; /* at a line that is being written: a write takes some nanoseconds */

enum { AUTHOR, HEARTBEAT, LIVE, FOOTPRINT, SOFT, RATES };

void tm__group_table_init(tm__group_table *table, uint64_t budget_bytes)
{
  atomic_store(&table->version, TM__GROUP_VERSION);
  atomic_store(&table->slots, TM_GROUP_MEMBERS);
  atomic_store(&table->budget_bytes, budget_bytes);
  atomic_store(&table->pid_namespace, tm__pid_namespace());
  atomic_store(&table->magic, TM__GROUP_MAGIC);
}

int tm__group_table_check(const tm__group_table *table)
{
  uint64_t theirs = atomic_load(&table->pid_namespace), ours = tm__pid_namespace();
  bool known = atomic_load(&table->magic) == TM__GROUP_MAGIC &&
               atomic_load(&table->version) == TM__GROUP_VERSION &&
               atomic_load(&table->slots) == TM_GROUP_MEMBERS;
  return known && (!theirs || !ours || theirs == ours) ? 0 : TM_ENOTSUP;
}

/* ---- Owners ---------------------------------------------------------------------------------- */

static bool take(tm__group_table *table, int slot, tm__process_id from, tm__process_id to)
{
  return atomic_compare_exchange_strong(&table->lines[slot].owner, &from, to);
}

/* Lines that the image before an exec left: one is kept, others are given back. */
static int adopt(tm__group_table *table, tm__process_id me, const uint64_t *held)
{
  int kept = -1;
  for (int slot = 0; slot < TM_GROUP_MEMBERS; slot++) {
    if (!tm__group_owns(table, slot, me) || (held[slot / 64] >> (slot % 64) & 1u))
      continue;
    if (kept < 0)
      kept = slot;
    else
      tm__group_release(table, slot, me);
  }
  return kept;
}

int tm__group_claim(tm__group_table *table, tm__process_id me, const uint64_t *held)
{
  int left = held ? adopt(table, me, held) : -1;
  if (left >= 0)
    return left;
  for (int slot = 0; slot < TM_GROUP_MEMBERS; slot++)
    if (!atomic_load(&table->lines[slot].owner) && take(table, slot, 0, me))
      return slot;
  for (int slot = 0; slot < TM_GROUP_MEMBERS; slot++) {
    tm__process_id owner = atomic_load(&table->lines[slot].owner);
    if (owner != me && !tm__process_alive(owner) && take(table, slot, owner, me))
      return slot;
  }
  return -1;
}

bool tm__group_owns(const tm__group_table *table, int slot, tm__process_id me)
{
  return atomic_load_explicit(&table->lines[slot].owner, memory_order_relaxed) == me;
}

void tm__group_release(tm__group_table *table, int slot, tm__process_id me)
{
  (void)take(table, slot, me, 0);
}

void tm__group_expire(tm__group_table *table, int slot, tm__process_id dead)
{
  (void)take(table, slot, dead, 0);
}

/* ---- Words ----------------------------------------------------------------------------------- */

void tm__group_write(tm__group_table *table, int slot, const tm__group_entry *entry)
{
  tm__group_line *line = &table->lines[slot];
  uint64_t words[TM__GROUP_WORDS] = {entry->author, entry->heartbeat_ns, entry->live_bytes,
                                     entry->footprint_bytes, entry->soft_limit_bytes};
  const float rates[2] = {entry->growth_rate, entry->collect_speed};
  memcpy(&words[RATES], rates, sizeof rates);
  /* Odd already iff a former owner died in here. */
  uint64_t odd = atomic_load_explicit(&line->sequence, memory_order_relaxed) | 1u;
  atomic_store_explicit(&line->sequence, odd, memory_order_relaxed);
  for (size_t i = 0; i < TM__GROUP_WORDS; i++)
    atomic_store_explicit(&line->words[i], words[i], memory_order_release);
  atomic_store_explicit(&line->sequence, odd + 1, memory_order_release);
}

/* true iff no write was in motion meanwhile. */
static bool copy_words(const tm__group_line *line, uint64_t words[TM__GROUP_WORDS])
{
  uint64_t before = atomic_load_explicit(&line->sequence, memory_order_acquire);
  for (size_t i = 0; i < TM__GROUP_WORDS; i++)
    words[i] = atomic_load_explicit(&line->words[i], memory_order_acquire);
  return before % 2 == 0 && atomic_load_explicit(&line->sequence, memory_order_relaxed) == before;
}

tm__line_state tm__group_look(const tm__group_table *table, int slot, tm__process_id *owner,
                              tm__group_entry *out)
{
  const tm__group_line *line = &table->lines[slot];
  uint64_t words[TM__GROUP_WORDS];
  *owner = atomic_load_explicit(&line->owner, memory_order_acquire);
  if (!*owner)
    return TM__LINE_FREE;
  bool whole = false;
  for (int look = 0; look < LOOKS && !whole; look++)
    whole = copy_words(line, words);
  if (!whole || words[AUTHOR] != *owner)
    return TM__LINE_MUTE;
  float rates[2];
  memcpy(rates, &words[RATES], sizeof rates);
  *out = (tm__group_entry){.author = words[AUTHOR],
                           .heartbeat_ns = words[HEARTBEAT],
                           .live_bytes = words[LIVE],
                           .footprint_bytes = words[FOOTPRINT],
                           .soft_limit_bytes = words[SOFT],
                           .growth_rate = rates[0],
                           .collect_speed = rates[1]};
  return TM__LINE_SAID;
}
