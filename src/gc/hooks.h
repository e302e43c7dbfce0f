/*
 * hooks.h - one heap's hooks: 64 fixed slots, nothing is allocated.
 *
 *   slot   FREE -> LIVE (add) -> FREE (remove)           no call in flight
 *                       LIVE -> DYING (remove) -> FREE   the last call in flight returned
 *
 *   live <= TM__HOOK_MAX          a call holds its slot: calls > 0 => not FREE
 *
 * A tm_hook pointer names a slot and a generation at once: it points at byte `generation % 64` of
 * the slot's `names`, which are never read. So a handle that was removed is known as such even
 * when its slot has a new tenant (up to 63 tenants later).
 *
 * Threads: everything is guarded by the table's own lock, which is never held during a call. {fn,
 * ctx} is copied under it together with the slot, so a call never sees halves of two hooks.
 */
#ifndef TM_GC_HOOKS_H
#define TM_GC_HOOKS_H

#include <tidemark/gc.h>

#include "base/atomics.h"
#include "base/os.h"

enum {
  TM__HOOK_MAX = 64,                 /* live hooks of a heap */
  TM__HOOK_SLOTS = TM__HOOK_MAX + 1, /* one more: a hook that removed itself still runs */
  TM__HOOK_NAMES = 64,
  TM__HOOK_SLOT_BYTES = 128
};

typedef enum { TM__HOOK_FREE, TM__HOOK_LIVE, TM__HOOK_DYING } tm__hook_life;

struct tm__hooks;

typedef struct tm__hook_slot {
  TM_ALIGNED(TM__HOOK_SLOT_BYTES) unsigned char names[TM__HOOK_NAMES];
  tm_hook_fn fn;
  void *ctx;
  struct tm__hooks *table; /* set by the slot's first tenant */
  uint64_t order;          /* of registration, over the table's life */
  uint32_t generation;
  uint32_t calls; /* in flight */
  tm_hook_kind kind;
  tm__hook_life life;
} tm__hook_slot;

typedef struct tm__hooks {
  tm__hook_slot slots[TM__HOOK_SLOTS];
  tm__lock lock;
  pthread_cond_t quiet; /* a DYING slot became FREE */
  uint64_t next_order;
  uint32_t live;
  uint32_t epoch;          /* counts forks: calls begun before one are not counted any more */
  _Atomic(unsigned) kinds; /* 1 << tm_hook_kind for each kind that has a live hook */
} tm__hooks;

/* One call; lives on the caller's stack, linked into its thread's list of calls. */
typedef struct tm__hook_call {
  tm__hook_slot *slot;
  tm_hook_fn fn;
  void *ctx;
  uint64_t order;
  uint32_t epoch;
  struct tm__hook_call *outer;
} tm__hook_call;

/* Of memory that is zero or was a table. */
TM_HIDDEN void tm__hooks_init(tm__hooks *table);
/* Removes all hooks, waiting for calls in other threads. TM_EBUSY, and nothing is removed, inside
 * a hook of this table, or inside another table's hook while this one has a call in flight. */
TM_HIDDEN int tm__hooks_close(tm__hooks *table);
/* In a forked child: calls in flight are forgotten, dying slots are free. */
TM_HIDDEN void tm__hooks_fork_child(tm__hooks *table);

/* As tm_hook_add. */
TM_HIDDEN int tm__hooks_add(tm__hooks *table, tm_hook_kind kind, tm_hook_fn fn, void *ctx,
                            tm_hook **out);
/* As tm_hook_remove; *table is set unless TM_EINVAL. */
TM_HIDDEN int tm__hooks_remove(tm_hook *hook, tm__hooks **table);

/* Begins a call of the first live hook of `kind` registered after `order` (0: the very first);
 * false iff there is none. The caller calls call->fn and then tm__hooks_end. */
TM_HIDDEN bool tm__hooks_begin(tm__hooks *table, tm_hook_kind kind, uint64_t order,
                               tm__hook_call *call);
TM_HIDDEN void tm__hooks_end(tm__hook_call *call);

/* Kinds that have a live hook, as bits 1 << tm_hook_kind. */
TM_INLINE unsigned tm__hooks_kinds(tm__hooks *table)
{
  return atomic_load_explicit(&table->kinds, memory_order_acquire);
}

/* A number that names the calling thread while it lives; never 0; the same in a forked child. */
TM_HIDDEN uintptr_t tm__thread_token(void);

#endif
