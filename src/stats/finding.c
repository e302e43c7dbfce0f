/* finding.c - a finding's words, and the finding as JSON. */
#include <tidemark/doctor.h>

#include "stats/emit.h"
#include "stats/names.h"

#define NAME(enumerator, id, percent, bytes, of) id,
static const tm__word ids[TM_FINDING_COUNT] = {TM_DOCTOR_RULES(NAME)};
static const tm__word levels[] = {"note", "warning", "alarm"};

const char *tm_finding_name(tm_finding_id id)
{
  return (unsigned)id < TM_FINDING_COUNT ? ids[id] : "?";
}

const char *tm_finding_level_name(tm_finding_level level)
{
  return (unsigned)level < TM_ARRAY_LEN(levels) ? levels[level] : "?";
}

size_t tm_finding_json(const tm_finding *finding, char *buffer, size_t capacity)
{
  const char *const members[][2] = {{"id", tm_finding_name(finding->id)},
                                    {"level", tm_finding_level_name(finding->level)},
                                    {"heap", finding->heap},
                                    {"what", finding->what},
                                    {"do", finding->remedy}};
  tm__emit e;
  bool first = true;
  tm__emit_init(&e, buffer, capacity);
  tm__emit_char(&e, '{');
  for (size_t i = 0; i < TM_ARRAY_LEN(members); i++) {
    tm__emit_key(&e, &first, members[i][0]);
    tm__emit_json_string(&e, members[i][1]);
  }
  tm__emit_char(&e, '}');
  return tm__emit_end(&e);
}
