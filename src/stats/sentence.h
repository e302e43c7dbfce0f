/* sentence.h - sentences with numbers in them, for findings. Knows no locale, allocates nothing. */
#ifndef TM_STATS_SENTENCE_H
#define TM_STATS_SENTENCE_H

#include "base/hints.h"

/*
 * Writes `format` into buffer, cut to its capacity and ended by NUL; these are replaced:
 *
 *   %b  uint64_t bytes, as tm__size_format     %t  uint64_t ns, as tm__time_format
 *   %n  uint64_t, digits                       %p  double, a percentage: "97", "0.3", without sign
 *   %s  const char *                           %%  a percent sign
 */
TM_HIDDEN void tm__sentence(char *buffer, size_t capacity, const char *format, ...);

/* What part is of whole, in percent; 0 when whole is. */
TM_INLINE double tm__percent(uint64_t part, uint64_t whole)
{
  return whole ? (double)part * 100.0 / (double)whole : 0.0;
}

#endif
