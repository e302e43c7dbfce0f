/* hooks.c - see hooks.h. */
#include "gc/hooks.h"

#include "base/assert.h"

/* ---- Threads and their calls ----------------------------------------------------------------- */

static TM_TLS tm__hook_call *innermost; /* this thread's calls, newest first */
static TM_TLS char thread_mark;

uintptr_t tm__thread_token(void)
{
  return (uintptr_t)&thread_mark;
}

/* Is this thread inside a call of `slot`? Of any slot of `table`? */
static bool inside_slot(const tm__hook_slot *slot)
{
  for (const tm__hook_call *c = innermost; c; c = c->outer)
    if (c->slot == slot)
      return true;
  return false;
}

static bool inside_table(const tm__hooks *table)
{
  for (const tm__hook_call *c = innermost; c; c = c->outer)
    if (c->slot->table == table)
      return true;
  return false;
}

/* ---- Handles --------------------------------------------------------------------------------- */

static tm_hook *handle_of(tm__hook_slot *slot)
{
  return (tm_hook *)(void *)&slot->names[slot->generation % TM__HOOK_NAMES];
}

static tm__hook_slot *slot_of(tm_hook *hook)
{
  return (tm__hook_slot *)((uintptr_t)hook & ~(uintptr_t)(TM__HOOK_SLOT_BYTES - 1));
}

/* ---- The table; its lock is held ------------------------------------------------------------- */

static void update_kinds(tm__hooks *table)
{
  unsigned kinds = 0;
  for (size_t i = 0; i < TM__HOOK_SLOTS; i++)
    if (table->slots[i].life == TM__HOOK_LIVE)
      kinds |= 1u << table->slots[i].kind;
  atomic_store_explicit(&table->kinds, kinds, memory_order_release);
}

static void free_slot(tm__hook_slot *slot)
{
  slot->life = TM__HOOK_FREE;
  slot->generation++; /* its handle is void from now on */
  (void)pthread_cond_broadcast(&slot->table->quiet);
}

/* From LIVE to DYING, or to FREE when no call holds the slot. */
static void retire(tm__hook_slot *slot)
{
  slot->life = TM__HOOK_DYING;
  slot->table->live--;
  update_kinds(slot->table);
  if (slot->calls == 0)
    free_slot(slot);
}

/* Waits until the call that holds a DYING slot has returned. */
static void wait_for(tm__hook_slot *slot, uint32_t generation)
{
  while (slot->generation == generation && slot->life == TM__HOOK_DYING)
    (void)pthread_cond_wait(&slot->table->quiet, &slot->table->lock);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void tm__hooks_init(tm__hooks *table)
{
  tm__lock_init(&table->lock);
  (void)pthread_cond_init(&table->quiet, NULL);
  table->next_order = 1;
  table->live = 0;
  table->epoch = 0;
  atomic_store(&table->kinds, 0);
  for (size_t i = 0; i < TM__HOOK_SLOTS; i++) {
    tm__hook_slot *slot = &table->slots[i];
    if (slot->table) /* memory that was a table; a new one's slots are zero, and stay untouched */
      *slot = (tm__hook_slot){.life = TM__HOOK_FREE};
  }
}

int tm__hooks_close(tm__hooks *table)
{
  tm__lock_acquire(&table->lock);
  bool busy = inside_table(table);
  for (size_t i = 0; i < TM__HOOK_SLOTS && innermost; i++)
    busy |= table->slots[i].calls > 0; /* waiting inside a hook could deadlock */
  for (size_t i = 0; i < TM__HOOK_SLOTS && !busy; i++) {
    tm__hook_slot *slot = &table->slots[i];
    uint32_t generation = slot->generation;
    if (slot->life == TM__HOOK_LIVE)
      retire(slot);
    wait_for(slot, generation);
  }
  tm__lock_release(&table->lock);
  return busy ? TM_EBUSY : 0;
}

void tm__hooks_fork_child(tm__hooks *table)
{
  tm__lock_init(&table->lock);
  (void)pthread_cond_init(&table->quiet, NULL);
  table->epoch++;
  table->live = 0;
  for (size_t i = 0; i < TM__HOOK_SLOTS; i++) {
    tm__hook_slot *slot = &table->slots[i];
    slot->calls = 0;
    if (slot->life == TM__HOOK_DYING)
      free_slot(slot);
    table->live += slot->life == TM__HOOK_LIVE;
  }
  update_kinds(table);
}

/* ---- Adding and removing --------------------------------------------------------------------- */

int tm__hooks_add(tm__hooks *table, tm_hook_kind kind, tm_hook_fn fn, void *ctx, tm_hook **out)
{
  if (!fn || (unsigned)kind >= TM_HOOK_KIND_COUNT)
    return TM_EINVAL;
  tm__lock_acquire(&table->lock);
  tm__hook_slot *slot = NULL;
  for (size_t i = 0; i < TM__HOOK_SLOTS && table->live < TM__HOOK_MAX && !slot; i++)
    if (table->slots[i].life == TM__HOOK_FREE)
      slot = &table->slots[i];
  if (slot) {
    if (!slot->table) /* no handle of this slot is out yet: nobody reads it meanwhile */
      slot->table = table;
    slot->fn = fn;
    slot->ctx = ctx;
    slot->kind = kind;
    slot->order = table->next_order++;
    slot->life = TM__HOOK_LIVE;
    table->live++;
    update_kinds(table);
    if (out)
      *out = handle_of(slot);
  }
  tm__lock_release(&table->lock);
  return slot ? 0 : TM_ENOMEM;
}

int tm__hooks_remove(tm_hook *hook, tm__hooks **table)
{
  if (!hook)
    return TM_EINVAL;
  tm__hook_slot *slot = slot_of(hook);
  int result = 0;
  if (!slot->table)
    return TM_EINVAL;
  tm__lock_acquire(&slot->table->lock);
  uint32_t generation = slot->generation;
  bool own = inside_slot(slot);
  *table = slot->table;
  if (slot->life != TM__HOOK_LIVE || handle_of(slot) != hook) {
    result = TM_EINVAL;
  } else if (slot->calls > 0 && innermost && !own) {
    result = TM_EBUSY;
  } else {
    retire(slot);
    if (!own)
      wait_for(slot, generation);
  }
  tm__lock_release(&(*table)->lock);
  return result;
}

/* ---- Calling --------------------------------------------------------------------------------- */

bool tm__hooks_begin(tm__hooks *table, tm_hook_kind kind, uint64_t order, tm__hook_call *call)
{
  tm__hook_slot *first = NULL;
  tm__lock_acquire(&table->lock);
  for (size_t i = 0; i < TM__HOOK_SLOTS; i++) {
    tm__hook_slot *slot = &table->slots[i];
    if (slot->life == TM__HOOK_LIVE && slot->kind == kind && slot->order > order &&
        (!first || slot->order < first->order))
      first = slot;
  }
  if (first) {
    first->calls++;
    *call = (tm__hook_call){first, first->fn, first->ctx, first->order, table->epoch, innermost};
    innermost = call;
  }
  tm__lock_release(&table->lock);
  return first != NULL;
}

void tm__hooks_end(tm__hook_call *call)
{
  tm__hook_slot *slot = call->slot;
  tm__hooks *table = slot->table;
  tm_assert(innermost == call);
  innermost = call->outer;
  tm__lock_acquire(&table->lock);
  if (call->epoch == table->epoch) { /* not forgotten by a fork? */
    slot->calls--;
    if (slot->life == TM__HOOK_DYING && slot->calls == 0)
      free_slot(slot);
  }
  tm__lock_release(&table->lock);
}
