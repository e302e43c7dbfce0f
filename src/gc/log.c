/* log.c - see log.h. */
#include "gc/log.h"

#include <string.h>

static tm__log_slot *slot_of(tm__log *log, uint64_t sequence)
{
  return &log->slots[sequence % TM__LOG_RECORDS];
}

void tm__log_write(tm__log *log, tm_record *record)
{
  uint64_t sequence = atomic_load_explicit(&log->last, memory_order_relaxed) + 1;
  uint64_t words[TM__LOG_WORDS];
  tm__log_slot *slot = slot_of(log, sequence);
  record->sequence = sequence;
  record->lost = 0;
  memcpy(words, record, sizeof words);
  atomic_store_explicit(&slot->stamp, 2 * sequence - 1, memory_order_relaxed);
  for (size_t i = 0; i < TM__LOG_WORDS; i++)
    atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
  atomic_store_explicit(&slot->stamp, 2 * sequence, memory_order_release);
  atomic_store_explicit(&log->last, sequence, memory_order_release);
}

/* true iff the slot held `sequence` during the whole copy. */
static bool copy_slot(tm__log *log, uint64_t sequence, tm_record *out)
{
  uint64_t words[TM__LOG_WORDS];
  tm__log_slot *slot = slot_of(log, sequence);
  if (atomic_load_explicit(&slot->stamp, memory_order_acquire) != 2 * sequence)
    return false;
  for (size_t i = 0; i < TM__LOG_WORDS; i++)
    words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
  if (atomic_load_explicit(&slot->stamp, memory_order_relaxed) != 2 * sequence)
    return false;
  memcpy(out, words, sizeof words);
  return true;
}

int tm__log_read(tm__log *log, uint64_t *cursor, tm_record *out)
{
  for (uint64_t next = *cursor + 1;; next++) {
    uint64_t last = atomic_load_explicit(&log->last, memory_order_acquire);
    if (next > last || !next) /* also a cursor from somewhere else: nothing for it yet */
      return 0;
    if (last - next >= TM__LOG_RECORDS) /* lapped? */
      next = last - TM__LOG_RECORDS + 1;
    if (copy_slot(log, next, out)) {
      out->lost = next - *cursor - 1;
      *cursor = next;
      return 1;
    }
    /* A writer is in the slot: the oldest record is gone, the one after it is still there. */
  }
}

void tm__log_clear(tm__log *log)
{
  uint64_t last = atomic_load_explicit(&log->last, memory_order_relaxed);
  uint64_t used = last < TM__LOG_RECORDS ? last + 1 : TM__LOG_RECORDS;
  for (uint64_t i = 0; i < used; i++)
    atomic_store_explicit(&log->slots[i].stamp, 0, memory_order_relaxed);
  atomic_store_explicit(&log->last, 0, memory_order_release);
}
