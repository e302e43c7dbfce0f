/* screen.c - see screen.h. A character counts as one column; bytes that are no UTF-8 do not come
 * this far, JSON has none. */
#include "view/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const inks[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"};
static const char ink_end[] = "\033[0m";

void tm__screen_clear(tm__screen *s, int width, bool coloured, bool unicode)
{
  s->width = width < 20 ? 20 : width;
  s->coloured = coloured;
  s->unicode = unicode;
  s->count = 0;
}

void tm__screen_row_begin(tm__screen *s)
{
  if (s->count < TM__ROWS)
    s->count++; /* at the end the last row is written again */
  tm__screen_row *row = &s->rows[s->count - 1];
  row->length = 0;
  row->columns = 0;
  row->bytes[0] = 0;
}

int tm__screen_room(const tm__screen *s)
{
  return s->count ? s->width - s->rows[s->count - 1].columns : 0;
}

/* Bytes of the character at `at`. */
static size_t character(const char *at)
{
  size_t n = 1;
  while (((unsigned char)at[n] & 0xC0) == 0x80)
    n++;
  return n;
}

static void put(tm__screen_row *row, const char *bytes, size_t n)
{
  memcpy(row->bytes + row->length, bytes, n);
  row->length += n;
  row->bytes[row->length] = 0;
}

/* Control characters of ASCII and of Latin-1, which some terminals obey, are not shown. */
static bool is_control(const char *at, size_t n)
{
  unsigned char c = (unsigned char)*at;
  return c < 0x20 || c == 0x7F || (n == 2 && c == 0xC2 && (unsigned char)at[1] < 0xA0);
}

void tm__screen_add(tm__screen *s, tm__ink ink, const char *text)
{
  if (!s->count)
    tm__screen_row_begin(s);
  tm__screen_row *row = &s->rows[s->count - 1];
  bool inked = s->coloured && ink != TM__PLAIN && *text;
  if (row->length + 32 > sizeof row->bytes)
    return;
  if (inked)
    put(row, inks[ink], strlen(inks[ink]));
  for (size_t n; *text && row->columns < s->width; text += n) {
    n = character(text);
    if (n > 4 || row->length + n + sizeof ink_end >= sizeof row->bytes)
      break;
    bool shown = !is_control(text, n) && (n == 1 ? (unsigned char)*text < 0x80 : s->unicode);
    put(row, shown ? text : "?", shown ? n : 1);
    row->columns++;
  }
  if (inked)
    put(row, ink_end, strlen(ink_end));
}

void tm__screen_addf(tm__screen *s, tm__ink ink, const char *format, ...)
{
  char text[TM__ROW_BYTES];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  tm__screen_add(s, ink, text);
}

static int columns_of(const char *text)
{
  int columns = 0;
  for (; *text; text += character(text))
    columns++;
  return columns;
}

void tm__screen_right(tm__screen *s, tm__ink ink, const char *text, int columns)
{
  for (int blanks = columns - columns_of(text); blanks > 0; blanks--)
    tm__screen_add(s, TM__PLAIN, " ");
  tm__screen_add(s, ink, text);
}

void tm__screen_left(tm__screen *s, tm__ink ink, const char *text, int columns)
{
  char cut[256];
  size_t length = 0;
  int used = 0;
  for (size_t n; text[length] && used < columns; length += n, used++) {
    n = character(text + length);
    if (length + n >= sizeof cut)
      break;
  }
  memcpy(cut, text, length);
  cut[length] = 0;
  tm__screen_add(s, ink, cut);
  for (; used < columns; used++)
    tm__screen_add(s, TM__PLAIN, " ");
}

void tm__screen_pair(tm__screen *s, const char *name, tm__ink ink, const char *value)
{
  int needed = columns_of(name) + 1 + columns_of(value);
  int used = s->count ? s->rows[s->count - 1].columns : 0;
  if (used > 2 && used + 2 + needed > s->width)
    tm__screen_row_begin(s);
  tm__screen_add(s, TM__PLAIN, "  ");
  tm__screen_add(s, TM__DIM, name);
  tm__screen_add(s, TM__PLAIN, " ");
  tm__screen_add(s, ink, value);
}

void tm__screen_wrap(tm__screen *s, tm__ink ink, int indent, const char *text)
{
  char word[256];
  bool first = true;
  while (*text) {
    size_t length = strcspn(text, " ");
    size_t kept = length < sizeof word ? length : sizeof word - 1;
    memcpy(word, text, kept);
    word[kept] = 0;
    if (first || columns_of(word) + 1 > tm__screen_room(s)) {
      tm__screen_row_begin(s);
      tm__screen_left(s, TM__PLAIN, "", indent);
    } else {
      tm__screen_add(s, TM__PLAIN, " ");
    }
    tm__screen_add(s, ink, word);
    first = false;
    text += length + (text[length] == ' ');
  }
}

void tm__screen_bar(tm__screen *s, tm__ink ink, int columns, double part, double whole)
{
  double share = whole > 0 ? part / whole : 0;
  int full = (int)((double)columns * (share > 1 ? 1 : share) + 0.5);
  for (int i = 0; i < columns; i++) {
    bool is_full = i < full;
    const char *text =
        s->unicode ? (is_full ? "\xE2\x96\x88" : "\xE2\x96\x91") : (is_full ? "#" : ".");
    tm__screen_add(s, is_full ? ink : TM__DIM, text);
  }
}
