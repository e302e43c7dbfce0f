/* asset.h - the dashboard's files, compiled in by cmake/TidemarkDashboard.cmake: each as it is and
 * compressed, with a tag that changes with its content. */
#ifndef TM_MONITOR_ASSET_H
#define TM_MONITOR_ASSET_H

#include "monitor/request.h"

typedef struct tm__asset {
  const char *path, *type;
  const char *plain_tag, *gzip_tag; /* for ETag, with their quotes */
  const unsigned char *plain, *gzip;
  size_t plain_length, gzip_length;
} tm__asset;

/* All of them; ends with path == NULL. The build writes this table. */
TM_HIDDEN extern const tm__asset tm__assets[];

/* The file of exactly this path, or NULL. */
TM_HIDDEN const tm__asset *tm__asset_find(const char *path);
/* Whether an If-None-Match header says that the client has what `tag` stands for. */
TM_HIDDEN bool tm__asset_matches(const tm__text *match, const char *tag);

#endif
