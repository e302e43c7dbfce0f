/*
 * policy_text.h - a policy as people write it, on the command line and in TM_POLICY.
 *
 *   growth[=PERCENT]   act when the footprint grew by PERCENT of what was live (100)
 *   fixed=SIZE         act whenever the footprint reaches SIZE
 *   debt[=SIZE]        act when SIZE was allocated since the last time (16M), adapted
 *   sqrt[=SHARE]       headroom by the square-root rule, or so that collecting takes SHARE percent
 *   shared             the headroom that a group of heaps leaves to this one
 *   off                no policy: only the limits act
 *
 * A colon may stand in the place of the equals sign.
 */
#ifndef TM_GC_POLICY_TEXT_H
#define TM_GC_POLICY_TEXT_H

#include <tidemark/gc.h>

#include "base/hints.h"

/*
 * Reads `text` into *policy, which is stamped and otherwise all defaults. On error *policy is
 * untouched and `why` gets a clause that ends a sentence ("... is not a policy: ..."), cut to
 * `capacity`: 128 bytes are enough for a text of ordinary length.
 * 0, TM_EINVAL iff the text is not a policy or a number in it is out of range. Allocates nothing.
 */
TM_HIDDEN int tm__policy_parse(const char *text, tm_policy *policy, char *why, size_t capacity);

/* The shortest text that tm__policy_parse reads back as these kinds. Always ended by NUL when
 * capacity > 0; returns the length written. 48 bytes are enough. */
TM_HIDDEN size_t tm__policy_format(const tm_policy *policy, char *buffer, size_t capacity);

#endif
