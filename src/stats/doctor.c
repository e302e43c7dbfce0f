/*
 * doctor.c - the rules. Each looks at the case and either says nothing or writes the finding.
 *
 * What is seen at one moment may be gone at the next: where there is a history, levels are taken at
 * their lowest in it, and totals as they grew.
 */
#include <string.h>
#include <tidemark/doctor.h>

#include "base/hints.h"
#include "stats/sentence.h"

#define SECOND UINT64_C(1000000000)

/* All that the rules look at. */
typedef struct patient {
  const tm_checkup *const *history;
  size_t count;
  const tm_checkup *now;
  const tm_checkup *before; /* the oldest; NULL with a single checkup: totals are since the start */
  uint64_t span_ns;         /* from before to now */
} patient;

typedef bool (*rule_fn)(const patient *p, tm_finding *f);

#define GATE(name, id, percent, bytes, of) {percent, bytes},
static const struct {
  double percent;
  uint64_t bytes;
} gates[TM_FINDING_COUNT] = {TM_DOCTOR_RULES(GATE)};

/* Both gates: part is at least the rule's percentage of whole, and bytes its amount. */
static bool passes(tm_finding_id id, uint64_t part, uint64_t whole, uint64_t bytes)
{
  return whole && tm__percent(part, whole) >= gates[id].percent && bytes >= gates[id].bytes;
}

static uint64_t above(uint64_t a, uint64_t b)
{
  return a > b ? a - b : 0;
}

#define WHAT(f, ...) tm__sentence((f)->what, sizeof(f)->what, __VA_ARGS__)
#define REMEDY(f, ...) tm__sentence((f)->remedy, sizeof(f)->remedy, __VA_ARGS__)

/* The growth of a total since the history began. */
#define GREW(p, member) above((p)->now->member, (p)->before ? (p)->before->member : 0)

/* ---- Limits --------------------------------------------------------------------------------- */

static bool near_hard(const patient *p, tm_finding *f)
{
  uint64_t used = p->now->stats.footprint_bytes, limit = p->now->stats.hard_limit_bytes;
  uint64_t failed = GREW(p, stats.failures_total[TM_FAIL_LIMIT]);
  if (!passes(f->id, used, limit, used))
    return false;
  f->level = failed ? TM_LEVEL_ALARM : TM_LEVEL_WARNING;
  WHAT(f, "The footprint of %b is %p %% of the hard limit of %b; %n requests failed at it.", used,
       tm__percent(used, limit), limit, failed);
  REMEDY(f, "Raise the limit, or find in the rows of pools and tags what holds the memory; with a "
            "soft limit of three quarters of it the collectors start earlier.");
  return true;
}

/* Near the soft limit is where a heap is meant to be: it is a trouble when it does not get away. */
static bool near_soft(const patient *p, tm_finding *f)
{
  uint64_t lowest = UINT64_MAX, limit = p->now->stats.soft_limit_bytes;
  for (size_t i = 0; i < p->count; i++)
    if (p->history[i]->stats.footprint_bytes < lowest)
      lowest = p->history[i]->stats.footprint_bytes;
  if (!passes(f->id, lowest, limit, lowest) || (!p->before && lowest < limit))
    return false;
  f->level = lowest >= limit ? TM_LEVEL_WARNING : TM_LEVEL_NOTE;
  WHAT(f,
       "The footprint did not fall below %b, %p %% of the soft limit of %b: what is kept is as "
       "much as the heap should have at all.",
       lowest, tm__percent(lowest, limit), limit);
  REMEDY(f,
         "Raise the soft limit, or keep less; until then collections run often and free little.");
  return true;
}

static bool near_limit(const patient *p, tm_finding *f)
{
  return near_hard(p, f) || near_soft(p, f);
}

static bool above_group(const patient *p, tm_finding *f)
{
  const tm_stats *s = &p->now->stats;
  uint64_t group = p->now->group_limit_bytes;
  uint64_t limit = s->hard_limit_bytes ? s->hard_limit_bytes : s->soft_limit_bytes;
  if (!passes(f->id, limit, group, above(limit, group)))
    return false;
  f->level = TM_LEVEL_WARNING;
  WHAT(f,
       "The %s limit of %b is above the %b that the control group allows: the kernel ends the "
       "process before the heap would act.",
       s->hard_limit_bytes ? "hard" : "soft", limit, group);
  REMEDY(f,
         "Set it to three quarters of %b or less, or let it follow the group: 'tidemark run "
         "--limits-from-cgroup', tm_limits_from_environment().",
         group);
  return true;
}

/* ---- Collectors ----------------------------------------------------------------------------- */

enum { RUNS_TO_JUDGE = 5 };

