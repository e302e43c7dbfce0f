/* complaint.c - see complaint.h. */
#include "cli/complaint.h"

#include <stdarg.h>
#include <stdio.h>

int tm__complain(tm__complaint *complaint, int exit_code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  (void)vsnprintf(complaint->text, sizeof complaint->text, format, args);
  va_end(args);
  complaint->exit_code = exit_code;
  return exit_code;
}
