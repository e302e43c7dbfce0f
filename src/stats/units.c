/* units.c - bytes and times as people write them. Integer arithmetic only: nothing is rounded
 * twice, and a size that does not fit is seen. */
#include "stats/units.h"

#include <tidemark/version.h>

#include "stats/emit.h"

__extension__ typedef unsigned __int128 wide;

/* ---- Reading -------------------------------------------------------------------------------- */

/* value * 10 + digit; false iff it does not fit. */
static bool append_digit(uint64_t *value, unsigned digit)
{
  return !__builtin_mul_overflow(*value, (uint64_t)10, value) &&
         !__builtin_add_overflow(*value, (uint64_t)digit, value);
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Reads a unit ("", "B", "K", "KB", "KiB", ...) to the end of the text; -1 iff it is none. */
static int read_unit(const char *text)
{
  static const char letters[] = "kmgtpe";
  int shift = 0;
  for (int i = 0; letters[i]; i++)
    if (lower(*text) == letters[i]) {
      shift = 10 * (i + 1);
      text++;
      if (lower(text[0]) == 'i' && lower(text[1]) == 'b')
        text++;
      break;
    }
  if (lower(*text) == 'b')
    text++;
  return *text ? -1 : shift;
}

/* Bytes of the digits after the point, times 2^shift and cut: Horner from the last digit, in fixed
 * point with 64 bits of fraction. A fraction that makes whole bytes is dyadic, and so is each of
 * its tails: no step cuts it. */
static uint64_t fraction_bytes(const char *first, const char *end, int shift)
{
  wide fraction = 0; /* below 10 * 2^64 */
  if (end - first > 40)
    end = first + 40; /* digits beyond are below one byte */
  while (end > first) {
    end--;
    fraction = (((wide)(unsigned)(*end - '0') << 64) + fraction) / 10;
  }
  return (uint64_t)((fraction << shift) >> 64);
}

int tm__size_parse(const char *text, uint64_t *bytes)
{
  if (!text || !bytes)
    return TM_EINVAL;
  uint64_t whole = 0, result;
  bool fits = true;
  const char *at = text;
  for (; is_digit(*at); at++)
    fits = fits && append_digit(&whole, (unsigned)(*at - '0'));
  const char *point = at;
  if (*at == '.')
    for (at++; is_digit(*at); at++)
      ;
  bool has_fraction = at > point;
  if (point == text || (has_fraction && at == point + 1))
    return TM_EINVAL; /* ".5" and "5." are slips of the hand more often than sizes */
  int shift = read_unit(at);
  if (shift < 0)
    return TM_EINVAL;
  if (!fits || whole > UINT64_MAX >> shift)
    return TM_ERANGE;
  result = whole << shift;
  if (has_fraction) /* below 2^shift, so it fits into the zeros */
    result += fraction_bytes(point + 1, at, shift);
  *bytes = result;
  return 0;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* value / unit with as many decimals as make three digits, cut, and a name. */
static void emit_scaled(tm__emit *e, uint64_t value, uint64_t unit, const char *name)
{
  uint64_t whole = value / unit, rest = value % unit;
  tm__emit_u64(e, whole);
  int decimals = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
  if (decimals)
    tm__emit_char(e, '.');
  wide scaled = rest;
  while (decimals--) {
    scaled *= 10;
    tm__emit_char(e, (char)('0' + (int)(scaled / unit % 10)));
  }
  tm__emit_char(e, ' ');
  tm__emit_text(e, name);
}

size_t tm__size_format(uint64_t bytes, char *buffer, size_t capacity)
{
  static const char names[][4] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  tm__emit e;
  tm__emit_init(&e, buffer, capacity);
  int unit = 0;
  while (unit < 6 && bytes >> (10 * (unit + 1)))
    unit++;
  if (unit == 0) {
    tm__emit_u64(&e, bytes);
    tm__emit_text(&e, " B");
  } else {
    emit_scaled(&e, bytes, (uint64_t)1 << (10 * unit), names[unit - 1]);
  }
  return tm__emit_end(&e);
}

/* "2 min 5 s": the two largest units, the smaller one left out when it is zero. */
static void emit_long_time(tm__emit *e, uint64_t seconds)
{
  static const struct {
    uint64_t seconds;
    const char *name;
  } units[] = {{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
  size_t i = 0;
  while (seconds < units[i].seconds)
    i++;
  tm__emit_u64(e, seconds / units[i].seconds);
  tm__emit_text(e, units[i].name);
  uint64_t rest = seconds % units[i].seconds / units[i + 1].seconds;
  if (!rest)
    return;
  tm__emit_char(e, ' ');
  tm__emit_u64(e, rest);
  tm__emit_text(e, units[i + 1].name);
}

size_t tm__time_format(uint64_t ns, char *buffer, size_t capacity)
{
  tm__emit e;
  tm__emit_init(&e, buffer, capacity);
  if (ns == 0) {
    tm__emit_text(&e, "0 s");
  } else if (ns < 1000) {
    tm__emit_u64(&e, ns);
    tm__emit_text(&e, " ns");
  } else if (ns < 1000000) {
    emit_scaled(&e, ns, 1000, "us");
  } else if (ns < 1000000000) {
    emit_scaled(&e, ns, 1000000, "ms");
  } else if (ns < 120000000000) {
    emit_scaled(&e, ns, 1000000000, "s");
  } else {
    emit_long_time(&e, ns / 1000000000);
  }
  return tm__emit_end(&e);
}
