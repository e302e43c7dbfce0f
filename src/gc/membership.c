/* membership.c - see membership.h. */
#define _GNU_SOURCE
#include "gc/membership.h"

#include <string.h>
#include <unistd.h>

#include "gc/policy.h"

#define REFRESH_NS TM__MILLISECOND
#define CLAIM_NS TM__SECOND /* between two attempts to find a free line */
#define PAUSE_NS 10000

/* What is too much for the stack of a thread that allocates. */
typedef struct tm__membership_memory {
  tm__group_peer peers[TM_GROUP_MEMBERS];
  tm__group_members members;
} memory;

enum { MEMORY_BYTES = (sizeof(memory) + TM_OS_PAGE - 1) / TM_OS_PAGE * TM_OS_PAGE };

/* Joining and leaving, of all heaps of the process. */
static struct {
  _Atomic(bool) busy;
  tm__membership *first;
} process;

static void wait_for(_Atomic(bool) *busy)
{
  while (atomic_exchange_explicit(busy, true, memory_order_acquire))
    tm__os_pause(PAUSE_NS);
}

static void let_go(_Atomic(bool) *busy)
{
  atomic_store_explicit(busy, false, memory_order_release);
}

/* ---- Refreshing ------------------------------------------------------------------------------ */

/* A child leaves the line of its parent alone. Some children are made behind fork's back. */
static void notice_fork(tm__membership *m)
{
  if (m->pid == (int)getpid())
    return;
  m->pid = (int)getpid();
  m->me = tm__process_self();
  m->slot = -1;
  m->claim_ns = 0;
}

static void keep_line(tm__membership *m, const tm__membership_news *news)
{
  notice_fork(m);
  if (m->slot >= 0 && !tm__group_owns(m->place.table, m->slot, m->me))
    m->slot = -1; /* it was thought dead: a zombie whose other threads live on */
  if (m->slot >= 0 || news->now_ns < m->claim_ns)
    return;
  m->slot = tm__group_claim(m->place.table, m->me, NULL);
  m->claim_ns = news->now_ns + CLAIM_NS;
}

static tm__group_entry entry_of(const tm__membership *m, const tm__membership_news *news)
{
  tm__share share = tm__share_of(news->state);
  return (tm__group_entry){.author = m->me,
                           .heartbeat_ns = news->now_ns,
                           .live_bytes = share.live_bytes,
                           .footprint_bytes = news->footprint_bytes,
                           .soft_limit_bytes = news->soft_limit_bytes,
                           .growth_rate = (float)share.growth_rate,
                           .collect_speed = (float)share.collect_speed};
}

/* Never 0, which would mean that there is no group; 0 where it has no line: then it is paced as
 * without one. */
static uint64_t part_of(const tm__membership *m, uint64_t budget_bytes)
{
  const tm__group_members *members = &m->memory->members;
  if (m->slot < 0)
    return 0;
  return tm__max(tm__group_part(members, members->self, budget_bytes), 1);
}

static void refresh(tm__membership *m, const tm__membership_news *news)
{
  keep_line(m, news);
  tm__group_entry own = entry_of(m, news);
  if (m->slot >= 0)
    tm__group_write(m->place.table, m->slot, &own);
  tm__group_members *members = &m->memory->members;
  tm__group_scan(m->place.table, m->memory->peers, m->slot, &own, news->now_ns, true, members);
  uint64_t budget = atomic_load(&m->place.table->budget_bytes);
  uint64_t part = part_of(m, budget);
  m->info.budget_bytes = budget;
  m->info.members = members->count + members->asleep;
  m->info.live_bytes = tm__add(members->live_bytes, members->asleep_bytes);
  m->info.footprint_bytes = members->footprint_bytes;
  m->info.share_bytes = part;
  m->info.is_member = m->slot >= 0;
  m->live_bytes = own.live_bytes;
  m->refreshed_ns = news->now_ns;
  tm__counter_set(&m->headroom_bytes, part);
}

uint64_t tm__membership_refresh(tm__membership *m, const tm__membership_news *news)
{
  if (atomic_exchange_explicit(&m->busy, true, memory_order_acquire))
    return tm__counter_read(&m->headroom_bytes);
  if (tm__membership_joined(m) &&
      (news->now_ns - m->refreshed_ns >= REFRESH_NS || m->live_bytes != news->state->live_bytes))
    refresh(m, news);
  uint64_t headroom = tm__counter_read(&m->headroom_bytes);
  tm__counter_set(&m->next_ns, news->now_ns + TM__GROUP_TICK_NS);
  let_go(&m->busy);
  return headroom;
}

bool tm__membership_moved(const tm__membership *m)
{
  uint64_t now = tm__counter_read(&m->headroom_bytes), then = tm__counter_read(&m->applied_bytes);
  uint64_t step = tm__max(then / 16, TM__MIB / 4);
  return tm__less(now, then) > step || tm__less(then, now) > step;
}

bool tm__membership_info(const tm__membership *m, tm_group_info *info)
{
  tm__membership *mine = (tm__membership *)(uintptr_t)m; /* only its lock is touched */
  wait_for(&mine->busy);
  bool joined = tm__membership_joined(m);
  if (joined)
    *info = m->info;
  let_go(&mine->busy);
  return joined;
}

/* ---- Joining --------------------------------------------------------------------------------- */

/* Lines that other heaps of this process have in the same group; what else the process owns there
 * is from before an exec. The lock of joining is held. */
static void fill_held(const tm__membership *me, uint64_t held[TM__GROUP_HELD])
{
  memset(held, 0, TM__GROUP_HELD * sizeof *held);
  for (const tm__membership *m = process.first; m; m = m->next)
    if (m->slot >= 0 && m->place.inode == me->place.inode && m->place.device == me->place.device)
      held[m->slot / 64] |= UINT64_C(1) << (m->slot % 64);
}

