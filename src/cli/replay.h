/* replay.h - what `tidemark replay` found out, for its table, its JSON and its drawing. */
#ifndef TM_CLI_REPLAY_H
#define TM_CLI_REPLAY_H

#include "cli/simulate.h"

enum { TM__REPLAY_ROWS = 40 };

typedef struct tm__replay_row {
  char name[48]; /* of the policy */
  uint64_t soft_bytes, hard_bytes;
  tm__tally tally;
  bool front; /* no other replayed row has both less collector time and a lower peak */
} tm__replay_row;

typedef struct tm__replay {
  const char *file;
  const tm__tape *tape;
  const tm__world *world;
  tm__replay_row recorded; /* what happened; never on the front */
  tm__replay_row rows[TM__REPLAY_ROWS];
  size_t count;
} tm__replay;

/* Marks the rows that no other row beats: at most as much collector time and as high a peak, and
 * less of one; to two digits. */
TM_HIDDEN void tm__replay_mark_front(tm__replay *replay);

/* Both as text, by the buffer rule of tm_stats_json. */
TM_HIDDEN size_t tm__replay_table(const tm__replay *replay, char *buffer, size_t capacity);
TM_HIDDEN size_t tm__replay_json(const tm__replay *replay, char *buffer, size_t capacity);

/* Collector time against peak as a drawing (SVG, self-contained, light and dark): a point a row,
 * the recorded run as a ring, the front as a line. The same rule. */
TM_HIDDEN size_t tm__replay_plot(const tm__replay *replay, char *buffer, size_t capacity);

#endif
