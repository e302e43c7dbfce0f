/* shares.c - the square-root rule over a common budget. See shares.h. */
#include "gc/shares.h"

#include <math.h>

#include "gc/policy.h"

/* Beyond it a ratio of rates is a broken clock, and its square root times L would be no number. */
#define RATIO_MAX 1e12

tm__share tm__share_of(const tm_policy_state *state)
{
  return (tm__share){.live_bytes = state->live_bytes,
                     .growth_rate = tm__growth_rate(state),
                     .collect_speed = state->speed_samples ? state->collect_speed : 0};
}

static bool measured(const tm__share *member)
{
  return member->growth_rate > 0 && member->collect_speed > 0;
}

static double weight_of(const tm__share *member)
{
  double ratio = member->growth_rate / member->collect_speed;
  ratio = ratio < RATIO_MAX ? ratio : RATIO_MAX;
  return sqrt((double)member->live_bytes * ratio);
}

typedef struct table {
  uint64_t free_bytes; /* B - sum L */
  double weights;      /* of the measured members, */
  double measured;     /* and how many they are */
} table;

static table sum_up(uint64_t budget_bytes, const tm__share *members, size_t count)
{
  table t = {.free_bytes = budget_bytes};
  for (size_t i = 0; i < count; i++) {
    t.free_bytes = tm__less(t.free_bytes, members[i].live_bytes);
    if (measured(&members[i])) {
      t.weights += weight_of(&members[i]);
      t.measured += 1;
    }
  }
  return t;
}

/* In units of an even part, so that all of them together are `count`. */
static double parts_of(const table *t, const tm__share *member)
{
  if (!measured(member) || !(t->weights > 0))
    return 1.0;
  return weight_of(member) / t->weights * t->measured;
}

/* Where a member's part begins, the members' parts laid end to end: rounded once per border, the
 * parts add up. */
static uint64_t border(const table *t, double before, double all)
{
  return tm__min(tm__scale(t->free_bytes, before / all), t->free_bytes);
}

uint64_t tm__share_headroom(uint64_t budget_bytes, const tm__share *members, size_t count,
                            size_t index)
{
  table t = sum_up(budget_bytes, members, count);
  double all = 0, before = 0, after = 0;
  for (size_t i = 0; i < count; i++) {
    before = i == index ? all : before;
    all += parts_of(&t, &members[i]);
    after = i == index ? all : after;
  }
  if (index >= count || !(all > 0))
    return 0;
  uint64_t end = index + 1 == count ? t.free_bytes : border(&t, after, all);
  return tm__less(end, border(&t, before, all));
}
