/* axis.c - which numbers an axis shows. See axis.h. */
#include "cli/axis.h"

#include <math.h>

enum { DECADES = 24 };

double tm__axis_at(const tm__axis *a, double value)
{
  double share =
      a->log ? log(value / a->low) / log(a->high / a->low) : (value - a->low) / (a->high - a->low);
  return a->from + (a->to - a->from) * share;
}

/* The next of 1, 2, 5, 10 ... times the unit that is not below `least`. */
static double nice_step(double least, double unit)
{
  static const double factors[] = {1, 2, 5, 10};
  double power = unit * pow(10, floor(log10(least / unit)));
  for (size_t i = 0; i < TM_ARRAY_LEN(factors); i++)
    if (factors[i] * power >= least * 0.999)
      return factors[i] * power;
  return 10 * power;
}

static void add_tick(tm__axis *a, double value)
{
  if (a->count == TM__AXIS_TICKS || value < a->low * 0.999999 || value > a->high * 1.000001)
    return;
  double last = a->count ? tm__axis_at(a, a->ticks[a->count - 1]) : 0;
  if (!a->count || fabs(tm__axis_at(a, value) - last) >= a->gap)
    a->ticks[a->count++] = value;
}

void tm__axis_straight(tm__axis *a, double least, double most, double unit)
{
  double span = most - least;
  bool from_zero = span > most / 2 || most <= 0;
  double wanted = from_zero ? most : fmax(1.4 * span, most / 5);
  double step = nice_step((wanted > 0 ? wanted : unit) / 5, unit);
  double middle = (least + most) / 2;
  a->low = from_zero ? 0 : floor((middle - wanted / 2) / step) * step;
  a->low = a->low < 0 ? 0 : a->low;
  a->high = ceil((fmax(most, middle + (from_zero ? 0 : wanted / 2)) + step / 4) / step) * step;
  for (int i = 0; i < TM__AXIS_TICKS; i++)
    add_tick(a, a->low + i * step);
}

void tm__axis_log(tm__axis *a, double least, double most)
{
  static const double factors[3][3] = {{1, 2, 5}, {1, 3}, {1}};
  a->log = true;
  a->low = least / 1.3;
  a->high = most * 1.3;
  double pixels = fabs(a->to - a->from) / log10(a->high / a->low); /* of a decade */
  size_t coarse = pixels * log10(2) >= a->gap ? 0 : pixels * log10(3) >= a->gap ? 1 : 2;
  double power = pow(10, floor(log10(a->low)));
  for (int decade = 0; decade < DECADES && power <= a->high; decade++, power *= 10)
    for (size_t i = 0; i < 3 - coarse; i++)
      add_tick(a, power * factors[coarse][i]);
}
