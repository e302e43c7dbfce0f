/*
 * units.h - bytes and times as people write them. Used by the command line, the report, the
 * preload library's settings and the monitor's page. Allocates nothing, knows no locale.
 */
#ifndef TM_STATS_UNITS_H
#define TM_STATS_UNITS_H

#include "base/hints.h"

/*
 * The size that `text` names: digits, at most one decimal point, and at most one unit of
 * K M G T P E, each 1024 times the one before; the unit may be followed by "iB" or "B" and has no
 * case: "4096", "512M", "1.5G", "100KiB", "2gb". A fraction of a byte is cut. Nothing else may
 * stand in the text, no sign, no blank.
 * Returns 0 and writes *bytes, TM_EINVAL iff the text is not a size (or an argument is NULL),
 * TM_ERANGE iff the size is above UINT64_MAX. *bytes is untouched on error.
 */
TM_HIDDEN int tm__size_parse(const char *text, uint64_t *bytes);

/*
 * "0 B", "1023 B", "12.3 MiB", "1.00 GiB": three digits that count, the largest unit that leaves at
 * least 1. Writes at most `capacity` bytes, always ended by NUL when capacity > 0, and returns the
 * length that the whole text has. 16 bytes are enough for any size.
 */
TM_HIDDEN size_t tm__size_format(uint64_t bytes, char *buffer, size_t capacity);

/*
 * "0 s", "850 ns", "12.3 us", "4.56 ms", "1.23 s", "61.0 s", "2 min 5 s", "3 h 20 min", "4 d 7 h":
 * three digits that count below two minutes, the two largest units above. Same rule for the buffer;
 * 24 bytes are enough.
 */
TM_HIDDEN size_t tm__time_format(uint64_t ns, char *buffer, size_t capacity);

#endif
