/* story.h - a recording, folded to what fits on a page. */
#ifndef TM_CLI_STORY_H
#define TM_CLI_STORY_H

#include "cli/tape.h"

enum { TM__STORY_STEPS = 400, TM__STORY_LONGEST = 10 };

/* What happened within one step of time. Levels are the highest; where nothing was recorded, they
 * are as before. */
typedef struct tm__story_step {
  uint64_t footprint_bytes, committed_bytes, informed_bytes;
  uint64_t allocated_bytes; /* in it */
  uint64_t busy_ns;         /* of it spent in actions */
  unsigned runs[TM_HOOK_KIND_COUNT];
} tm__story_step;

/* All runs of one kind. */
typedef struct tm__story_sum {
  uint64_t runs, freed_bytes, duration_ns, longest_ns;
} tm__story_sum;

typedef struct tm__story {
  const tm__tape *tape;
  uint64_t step_ns;
  tm__story_step steps[TM__STORY_STEPS];
  tm__story_sum sums[TM_HOOK_KIND_COUNT];
  uint64_t peak_bytes, peak_ns, committed_peak_bytes;
  uint64_t allocated_bytes;
  uint64_t soft_bytes, hard_bytes;             /* the last in force; 0 = none */
  tm_policy policy;                            /* the first */
  tm__trace_record longest[TM__STORY_LONGEST]; /* actions, the longest first */
  size_t longest_count;
} tm__story;

/* Folds the tape, which was opened and outlives the story. */
TM_HIDDEN void tm__story_tell(const tm__tape *tape, tm__story *out);

/* What an action freed: the fall of the footprint; trim: what the system got back. */
TM_HIDDEN uint64_t tm__story_freed(const tm__trace_record *action);

/* The story as a page of its own: no script, no reference to anything outside, light and dark.
 * Buffer rule of tm_stats_json. */
TM_HIDDEN size_t tm__story_html(const tm__story *story, const char *file, char *buffer,
                                size_t capacity);
/* The same as some lines of text. */
TM_HIDDEN size_t tm__story_text(const tm__story *story, const char *file, char *buffer,
                                size_t capacity);
/* "recorded 2026-11-27 15:12:03 UTC", or "" */
TM_HIDDEN const char *tm__story_when(const tm__story *story, char text[64]);

#endif
