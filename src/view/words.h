/* words.h - numbers and decisions as the views write them. */
#ifndef TM_VIEW_WORDS_H
#define TM_VIEW_WORDS_H

#include <jansson.h>

#include "base/hints.h"

enum { TM__WORD = 32 };

/* "1.50 MiB", "12.3 ms", "1,234" into text, which is returned. */
TM_HIDDEN const char *tm__size_word(char text[TM__WORD], uint64_t bytes);
TM_HIDDEN const char *tm__time_word(char text[TM__WORD], uint64_t ns);
TM_HIDDEN const char *tm__count_word(char text[TM__WORD], uint64_t count);
/* The same per second, over ns; "-" over none. A total that fell is of another process: "-". */
TM_HIDDEN const char *tm__size_rate(char text[TM__WORD], uint64_t before, uint64_t now,
                                    uint64_t ns);
TM_HIDDEN const char *tm__count_rate(char text[TM__WORD], uint64_t before, uint64_t now,
                                     uint64_t ns);

/* What a record of the log says, without its time and heap: "full  growth  12.0 MiB -> 3.00 MiB in
 * 1.20 ms", "minor  soft  held back: cooldown". */
TM_HIDDEN void tm__record_words(const json_t *record, char *text, size_t capacity);

#endif
