/* cost.c - see cost.h. */
#include "cli/cost.h"

#include <stdlib.h>

enum { AROUND = 2 }; /* runs on either side of the nearest one */
#define HICCUP 3.0   /* times the line: not of the work */

/* ---- Growing --------------------------------------------------------------------------------- */

/* Room for one more of `size` bytes: the array, perhaps moved, or NULL; it is then unchanged. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
  if (count < *capacity)
    return items;
  size_t more = *capacity ? 2 * *capacity : 64;
  void *moved = realloc(items, more * size);
  if (moved)
    *capacity = more;
  return moved;
}

static bool mark(tm__cost *cost, uint64_t allocated, bool refused)
{
  size_t n = cost->refusal_count;
  if (n ? cost->refusals[n - 1].refused == refused : !refused)
    return true;
  tm__refusal *marks = grow(cost->refusals, n, &cost->refusal_capacity, sizeof *marks);
  if (!marks)
    return false;
  cost->refusals = marks;
  marks[cost->refusal_count++] = (tm__refusal){allocated, refused};
  return true;
}

bool tm__cost_refuse(tm__cost *cost, uint64_t allocated)
{
  /* the very first: it was no other before */
  return mark(cost, cost->count || cost->refusal_count ? allocated : 0, true);
}

bool tm__cost_add(tm__cost *cost, const tm__past_run *run)
{
  tm__past_run *runs = grow(cost->runs, cost->count, &cost->capacity, sizeof *runs);
  if (!runs)
    return false;
  cost->runs = runs;
  runs[cost->count++] = *run;
  return mark(cost, run->allocated_bytes, false);
}

void tm__cost_free(tm__cost *cost)
{
  free(cost->runs);
  free(cost->refusals);
  *cost = (tm__cost){0};
}

/* ---- The line -------------------------------------------------------------------------------- */

static double line(const tm__cost *cost, double work)
{
  return cost->fixed_ns + cost->ns_per_byte * work;
}

/* Least squares of duration over work, over runs of at most `most` times the line before. Neither
 * the constant nor the slope is below zero, nor the constant above the shortest run. */
static void fit(tm__cost *cost, double most)
{
  double n = 0, x = 0, y = 0, xx = 0, xy = 0, least = 0;
  for (size_t i = 0; i < cost->count; i++) {
    const tm__past_run *r = &cost->runs[i];
    if (most > 0 && r->duration_ns > most * line(cost, r->work_bytes))
      continue;
    least = n > 0 && least < r->duration_ns ? least : r->duration_ns;
    n += 1;
    x += r->work_bytes;
    y += r->duration_ns;
    xx += r->work_bytes * r->work_bytes;
    xy += r->work_bytes * r->duration_ns;
  }
  if (n <= 0)
    return;
  double variance = xx - x * x / n;
  bool varied = variance > 1e-4 * xx;
  double slope = varied ? (xy - x * y / n) / variance : 0;
  double fixed = varied ? y / n - slope * x / n : 0; /* all alike: in proportion to the work */
  fixed = fixed < 0 ? 0 : fixed > least ? least : fixed;
  if (varied && slope <= 0)
    fixed = y / n;
  cost->fixed_ns = x > 0 ? fixed : y / n;
  cost->ns_per_byte = x > 0 ? (y / n - fixed) / (x / n) : 0;
}

void tm__cost_fit(tm__cost *cost)
{
  cost->assumed = cost->count == 0;
  cost->fixed_ns = cost->ns_per_byte = 0;
  fit(cost, 0);
  fit(cost, HICCUP);
}

/* ---- One action ------------------------------------------------------------------------------ */

/* The nearest run, by allocated bytes. */
static size_t nearest(const tm__cost *cost, uint64_t allocated)
{
  size_t low = 0, high = cost->count; /* runs before `low` are at or before that point */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (cost->runs[middle].allocated_bytes <= allocated)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == 0 || low == cost->count)
    return low ? low - 1 : 0;
  uint64_t before = allocated - cost->runs[low - 1].allocated_bytes;
  return cost->runs[low].allocated_bytes - allocated < before ? low : low - 1;
}

/* What a run took, as a multiple of the line. */
static double factor_of(const tm__cost *cost, size_t run)
{
  double expected = line(cost, cost->runs[run].work_bytes);
  return expected > 0 ? cost->runs[run].duration_ns / expected : 1;
}

/* The median of the factors around a run. */
static double factor_around(const tm__cost *cost, size_t run)
{
  double sorted[2 * AROUND + 1];
  size_t n = 0, from = run > AROUND ? run - AROUND : 0;
  for (size_t i = from; i < cost->count && i <= run + AROUND; i++) {
    double factor = factor_of(cost, i);
    size_t at = n++;
    for (; at > 0 && sorted[at - 1] > factor; at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = factor;
  }
  return sorted[(n - 1) / 2];
}

uint64_t tm__cost_ns(const tm__cost *cost, uint64_t allocated, uint64_t work)
{
  if (cost->assumed)
    return (uint64_t)line(cost, (double)work);
  size_t run = nearest(cost, allocated);
  double factor = factor_around(cost, run);
  double excess = cost->runs[run].duration_ns - factor * line(cost, cost->runs[run].work_bytes);
  return (uint64_t)(factor * line(cost, (double)work) + (excess > 0 ? excess : 0));
}

bool tm__cost_refused(const tm__cost *cost, uint64_t allocated)
{
  bool refused = false;
  for (size_t i = 0; i < cost->refusal_count; i++)
    if (cost->refusals[i].allocated_bytes <= allocated)
      refused = cost->refusals[i].refused;
  return refused;
}
