/* asset.c - looking for a file, and whether a client has it. */
#define _GNU_SOURCE
#include "monitor/asset.h"

#include <string.h>

const tm__asset *tm__asset_find(const char *path)
{
  for (const tm__asset *file = tm__assets; file->path; file++)
    if (strcmp(file->path, path) == 0)
      return file;
  return NULL;
}

/* A list of tags, each in quotes, perhaps after W/: a tag has no quote inside, so that finding it
 * with its quotes is finding it. */
bool tm__asset_matches(const tm__text *match, const char *tag)
{
  if (!match->seen || match->cut)
    return false;
  return strcmp(match->bytes, "*") == 0 || strstr(match->bytes, tag) != NULL;
}