static bool nothing_freed(const patient *p, tm_finding *f)
{
  uint64_t runs = GREW(p, actions[TM_COLLECT].runs_total);
  uint64_t freed = GREW(p, actions[TM_COLLECT].reclaimed_bytes_total);
  uint64_t took_ns = GREW(p, actions[TM_COLLECT].duration_ns_total);
  uint64_t used = p->now->stats.footprint_bytes;
  if (runs < RUNS_TO_JUDGE || used < gates[f->id].bytes ||
      tm__percent(freed / runs, used) >= gates[f->id].percent)
    return false;
  f->level = TM_LEVEL_NOTE;
  WHAT(f,
       "%n full collections took %t and freed %b together, while the footprint is %b: what is "
       "there is in use.",
       runs, took_ns, freed, used);
  REMEDY(f,
         "Let it collect less often: a higher soft limit, or 'growth' of more percent. If memory "
         "should have been freed, something still refers to it.");
  return true;
}

static bool not_served(const patient *p, tm_finding *f)
{
  const tm_stats *s = &p->now->stats;
  uint64_t waits_ns = s->pending_since ? above(p->now->time_ns, s->pending_since) : 0;
  if (waits_ns < 10 * SECOND || p->now->next_due_ns > p->now->time_ns ||
      !passes(f->id, s->footprint_bytes, s->trip_bytes, above(s->footprint_bytes, s->trip_bytes)))
    return false;
  f->level = s->soft_limit_bytes && s->footprint_bytes > s->soft_limit_bytes ? TM_LEVEL_ALARM
                                                                             : TM_LEVEL_WARNING;
  WHAT(f, "An action is due for %t and the footprint is %b, %b above the trip: nobody polls.",
       waits_ns, s->footprint_bytes, above(s->footprint_bytes, s->trip_bytes));
  REMEDY(f, "Call tm_poll where hooks may run: at back edges, on notify, or by a monitor with "
            "deliver_heap. A Python program polls when its main thread returns from C code.");
  return true;
}

static bool cpu_cap(const patient *p, tm_finding *f)
{
  uint64_t held = 0, ran = 0, used = p->now->stats.footprint_bytes;
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++) {
    held += GREW(p, actions[i].suppressed_total[TM_SUPPRESSED_CAP]);
    ran += GREW(p, actions[i].runs_total);
  }
  if (!passes(f->id, held, held + ran, used))
    return false;
  f->level = TM_LEVEL_WARNING;
  WHAT(f,
       "%n of %n actions were held back because collecting had used up its %n %% of the time: "
       "the heap grows instead.",
       held, held + ran, (uint64_t)p->now->cpu_cap_percent);
  REMEDY(f, "Give it more memory: a higher soft limit makes collections rarer. Or more time: "
            "cpu_cap_percent of the policy.");
  return true;
}

/* ---- Memory --------------------------------------------------------------------------------- */

/* The checkup in which the part of what is committed was the smallest. */
static const tm_checkup *lowest_share(const patient *p, uint64_t (*part)(const tm_stats *))
{
  const tm_checkup *lowest = p->now;
  double share = 1e9;
  for (size_t i = 0; i < p->count; i++) {
    const tm_stats *s = &p->history[i]->stats;
    double one = tm__percent(part(s), s->committed_bytes);
    if (one < share) {
      share = one;
      lowest = p->history[i];
    }
  }
  return lowest;
}

static uint64_t free_part(const tm_stats *s)
{
  return s->free_bytes + s->waste_bytes;
}

static uint64_t dirty_part(const tm_stats *s)
{
  return s->dirty_bytes;
}

static bool fragmented(const patient *p, tm_finding *f)
{
  const tm_stats *s = &lowest_share(p, free_part)->stats;
  uint64_t part = free_part(s);
  if (!passes(f->id, part, s->committed_bytes, part))
    return false;
  f->level = TM_LEVEL_WARNING;
  WHAT(f, "%b of %b committed are free blocks in pages that others keep in use.", part,
       s->committed_bytes);
  if (s->fragmentation_bytes >= part / 4)
    REMEDY(f,
           "Moving blocks would release %b of it: compact (tm_should_move, a TM_COMPACT hook). "
           "tm_trim gives back what can be had without moving.",
           s->fragmentation_bytes);
  else
    REMEDY(f, "tm_trim gives back the parts of pages that no block touches. Put what lives long "
              "into a pool of its own, away from what comes and goes.");
  return true;
}

static bool dirty_kept(const patient *p, tm_finding *f)
{
  const tm_stats *s = &lowest_share(p, dirty_part)->stats;
  if (p->span_ns < 30 * SECOND ||
      !passes(f->id, s->dirty_bytes, s->committed_bytes, s->dirty_bytes))
    return false;
  f->level = TM_LEVEL_NOTE;
  WHAT(f,
       "%b of %b committed are free and were not given back to the system for %t: the process "
       "makes no requests that would do it.",
       s->dirty_bytes, s->committed_bytes, p->span_ns);
  REMEDY(f, "Call tm_trim, or tm_poll from a timer, when the program is idle.");
  return true;
}

/* ---- What is not the heap's ----------------------------------------------------------------- */

