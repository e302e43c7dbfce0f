/* names.c - the words of names.h, from the lists that gc.h has. */
#include "stats/names.h"

#define NAME(enumerator, name) name,

const tm__word tm__kind_names[TM_HOOK_KIND_COUNT] = {TM_HOOK_KINDS(NAME)};
const tm__word tm__verdict_names[TM_VERDICT_COUNT] = {TM_VERDICTS(NAME)};
const tm__word tm__result_names[TM_HOOK_ERROR + 1] = {
    [TM_HOOK_DONE] = "done", [TM_HOOK_MORE] = "more",   [TM_HOOK_NOTHING] = "nothing",
    [TM_HOOK_BUSY] = "busy", [TM_HOOK_ERROR] = "error",
};
