/* output.c - see output.h. */
#define _GNU_SOURCE
#include "view/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int tm__output_flush(int code, tm__complaint *complaint)
{
  if (fflush(stdout) == 0 && !ferror(stdout))
    return 0;
  return tm__complain(complaint, code, "cannot write to standard output: %s", strerror(errno));
}

void tm__output_json(const json_t *value)
{
  (void)json_dumpf(value, stdout, JSON_COMPACT);
  (void)putchar('\n');
}

int tm__output_ended(tm__complaint *complaint)
{
  complaint->text[0] = 0;
  (void)fprintf(stderr, "tidemark: the process has ended, or serves no more\n");
  return 0;
}

bool tm__output_pause(uint64_t ms)
{
  struct timespec wait = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  return clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL) == 0;
}
