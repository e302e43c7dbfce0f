/* doctor.c - `tidemark doctor`: the findings, for people and for scripts. */
#include <stdio.h>
#include <string.h>

#include "view/commands.h"
#include "view/options.h"
#include "view/output.h"
#include "view/screen.h"
#include "view/source.h"
#include "view/terminal.h"

enum { EXIT_FINDINGS = 1 };

static tm__screen screen;

static tm__ink ink_of(const char *level)
{
  return strcmp(level, "alarm") == 0     ? TM__BAD
         : strcmp(level, "warning") == 0 ? TM__WARN
                                         : TM__BOLD;
}

static void draw_finding(tm__screen *s, const json_t *one)
{
  char line[512];
  const char *level = tm__string(one, "level"), *heap = tm__string(one, "heap");
  tm__screen_row_begin(s);
  tm__screen_add(s, ink_of(level), level);
  tm__screen_addf(s, TM__BOLD, ": %s", tm__string(one, "id"));
  tm__screen_addf(s, TM__DIM, "  %s%s", *heap ? "heap " : "the process", heap);
  tm__screen_wrap(s, TM__PLAIN, 2, tm__string(one, "what"));
  (void)snprintf(line, sizeof line, "What to do: %s", tm__string(one, "do"));
  tm__screen_wrap(s, TM__PLAIN, 2, line);
}

/* Complete, one below the other, as wide as the terminal but no wider than is good to read. */
static void print_findings(const json_t *findings)
{
  const json_t *one;
  size_t i;
  int columns = tm__terminal_size().columns;
  bool coloured = tm__terminal_coloured(), unicode = tm__terminal_unicode();
  json_array_foreach(findings, i, one)
  {
    tm__screen_clear(&screen, columns > 100 ? 100 : columns, coloured, unicode);
    draw_finding(&screen, one);
    for (int row = 0; row < screen.count; row++)
      (void)puts(screen.rows[row].bytes);
  }
  if (json_array_size(findings) == 0)
    (void)puts("The doctor has nothing to say.");
}

int tm__view_doctor(char **arguments, tm__complaint *complaint)
{
  tm__view_options options;
  tm__source source;
  json_t *answer;
  int result = tm__view_options_parse(arguments, "doctor", TM__TAKES_JSON, &options, complaint);
  if (!result)
    result = tm__source_find(options.target, &source, complaint);
  if (!result)
    result = tm__source_get(&source, "/doctor", &answer, complaint);
  if (result)
    return result;
  const json_t *findings = json_object_get(answer, "findings");
  size_t count = json_array_size(findings);
  if (options.json)
    tm__output_json(answer);
  else
    print_findings(findings);
  json_decref(answer);
  result = tm__output_flush(TM_EXIT_FAILED, complaint);
  return result ? result : count ? EXIT_FINDINGS : 0;
}
