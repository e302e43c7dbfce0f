/* names.h - the words for numbers of the engine, as texts show them. */
#ifndef TM_STATS_NAMES_H
#define TM_STATS_NAMES_H

#include <tidemark/gc.h>

#include "base/hints.h"

TM_HIDDEN extern const char *const tm__kind_names[TM_HOOK_KIND_COUNT];
TM_HIDDEN extern const char *const tm__verdict_names[TM_VERDICT_COUNT];
TM_HIDDEN extern const char *const tm__result_names[TM_HOOK_ERROR + 1];

#endif