/* Does anybody else live here, who has said so? */
static bool others_live(const tm__membership *m)
{
  tm__process_id owner;
  tm__group_entry entry;
  for (int slot = 0; slot < TM_GROUP_MEMBERS; slot++)
    if (slot != m->slot && tm__group_look(m->place.table, slot, &owner, &entry) == TM__LINE_SAID &&
        tm__process_alive(owner))
      return true;
  return false;
}

/*
 * All members have one budget; a new one is taken where nobody lives under the old one. Who comes
 * with the new one moves the budget and then looks for members, who comes with the old one writes
 * its line and then looks at the budget: at least one of the two sees the other.
 */
static int agree(tm__membership *m, uint64_t budget_bytes)
{
  uint64_t theirs = atomic_load(&m->place.table->budget_bytes);
  if (!budget_bytes || theirs == budget_bytes)
    return 0;
  if (others_live(m))
    return TM_ERANGE;
  if (!atomic_compare_exchange_strong(&m->place.table->budget_bytes, &theirs, budget_bytes))
    return theirs == budget_bytes ? 0 : TM_ERANGE;
  if (!others_live(m))
    return 0;
  (void)atomic_compare_exchange_strong(&m->place.table->budget_bytes, &budget_bytes, theirs);
  return TM_ERANGE;
}

static int enter(tm__membership *m, uint64_t budget_bytes, const tm_policy_state *state,
                 uint64_t now_ns)
{
  uint64_t held[TM__GROUP_HELD];
  fill_held(m, held);
  m->me = tm__process_self();
  m->pid = (int)getpid();
  m->slot = tm__group_claim(m->place.table, m->me, held);
  if (m->slot < 0)
    return TM_EBUSY;
  tm__membership_news news = {.state = state, .now_ns = now_ns};
  tm__group_entry own = entry_of(m, &news);
  int error = agree(m, budget_bytes);
  if (!error) {
    tm__group_write(m->place.table, m->slot, &own);
    /* Somebody who saw no word of ours may have moved the budget since. */
    if (budget_bytes && atomic_load(&m->place.table->budget_bytes) != budget_bytes)
      error = TM_ERANGE;
  }
  if (error)
    tm__group_release(m->place.table, m->slot, m->me);
  return error;
}

static int join(tm__membership *m, const char *name, uint64_t budget_bytes,
                const tm_policy_state *state, uint64_t now_ns)
{
  char path[TM__GROUP_PATH];
  const char *base;
  if (tm__membership_joined(m) || budget_bytes > INT64_MAX)
    return TM_EINVAL;
  int error = tm__group_path(name, path, &base);
  if (!error)
    error = tm__group_open(path, budget_bytes, &m->place);
  if (error)
    return error;
  m->memory = tm__os_map(MEMORY_BYTES);
  error = m->memory ? enter(m, budget_bytes, state, now_ns) : TM_ENOMEM;
  if (error) {
    if (m->memory)
      (void)tm__os_unreserve(m->memory, MEMORY_BYTES);
    tm__group_unmap(m->place.table);
    return error;
  }
  tm_group_info_init(&m->info);
  memcpy(m->info.name, base, strlen(base) + 1);
  m->claim_ns = m->refreshed_ns = 0;
  m->live_bytes = UINT64_MAX; /* nothing was told yet */
  m->next = process.first;
  process.first = m;
  tm__counter_set(&m->headroom_bytes, 1);
  tm__counter_set(&m->applied_bytes, 1);
  tm__counter_set(&m->next_ns, 0);
  atomic_store_explicit(&m->joined, true, memory_order_release);
  return 0;
}

int tm__membership_join(tm__membership *m, const char *name, uint64_t budget_bytes,
                        const tm_policy_state *state, uint64_t now_ns)
{
  wait_for(&process.busy);
  wait_for(&m->busy);
  int error = join(m, name, budget_bytes, state, now_ns);
  let_go(&m->busy);
  let_go(&process.busy);
  return error;
}

static void leave(tm__membership *m)
{
  atomic_store_explicit(&m->joined, false, memory_order_release);
  tm__counter_set(&m->headroom_bytes, 0);
  /* Not the parent's line, when a child leaves before it has one. */
  if (m->slot >= 0 && m->pid == (int)getpid())
    tm__group_release(m->place.table, m->slot, m->me);
  tm__group_unmap(m->place.table);
  (void)tm__os_unreserve(m->memory, MEMORY_BYTES);
  m->place.table = NULL;
  m->memory = NULL;
  m->slot = -1;
  for (tm__membership **at = &process.first; *at; at = &(*at)->next)
    if (*at == m) {
      *at = m->next;
      break;
    }
}

int tm__membership_leave(tm__membership *m)
{
  if (!tm__membership_joined(m))
    return TM_EINVAL;
  wait_for(&process.busy);
  wait_for(&m->busy);
  bool joined = tm__membership_joined(m);
  if (joined)
    leave(m);
  let_go(&m->busy);
  let_go(&process.busy);
  return joined ? 0 : TM_EINVAL;
}

/* ---- Fork ------------------------------------------------------------------------------------ */

/* That it is a child is noticed by its pid; here it is about locks that nobody will let go. */
void tm__membership_fork_child(tm__membership *m)
{
  if (atomic_load(&process.busy))
    let_go(&process.busy);
  if (atomic_load(&m->busy))
    let_go(&m->busy);
  if (!tm__membership_joined(m))
    return; /* nothing is written: a child has no page of its own more for groups that it has not */
  tm__counter_set(&m->next_ns, 0);
  m->refreshed_ns = 0;
}
