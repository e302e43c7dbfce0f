/* fields.c - the table behind fields.h, and the stamp of a snapshot. */
#include "stats/fields.h"

#include <stddef.h>
#include <string.h>

#define POOL_OFFSET_0(name) 0
#define POOL_OFFSET_1(name) offsetof(tm_pool_row, name)
#define IS_SIGNED(type) ((type)-1 < (type)1)
#define TM_FIELD(type, name, kind, pool, help)                                                     \
  {#name,                                                                                          \
   help,                                                                                           \
   TM__FIELD_##kind,                                                                               \
   IS_SIGNED(type),                                                                                \
   pool,                                                                                           \
   offsetof(tm_stats, name),                                                                       \
   POOL_OFFSET_##pool(name)},
#define TM_FIELD_BY_REASON(name, help)                                                             \
  {#name, help, TM__FIELD_REASONS, false, false, offsetof(tm_stats, name), 0},

const tm__field tm__fields[] = {
#include <tidemark/fields.def>
    {NULL, NULL, TM__FIELD_LEVEL, false, false, 0, 0}};
#undef TM_FIELD
#undef TM_FIELD_BY_REASON

/* The table reads each field as 64 bits. */
#define TM_FIELD(type, name, kind, pool, help)                                                     \
  _Static_assert(sizeof(((tm_stats *)0)->name) == 8, #name " is 64 bits wide");
#define TM_FIELD_BY_REASON(name, help)                                                             \
  _Static_assert(sizeof(((tm_stats *)0)->name) == 8 * TM_FAIL_COUNT, #name " is 64 bits wide");
#include <tidemark/fields.def>
#undef TM_FIELD
#undef TM_FIELD_BY_REASON

#define FAIL_NAME(enumerator, name, meaning) name,
const tm__word tm__fail_names[TM_FAIL_COUNT] = {TM_FAILS(FAIL_NAME)};

uint64_t tm__field_value(const void *row, size_t offset)
{
  uint64_t value;
  memcpy(&value, (const char *)row + offset, sizeof value);
  return value;
}

void tm_stats_init(tm_stats *stats)
{
  memset(stats, 0, sizeof *stats);
  stats->size = sizeof *stats;
  stats->version = 1;
}
