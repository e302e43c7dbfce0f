/* names.h - the words for numbers of the engine, as texts show them. */
#ifndef TM_STATS_NAMES_H
#define TM_STATS_NAMES_H

#include <tidemark/gc.h>

#include "base/hints.h"

/* The words themselves, not pointers to them: each pointer would be relocated when the library is
 * loaded, and its page would be a private one of every process. */
typedef char tm__word[20];

TM_HIDDEN extern const tm__word tm__kind_names[TM_HOOK_KIND_COUNT];
TM_HIDDEN extern const tm__word tm__verdict_names[TM_VERDICT_COUNT];
TM_HIDDEN extern const tm__word tm__result_names[TM_HOOK_ERROR + 1];

#endif
