/* limits.c - limits from the control group, for one heap. See pressure.h. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tidemark/pressure.h>

#include "gc/allowance.h"
#include "heap/safepoint.h"

enum { ROOT_BYTES = 512 };

/* Percentages and names of the options, and the last look. One mapping. */
struct tm_limits {
  tm_heap *heap;
  char root[ROOT_BYTES];
  unsigned soft_percent, hard_percent;
  uint64_t interval_ns;
  _Atomic(uint64_t) next_ns; /* when tm_limits_poll looks again */
  /* The process whose thread looks, 0 = none. Not a lock: a fork may come at any time, and what
   * then looks in the parent does not look in the child. */
  _Atomic(pid_t) looking;
  tm_limits_found found;
};

void tm_limits_options_init(tm_limits_options *options)
{
  memset(options, 0, sizeof *options);
  options->size = sizeof *options;
  options->root = "";
  options->hard_percent = 90;
  options->soft_percent = 75;
  options->interval_ms = 10000;
}

static bool take_options(tm_limits_options *mine, const tm_limits_options *theirs)
{
  tm_limits_options_init(mine);
  if (theirs && (theirs->size == 0 || theirs->size > sizeof *mine))
    return false;
  if (theirs)
    memcpy(mine, theirs, theirs->size);
  return mine->root && strlen(mine->root) < ROOT_BYTES && mine->hard_percent >= 1 &&
         mine->hard_percent <= 100 && mine->soft_percent >= 1 &&
         mine->soft_percent <= mine->hard_percent && mine->interval_ms >= 100 &&
         mine->interval_ms <= 3600000;
}

/* ---- Looking -------------------------------------------------------------------------------- */

static bool begin(tm_limits *limits)
{
  pid_t self = getpid(), before = atomic_load(&limits->looking);
  return before != self && atomic_compare_exchange_strong(&limits->looking, &before, self);
}

static void end(tm_limits *limits)
{
  atomic_store(&limits->looking, 0);
}

static uint64_t or_none(uint64_t bytes)
{
  return bytes == TM__NO_LIMIT ? 0 : bytes;
}

/* A group that went out of sight leaves its limits as they were: what was allowed last is the best
 * that is known. Between begin and end. */
static bool look(tm_limits *limits)
{
  tm__allowance allowance;
  tm_limits_found *found = &limits->found;
  if (!tm__allowance_read(limits->root, &allowance))
    return false;
  found->version = allowance.version;
  found->max_bytes = or_none(allowance.max_bytes);
  found->high_bytes = or_none(allowance.high_bytes);
  tm__allowance_limits(&allowance, limits->soft_percent, limits->hard_percent, &found->soft_bytes,
                       &found->hard_bytes);
  found->looks_total++;
  return true;
}

static bool apply(tm_limits *limits)
{
  const tm_limits_found *found = &limits->found;
  bool changed = tm__safepoint_environment(limits->heap, found->soft_bytes, found->hard_bytes);
  limits->found.changes_total += changed;
  return changed;
}

int tm_limits_refresh(tm_limits *limits)
{
  if (!limits)
    return TM_EINVAL;
  if (!begin(limits))
    return 0;
  atomic_store(&limits->next_ns, tm__os_now_ns() + limits->interval_ns);
  bool changed = look(limits) && apply(limits);
  end(limits);
  return changed;
}

int tm_limits_poll(tm_limits *limits)
{
  if (!limits)
    return TM_EINVAL;
  return tm__os_now_ns() < atomic_load(&limits->next_ns) ? 0 : tm_limits_refresh(limits);
}

int tm_limits_read(tm_limits *limits, tm_limits_found *out)
{
  if (!limits || !out)
    return TM_EINVAL;
  if (!begin(limits))
    return TM_EBUSY;
  *out = limits->found;
  end(limits);
  return 0;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static size_t mapped_bytes(void)
{
  return (sizeof(tm_limits) + TM_OS_PAGE - 1) / TM_OS_PAGE * TM_OS_PAGE;
}

static void give_back(tm_limits *limits)
{
  (void)munmap(limits, mapped_bytes());
}

int tm_limits_from_environment(tm_heap *heap, const tm_limits_options *options, tm_limits **out)
{
  tm_limits_options mine;
  if (out)
    *out = NULL;
  if (!heap || !out || !take_options(&mine, options))
    return TM_EINVAL;
  tm_limits *limits = tm__os_map(mapped_bytes());
  if (!limits)
    return TM_ENOMEM;
  limits->heap = heap;
  memcpy(limits->root, mine.root, strlen(mine.root) + 1);
  limits->soft_percent = mine.soft_percent;
  limits->hard_percent = mine.hard_percent;
  limits->interval_ns = mine.interval_ms * 1000000;
  int error = look(limits) ? 0 : TM_ENOTSUP;
  tm_limits *none = NULL;
  if (!error && !atomic_compare_exchange_strong(&heap->limits, &none, limits))
    error = TM_EBUSY;
  if (error) {
    give_back(limits);
    return error;
  }
  (void)apply(limits);
  atomic_store(&limits->next_ns, tm__os_now_ns() + limits->interval_ns);
  *out = limits;
  return 0;
}

int tm_limits_close(tm_limits *limits)
{
  if (!limits)
    return TM_EINVAL;
  (void)tm__safepoint_environment(limits->heap, 0, 0);
  atomic_store(&limits->heap->limits, NULL);
  give_back(limits);
  return 0;
}
