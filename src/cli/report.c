/* report.c - `tidemark report`: what a recording tells, as lines of text or as a page. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/similar.h"
#include "cli/story.h"
#include "stats/emit.h"
#include "stats/names.h"
#include "stats/units.h"

/* ---- The command line ----------------------------------------------------------------------- */

typedef struct report_options {
  const char *file, *output; /* output NULL: standard output */
  bool html, help;
} report_options;

static int take_option(const char *word, report_options *out, tm__complaint *complaint)
{
  static const char *const names[] = {"--html", "--help"};
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    out->help = true;
    return 0;
  }
  if (strcmp(word, "--html") == 0) {
    out->html = true;
    return 0;
  }
  if (strncmp(word, "--html=", 7) == 0 && word[7]) {
    out->html = true;
    out->output = word + 7;
    return 0;
  }
  const char *near = tm__most_similar(word, names, TM_ARRAY_LEN(names));
  if (near && strcmp(near, word) != 0)
    return tm__complain(complaint, TM_EXIT_USAGE, "report has no option %s; did you mean %s?", word,
                        near);
  return tm__complain(complaint, TM_EXIT_USAGE,
                      "report has no option %s; 'tidemark report --help' tells more", word);
}

static int take_file(const char *word, report_options *out, tm__complaint *complaint)
{
  if (out->file)
    return tm__complain(complaint, TM_EXIT_USAGE, "report reads one FILE; '%s' is another one",
                        word);
  out->file = word;
  return 0;
}

static int parse(char **arguments, report_options *out, tm__complaint *complaint)
{
  int result = 0;
  bool only_words = false;
  *out = (report_options){0};
  for (; *arguments && !result && !out->help; arguments++) {
    if (!only_words && strcmp(*arguments, "--") == 0)
      only_words = true;
    else if (!only_words && **arguments == '-')
      result = take_option(*arguments, out, complaint);
    else
      result = take_file(*arguments, out, complaint);
  }
  if (!result && !out->help && !out->file)
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "report needs the FILE that 'tidemark run --record FILE' wrote");
  return result;
}

/* ---- As text -------------------------------------------------------------------------------- */

static void emit_column(tm__emit *e, const char *text, size_t width)
{
  for (size_t length = strlen(text); length < width; length++)
    tm__emit_char(e, ' ');
  tm__emit_text(e, text);
}

static void size_column(tm__emit *e, uint64_t bytes)
{
  char text[32];
  (void)tm__size_format(bytes, text, sizeof text);
  emit_column(e, text, 12);
}

static void time_column(tm__emit *e, uint64_t ns)
{
  char text[32];
  (void)tm__time_format(ns, text, sizeof text);
  emit_column(e, text, 12);
}

static void emit_runs(tm__emit *e, const tm__story *story)
{
  tm__emit_text(e, "action             runs       freed        time     longest\n");
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++) {
    const tm__story_sum *sum = &story->sums[i];
    char text[32];
    if (!sum->runs)
      continue;
    tm__emit_text(e, tm__kind_names[i]);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)sum->runs);
    emit_column(e, text, 23 - strlen(tm__kind_names[i]));
    size_column(e, sum->freed_bytes);
    time_column(e, sum->duration_ns);
    time_column(e, sum->longest_ns);
    tm__emit_char(e, '\n');
  }
}

static void emit_size(tm__emit *e, const char *before, uint64_t bytes, const char *after)
{
  char text[32];
  (void)tm__size_format(bytes, text, sizeof text);
  tm__emit_text(e, before);
  tm__emit_text(e, text);
  tm__emit_text(e, after);
}

size_t tm__story_text(const tm__story *story, const char *file, char *buffer, size_t capacity)
{
  tm__emit e;
  char text[64];
  tm__emit_init(&e, buffer, capacity);
  tm__emit_text(&e, file);
  tm__emit_text(&e, ": heap ");
  tm__emit_text(&e, story->tape->start.heap);
  tm__emit_text(&e, " of process ");
  tm__emit_u64(&e, story->tape->start.pid);
  tm__emit_text(&e, ", ");
  tm__emit_text(&e, tm__story_when(story, text));
  tm__emit_text(&e, ", ");
  (void)tm__time_format(story->tape->duration_ns, text, sizeof text);
  tm__emit_text(&e, text);
  tm__emit_text(&e, story->tape->cut ? "; it breaks off\n" : "\n");
  emit_size(&e, "peak footprint ", story->peak_bytes, ", ");
  emit_size(&e, "peak committed ", story->committed_peak_bytes, ", ");
  emit_size(&e, "allocated ", story->allocated_bytes, "\n\n");
  emit_runs(&e, story);
  return tm__emit_end(&e);
}

/* ---- The command ---------------------------------------------------------------------------- */

static int tell(const tm__tape *tape, const report_options *options, tm__complaint *complaint)
{
  static tm__story story; /* large */
  size_t (*fn)(const tm__story *, const char *, char *, size_t) =
      options->html ? tm__story_html : tm__story_text;
  tm__story_tell(tape, &story);
  size_t capacity = fn(&story, options->file, NULL, 0) + 1;
  char *text = malloc(capacity);
  if (!text)
    return tm__complain(complaint, TM_EXIT_FAILED, "there is no memory for the report");
  (void)fn(&story, options->file, text, capacity);
  int result = options->output ? tm__write("--html", options->output, text, complaint)
                               : tm__print(text, complaint);
  free(text);
  return result;
}

int tm__command_report(char **arguments, tm__complaint *complaint)
{
  report_options options;
  tm__tape tape = {0};
  int result = parse(arguments, &options, complaint);
  if (result)
    return result;
  if (options.help)
    return tm__help_print("report", complaint);
  result = tm__tape_open(options.file, &tape, complaint);
  if (!result)
    result = tell(&tape, &options, complaint);
  tm__tape_close(&tape);
  return result;
}
