/* emit.c - text into a buffer that may be too short. */
#include "stats/emit.h"

#include <string.h>

void tm__emit_init(tm__emit *e, char *buffer, size_t capacity)
{
  e->buffer = buffer;
  e->capacity = capacity;
  e->length = 0;
}

size_t tm__emit_end(tm__emit *e)
{
  if (e->capacity)
    e->buffer[e->length < e->capacity ? e->length : e->capacity - 1] = 0;
  return e->length;
}

void tm__emit_bytes(tm__emit *e, const char *bytes, size_t count)
{
  if (e->length < e->capacity) {
    size_t room = e->capacity - e->length;
    memcpy(e->buffer + e->length, bytes, count < room ? count : room);
  }
  e->length += count;
}

void tm__emit_char(tm__emit *e, char c)
{
  if (e->length < e->capacity)
    e->buffer[e->length] = c;
  e->length++;
}

void tm__emit_text(tm__emit *e, const char *text)
{
  tm__emit_bytes(e, text, strlen(text));
}

static void pad(tm__emit *e, size_t from, size_t to)
{
  for (; from < to; from++)
    tm__emit_char(e, ' ');
}

void tm__emit_left(tm__emit *e, const char *text, size_t width)
{
  tm__emit_text(e, text);
  pad(e, strlen(text), width);
}

void tm__emit_right(tm__emit *e, const char *text, size_t width)
{
  pad(e, strlen(text), width);
  tm__emit_text(e, text);
}

/* ---- Numbers -------------------------------------------------------------------------------- */

void tm__emit_u64(tm__emit *e, uint64_t value)
{
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  tm__emit_bytes(e, digits + at, sizeof digits - at);
}

void tm__emit_i64(tm__emit *e, int64_t value)
{
  if (value < 0)
    tm__emit_char(e, '-');
  tm__emit_u64(e, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void tm__emit_seconds(tm__emit *e, uint64_t ns)
{
  char fraction[10] = ".000000000";
  uint64_t rest = ns % 1000000000u;
  size_t length = 0; /* of the fraction without the zeros at its end */
  for (size_t i = 9; i > 0; i--, rest /= 10) {
    fraction[i] = (char)('0' + rest % 10);
    if (!length && fraction[i] != '0')
      length = i + 1;
  }
  tm__emit_u64(e, ns / 1000000000u);
  tm__emit_bytes(e, fraction, length);
}

/* ---- Strings -------------------------------------------------------------------------------- */

/* Bytes of the well-formed UTF-8 character at s (Unicode's table 3-7), 0 iff there is none. */
static size_t utf8_length(const unsigned char *s)
{
  unsigned char low = 0x80, high = 0xBF; /* what the second byte may be */
  size_t length = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
  if (s[0] > 0xF4)
    return 0;
  if (s[0] == 0xE0)
    low = 0xA0; /* an overlong form below */
  if (s[0] == 0xED)
    high = 0x9F; /* a surrogate above */
  if (s[0] == 0xF0)
    low = 0x90;
  if (s[0] == 0xF4)
    high = 0x8F; /* above U+10FFFF */
  if (length > 1 && (s[1] < low || s[1] > high))
    return 0;
  for (size_t i = 2; i < length; i++)
    if (s[i] < 0x80 || s[i] > 0xBF)
      return 0;
  return length;
}

/* What stands for one ASCII character; NULL: itself. */
typedef const char *(*escape_fn)(char c, char scratch[8]);

static void emit_escaped(tm__emit *e, const char *text, escape_fn escape)
{
  while (*text) {
    char scratch[8];
    size_t length = utf8_length((const unsigned char *)text);
    const char *instead = length == 1 ? escape(*text, scratch) : NULL;
    if (!length)
      instead = "\xEF\xBF\xBD";
    if (instead)
      tm__emit_text(e, instead);
    else
      tm__emit_bytes(e, text, length);
    text += length ? length : 1;
  }
}

static const char *escape_json(char c, char scratch[8])
{
  if (c == '"')
    return "\\\"";
  if (c == '\\')
    return "\\\\";
  if (c == '\n')
    return "\\n";
  if ((unsigned char)c >= 0x20 && c != 0x7F)
    return NULL;
  memcpy(scratch, "\\u00", 4);
  scratch[4] = "0123456789abcdef"[(unsigned char)c >> 4];
  scratch[5] = "0123456789abcdef"[(unsigned char)c & 15];
  scratch[6] = 0;
  return scratch;
}

static const char *escape_label(char c, char scratch[8])
{
  (void)scratch;
  return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : NULL;
}

/* A control character has no meaning in HTML and may not even be written as a number. */
static const char *escape_html(char c, char scratch[8])
{
  (void)scratch;
  switch (c) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  default:
    return (unsigned char)c < 0x20 || c == 0x7F ? "\xEF\xBF\xBD" : NULL;
  }
}

void tm__emit_json_string(tm__emit *e, const char *text)
{
  tm__emit_char(e, '"');
  emit_escaped(e, text, escape_json);
  tm__emit_char(e, '"');
}

void tm__emit_label_value(tm__emit *e, const char *text)
{
  emit_escaped(e, text, escape_label);
}

void tm__emit_html(tm__emit *e, const char *text)
{
  emit_escaped(e, text, escape_html);
}

void tm__emit_key(tm__emit *e, bool *first, const char *name)
{
  if (!*first)
    tm__emit_char(e, ',');
  *first = false;
  tm__emit_char(e, '"');
  tm__emit_text(e, name);
  tm__emit_text(e, "\":");
}

void tm__emit_number(tm__emit *e, bool *first, const char *name, uint64_t value)
{
  tm__emit_key(e, first, name);
  tm__emit_u64(e, value);
}
