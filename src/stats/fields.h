/* fields.h - fields.def as a table, for code that shows counters instead of using them. */
#ifndef TM_STATS_FIELDS_H
#define TM_STATS_FIELDS_H

#include <tidemark/stats.h>

#include "base/hints.h"
#include "stats/names.h"

typedef enum {
  TM__FIELD_LEVEL,
  TM__FIELD_PEAK,
  TM__FIELD_TOTAL,
  TM__FIELD_BOUND,
  TM__FIELD_REASONS /* an array of TM_FAIL_COUNT totals */
} tm__field_kind;

typedef struct tm__field {
  const char *name;
  const char *help;
  tm__field_kind kind;
  bool is_signed;
  bool in_pools;      /* tm_pool_row has it too, */
  size_t offset;      /* in tm_stats */
  size_t pool_offset; /* and there it stands here */
} tm__field;

/* Every field in the order of fields.def; ends with name == NULL. */
TM_HIDDEN extern const tm__field tm__fields[];

/* The field's bits in a tm_stats or tm_pool_row; a signed field's are two's complement. */
TM_HIDDEN uint64_t tm__field_value(const void *row, size_t offset);

/* The reasons of failure, by the names that texts show. */
TM_HIDDEN extern const tm__word tm__fail_names[TM_FAIL_COUNT];

#endif
