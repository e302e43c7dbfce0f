/* axis.h - an axis of a drawing: from values to pixels, and the round numbers that stand at it. */
#ifndef TM_CLI_AXIS_H
#define TM_CLI_AXIS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hints.h"

enum { TM__AXIS_TICKS = 16 }; /* at most */

typedef struct tm__axis {
  double low, high; /* of the values */
  bool log;
  double from, to; /* of the pixels, */
  double gap;      /* of which so many are between two ticks, at least */
  double ticks[TM__AXIS_TICKS];
  size_t count;
} tm__axis;

/* The pixel of a value. */
TM_HIDDEN double tm__axis_at(const tm__axis *axis, double value);
/* A straight scale with some five ticks that are multiples of a nice number of units: from zero,
 * unless the values lie close together; then what is small is not shown as large. */
TM_HIDDEN void tm__axis_straight(tm__axis *axis, double least, double most, double unit);
/* For values above zero that span a factor of twenty or more. Ticks at 1, 2, 5, 10 ..., or at
 * 1, 3, 10 ..., or at the powers of ten, as there is room. */
TM_HIDDEN void tm__axis_log(tm__axis *axis, double least, double most);

#endif
