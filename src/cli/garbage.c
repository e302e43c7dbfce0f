/* garbage.c - see garbage.h. */
#include "cli/garbage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gc/policy.h"

enum {
  TAIL_KNOTS = 4,   /* the rate after the last one is that of so many knots */
  ENOUGH_MINORS = 8 /* between two full runs, to see a rise */
};

/* ---- Knots ----------------------------------------------------------------------------------- */

static bool add_knot(tm__knots *knots, uint64_t allocated, uint64_t bytes)
{
  if (knots->count == knots->capacity) {
    size_t capacity = knots->capacity ? 2 * knots->capacity : 64;
    tm__knot *more = realloc(knots->at, capacity * sizeof *more);
    if (!more)
      return false;
    knots->at = more;
    knots->capacity = capacity;
  }
  knots->at[knots->count++] = (tm__knot){allocated, bytes};
  return true;
}

/* How many knots are at or before that point. */
static size_t knots_before(const tm__knots *knots, uint64_t allocated)
{
  size_t low = 0, high = knots->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (knots->at[middle].allocated_bytes <= allocated)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Bytes made per byte allocated after the last knot: no more than is allocated. */
static double tail_rate(const tm__knots *knots)
{
  if (knots->count < 2)
    return 0;
  const tm__knot *last = &knots->at[knots->count - 1];
  size_t back = tm__min(knots->count - 1, TAIL_KNOTS);
  const tm__knot *from = last - back;
  double span = (double)(last->allocated_bytes - from->allocated_bytes);
  double rate = span > 0 ? (double)(last->bytes - from->bytes) / span : 0;
  return rate < 1 ? rate : 1;
}

uint64_t tm__garbage_made(const tm__garbage *garbage, tm__garbage_kind kind, uint64_t allocated)
{
  const tm__knots *knots = &garbage->made[kind];
  size_t before = knots_before(knots, allocated);
  if (before == 0)
    return 0;
  const tm__knot *left = &knots->at[before - 1], *right = left + 1;
  double beyond = (double)(allocated - left->allocated_bytes);
  if (before == knots->count)
    return left->bytes + (uint64_t)(beyond * tail_rate(knots));
  double span = (double)(right->allocated_bytes - left->allocated_bytes);
  return left->bytes + (uint64_t)((double)(right->bytes - left->bytes) * (beyond / span));
}

uint64_t tm__garbage_left(const tm__garbage *garbage, uint64_t allocated, uint64_t there,
                          uint64_t left)
{
  const tm__knots *floats = &garbage->floats;
  size_t before = knots_before(floats, allocated);
  if (!floats->count)
    return 0;
  uint64_t most = floats->at[tm__min(before, floats->count - 1)].bytes;
  return tm__min(there, tm__min(most, tm__max(left, there / 2)));
}

/* ---- Learning -------------------------------------------------------------------------------- */

/* From one full run to the next, or to the end of the recording. */
typedef struct interval {
  const tm__found *minors;
  size_t count;
  const tm__found *full; /* NULL: the end */
  uint64_t start;        /* allocated bytes */
  uint64_t live;         /* footprint at the start: nothing but what is live */
} interval;

/* Sums of a line by least squares. */
typedef struct line {
  double n, x, y, xx, xy;
} line;

typedef struct learner {
  tm__garbage *garbage;
  bool adds;                   /* second pass: knots are added */
  uint64_t young, old, caches; /* made so far */
  double minor_rate;           /* YOUNG per allocated byte */
  uint64_t floats;             /* in the last whole interval */
  line left;                   /* first pass: what minor runs left, by the interval's length; */
  double leaked, span;         /* where enough minor runs tell: what leaked, over what length */
} learner;

static void add_point(line *l, double x, double y)
{
  l->n += 1;
  l->x += x;
  l->y += y;
  l->xx += x * x;
  l->xy += x * y;
}

/* Infinite: there are too few points, or they lie above each other. */
static double slope_of(const line *l)
{
  double variance = l->n >= 3 ? l->xx - l->x * l->x / l->n : 0;
  bool seen = variance > 1e-3 * l->xx;
  return seen ? (l->xy - l->x * l->y / l->n) / variance : (double)INFINITY;
}

static double rate(uint64_t bytes, uint64_t from, uint64_t to)
{
  return to > from ? (double)bytes / (double)(to - from) : 0;
}

static void learn_minor_rate(learner *l, const interval *in)
{
  uint64_t freed = 0;
  for (size_t i = 0; i < in->count; i++)
    freed += in->minors[i].freed_bytes;
  if (in->count)
    l->minor_rate = rate(freed, in->start, in->minors[in->count - 1].allocated_bytes);
}

/*
 * How fast the footprint after minor runs rises above the live bytes: over the later three quarters
 * of them, because what floats has to gather first. Infinite if that cannot be said: there are few,
 * or the live bytes do not lie on a line, since what is above them is not between nothing and what
 * was left in the end.
 */
static double rise(const interval *in, uint64_t left)
{
  line above = {0};
  double span = (double)(in->full->allocated_bytes - in->start), most = (double)left;
  double live_start = (double)in->live, live_end = (double)in->full->after_bytes;
  size_t strange = 0;
  for (size_t i = in->count / 4; i < in->count; i++) {
    double at = (double)(in->minors[i].allocated_bytes - in->start);
    double live = live_start + (live_end - live_start) * (at / span);
    double bytes = (double)in->minors[i].after_bytes - live;
    strange += bytes < -0.5 * most || bytes > 1.5 * most;
    add_point(&above, at, bytes);
  }
  return in->count < ENOUGH_MINORS || strange > in->count / 4 ? (double)INFINITY : slope_of(&above);
}

/* How much of what was left leaked, if it leaks so fast? */
static uint64_t leak(const interval *in, uint64_t left, double slope)
{
  double span = (double)(in->full->allocated_bytes - in->start), bytes = slope * span;
  return bytes > 0 ? (bytes < (double)left ? (uint64_t)bytes : left) : 0;
}

/*
 * What minor runs did not find, a full run did: how much of it leaked, and how much floated? Where
 * this interval cannot tell, others do: those that can, or all of them together, because what leaks
 * grows with their length. If nothing tells, all leaked.
 */
static uint64_t leaked(const learner *l, const interval *in, uint64_t left)
{
  if (in->full->allocated_bytes == in->start || !in->count)
    return left;
  double slope = rise(in, left);
  if (isinf(slope))
    slope = l->span > 0 ? l->leaked / l->span : slope_of(&l->left);
  return leak(in, left, slope);
}

static void measure(learner *l, const interval *in, uint64_t left)
{
  double span = (double)(in->full->allocated_bytes - in->start);
  add_point(&l->left, span, (double)left);
  double slope = span > 0 ? rise(in, left) : (double)INFINITY;
  if (isinf(slope))
    return;
  l->leaked += (double)leak(in, left, slope);
  l->span += span;
}

static bool add_minors(learner *l, const interval *in)
{
  uint64_t left = 0;
  bool ok = true;
  for (size_t i = 0; l->adds && i < in->count && ok; i++) {
    const tm__found *minor = &in->minors[i];
    left = tm__min(l->floats, tm__max(left, minor->freed_bytes));
    l->young += minor->freed_bytes;
    ok = add_knot(&l->garbage->made[TM__YOUNG], minor->allocated_bytes, l->young + left);
  }
  return ok;
}

static bool learn_interval(learner *l, const interval *in)
{
  learn_minor_rate(l, in);
  if (!in->full)
    return add_minors(l, in);
  uint64_t at = in->full->allocated_bytes, freed = in->full->freed_bytes;
  uint64_t last = in->count ? in->minors[in->count - 1].allocated_bytes : in->start;
  double since = l->minor_rate * (double)(at - last);
  uint64_t of_young = since < (double)freed ? (uint64_t)since : freed;
  if (!l->adds) {
    measure(l, in, freed - of_young);
    return true;
  }
  uint64_t old = leaked(l, in, freed - of_young);
  l->floats = freed - of_young - old;
  bool ok = add_minors(l, in);
  l->young += freed - old;
  l->old += old;
  return ok && add_knot(&l->garbage->made[TM__YOUNG], at, l->young) &&
         add_knot(&l->garbage->made[TM__OLD], at, l->old) &&
         add_knot(&l->garbage->floats, at, l->floats);
}

static bool start_knots(tm__garbage *garbage, uint64_t allocated)
{
  for (size_t i = 0; i < TM__GARBAGE_KINDS; i++)
    if (!add_knot(&garbage->made[i], allocated, 0))
      return false;
  return true;
}

static bool learn_caches(learner *l, const tm__found *found, size_t count)
{
  bool ok = true;
  for (size_t i = 0; i < count && ok; i++)
    if (found[i].by == TM__BY_DROPPING)
      ok = add_knot(&l->garbage->made[TM__CACHE], found[i].allocated_bytes,
                    l->caches += found[i].freed_bytes);
  return ok;
}

/* One pass over the runs, interval by interval. `minors` has room for all. */
static bool learn_pass(learner *l, interval in, tm__found *minors, const tm__found *found,
                       size_t count)
{
  bool ok = true;
  in.minors = minors;
  for (size_t i = 0; i < count && ok; i++) {
    if (found[i].by == TM__BY_MINOR)
      minors[in.count++] = found[i];
    if (found[i].by != TM__BY_FULL)
      continue;
    in.full = &found[i];
    ok = learn_interval(l, &in);
    in = (interval){
        .minors = minors, .start = found[i].allocated_bytes, .live = found[i].after_bytes};
  }
  return ok && learn_interval(l, &in);
}

int tm__garbage_learn(tm__garbage *garbage, uint64_t allocated, uint64_t footprint,
                      const tm__found *found, size_t count)
{
  learner first = {.garbage = garbage}, second = {.garbage = garbage, .adds = true};
  interval in = {.start = allocated, .live = footprint};
  memset(garbage, 0, sizeof *garbage);
  tm__found *minors = malloc((count + 1) * sizeof *minors);
  bool ok = minors && learn_pass(&first, in, minors, found, count);
  second.left = first.left;
  second.leaked = first.leaked;
  second.span = first.span;
  ok = ok && start_knots(garbage, allocated) && learn_caches(&second, found, count) &&
       learn_pass(&second, in, minors, found, count);
  free(minors);
  return ok ? TM_OK : TM_ENOMEM;
}

void tm__garbage_free(tm__garbage *garbage)
{
  for (size_t i = 0; i < TM__GARBAGE_KINDS; i++)
    free(garbage->made[i].at);
  free(garbage->floats.at);
  memset(garbage, 0, sizeof *garbage);
}