static bool outside(const patient *p, tm_finding *f)
{
  const tm_checkup *c = p->now;
  uint64_t unknown = above(c->resident_bytes, c->known_bytes);
  uint64_t known = c->known_bytes ? c->known_bytes : 1; /* heaps that hold nothing know nothing */
  if (!c->first || !passes(f->id, c->resident_bytes, known, unknown))
    return false;
  f->level = TM_LEVEL_WARNING;
  f->heap[0] = 0;
  WHAT(f,
       "The process has %b in memory, of which the heaps know %b: %b are allocated past them and "
       "no policy sees them.",
       c->resident_bytes, c->known_bytes, unknown);
  REMEDY(f,
         "Tell of them with tm_inform (mappings, GPU buffers, libraries' own allocators), or run "
         "the program under 'tidemark run', which serves malloc too.");
  return true;
}

/* By how much a tag grew since the oldest checkup; 0 iff it fell or stood still in between. */
static uint64_t steady_growth(const patient *p, size_t tag)
{
  int64_t first = 0, last = 0;
  for (size_t i = 0; i < p->count; i++) {
    const tm_checkup *c = p->history[i];
    if (tag >= c->tag_count)
      return 0; /* it is younger than the history */
    int64_t bytes = c->tags[tag].informed_bytes;
    if (i == 0)
      first = bytes;
    else if (bytes <= last)
      return 0;
    last = bytes;
  }
  return first > 0 ? (uint64_t)(last - first) : 0;
}

enum { CHECKUPS_TO_JUDGE = 4 };

static bool tag_grows(const patient *p, tm_finding *f)
{
  uint64_t most = 0;
  size_t which = 0;
  for (size_t i = 0; p->count >= CHECKUPS_TO_JUDGE && i < p->now->tag_count; i++) {
    uint64_t grew = steady_growth(p, i);
    uint64_t was = (uint64_t)p->history[0]->tags[i].informed_bytes;
    if (grew > most && passes(f->id, grew, was, grew)) {
      most = grew;
      which = i;
    }
  }
  if (!most)
    return false;
  const tm_tag_row *row = &p->now->tags[which];
  f->level = TM_LEVEL_WARNING;
  WHAT(f, "The tag '%s' grew by %b to %b within %t and never fell.", row->name, most,
       (uint64_t)row->informed_bytes, p->span_ns);
  REMEDY(f, "See that each tm_inform of it has its counterpart when the memory is freed; if they "
            "all have, what it stands for is kept without bound.");
  return true;
}

static bool families_mixed(const patient *p, tm_finding *f)
{
  const tm_stats *s = &p->now->stats;
  uint64_t mixed = GREW(p, stats.family_mismatches_total), frees = GREW(p, stats.frees_total);
  uint64_t mean = frees ? GREW(p, stats.freed_bytes_total) / frees : 0;
  if (!passes(f->id, mixed, frees, mixed * mean))
    return false;
  f->level = TM_LEVEL_WARNING;
  WHAT(f,
       "%n blocks, %n since the start, were freed or resized by another family of functions than "
       "allocated them.",
       mixed, s->family_mismatches_total);
  REMEDY(f, "Run it with TM_MISMATCH=abort under a debugger: it stops at the call that is wrong. "
            "With other allocators such a call corrupts memory.");
  return true;
}

/* ---- The round ------------------------------------------------------------------------------ */

static const rule_fn rules[TM_FINDING_COUNT] = {
    [TM_FINDING_NEAR_LIMIT] = near_limit, [TM_FINDING_NOTHING_FREED] = nothing_freed,
    [TM_FINDING_NOT_SERVED] = not_served, [TM_FINDING_FRAGMENTED] = fragmented,
    [TM_FINDING_DIRTY_KEPT] = dirty_kept, [TM_FINDING_OUTSIDE] = outside,
    [TM_FINDING_TAG_GROWS] = tag_grows,   [TM_FINDING_FAMILIES_MIXED] = families_mixed,
    [TM_FINDING_CPU_CAP] = cpu_cap,       [TM_FINDING_ABOVE_GROUP] = above_group,
};

/* A checkup of another version of the library is not understood. */
static bool is_sound(const tm_checkup *const *history, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (!history[i] || history[i]->size != sizeof(tm_checkup) ||
        history[i]->tag_count > TM_CHECKUP_TAGS)
      return false;
  return history && count;
}

size_t tm_doctor_examine(const tm_checkup *const *history, size_t count, tm_finding *out,
                         size_t capacity)
{
  tm_finding found[TM_FINDING_COUNT];
  size_t n = 0, written = 0;
  if (!is_sound(history, history ? count : 0))
    return 0;
  patient p = {history, count, history[count - 1], count > 1 ? history[0] : NULL, 0};
  if (p.before)
    p.span_ns = above(p.now->time_ns, p.before->time_ns);
  for (int id = 0; id < TM_FINDING_COUNT; id++) {
    tm_finding *f = &found[n];
    memset(f, 0, sizeof *f);
    f->id = (tm_finding_id)id;
    memcpy(f->heap, p.now->heap, sizeof f->heap);
    n += rules[id](&p, f);
  }
  for (int level = TM_LEVEL_ALARM; level >= TM_LEVEL_NOTE; level--)
    for (size_t i = 0; i < n && out && written < capacity; i++)
      if ((int)found[i].level == level)
        out[written++] = found[i];
  return n;
}
