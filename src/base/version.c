/* version.c - the version string and the sentences of the errors. */
#include <tidemark/version.h>

#include "base/hints.h"

const char *tm_strerror(int error)
{
#define TM__ERROR_CASE(name, value, sentence)                                                      \
  case value:                                                                                      \
    return sentence;
  switch (error) {
  case 0:
    return "ok";
    TM_ERRORS(TM__ERROR_CASE)
  default:
    return "unknown error";
  }
#undef TM__ERROR_CASE
}

const char *tm_version(void)
{
  return TM_VERSION_STRING;
}
