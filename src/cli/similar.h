/* similar.h - what a misspelt word may have meant. */
#ifndef TM_CLI_SIMILAR_H
#define TM_CLI_SIMILAR_H

#include "base/hints.h"

/* The one of `words` that is nearest to `word` (which ends at a NUL or '='), at most two letters
 * changed, added, left out or swapped with their neighbour; NULL iff none is. */
TM_HIDDEN const char *tm__most_similar(const char *word, const char *const *words, size_t count);

#endif
