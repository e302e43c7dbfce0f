/* page_numbers.c - numbers for people. */
#define _GNU_SOURCE
#include "monitor/page.h"
#include "stats/units.h"

void tm__page_size(tm__emit *e, uint64_t bytes)
{
  char text[24];
  tm__size_format(bytes, text, sizeof text);
  tm__emit_text(e, text);
}

void tm__page_signed(tm__emit *e, int64_t bytes)
{
  if (bytes < 0)
    tm__emit_text(e, "\xE2\x88\x92"); /* the minus sign */
  tm__page_size(e, bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes);
}

void tm__page_time(tm__emit *e, uint64_t ns)
{
  char text[32];
  tm__time_format(ns, text, sizeof text);
  tm__emit_text(e, text);
}

void tm__page_count(tm__emit *e, uint64_t count)
{
  if (count >= 1000) {
    tm__page_count(e, count / 1000);
    tm__emit_char(e, ',');
    tm__emit_char(e, (char)('0' + count / 100 % 10));
    tm__emit_char(e, (char)('0' + count / 10 % 10));
    tm__emit_char(e, (char)('0' + count % 10));
    return;
  }
  tm__emit_u64(e, count);
}
