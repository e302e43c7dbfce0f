/* sentence.c - see sentence.h. */
#include "stats/sentence.h"

#include <stdarg.h>
#include <string.h>

#include "stats/emit.h"
#include "stats/units.h"

/* Three digits that count, and none that are not there; beyond any use "999999+". */
static void emit_percent(tm__emit *e, double percent)
{
  if (percent >= 1e6) {
    tm__emit_text(e, "999999+");
    return;
  }
  uint64_t thousandths = (uint64_t)(percent * 1000.0 + 0.5);
  if (percent >= 10)
    thousandths = (thousandths + 500) / 1000 * 1000;
  else if (percent >= 0.1)
    thousandths = (thousandths + 50) / 100 * 100;
  tm__emit_seconds(e, thousandths * 1000000u);
}

static void emit_argument(tm__emit *e, char what, va_list *arguments)
{
  char text[32];
  switch (what) {
  case 'b':
    (void)tm__size_format(va_arg(*arguments, uint64_t), text, sizeof text);
    tm__emit_text(e, text);
    return;
  case 't':
    (void)tm__time_format(va_arg(*arguments, uint64_t), text, sizeof text);
    tm__emit_text(e, text);
    return;
  case 'n':
    tm__emit_u64(e, va_arg(*arguments, uint64_t));
    return;
  case 'p':
    emit_percent(e, va_arg(*arguments, double));
    return;
  case 's':
    tm__emit_text(e, va_arg(*arguments, const char *));
    return;
  default:
    tm__emit_char(e, what);
  }
}

void tm__sentence(char *buffer, size_t capacity, const char *format, ...)
{
  tm__emit e;
  va_list arguments;
  tm__emit_init(&e, buffer, capacity);
  va_start(arguments, format);
  for (const char *at = format; *at; at++)
    if (*at == '%' && at[1])
      emit_argument(&e, *++at, &arguments);
    else
      tm__emit_char(&e, *at);
  va_end(arguments);
  (void)tm__emit_end(&e);
}
