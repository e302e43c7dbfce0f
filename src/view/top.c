/* top.c - `tidemark top`: a look each interval, drawn again at each key and change of size. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "view/commands.h"
#include "view/frame.h"
#include "view/options.h"
#include "view/output.h"
#include "view/terminal.h"

static tm__screen screen; /* large */

/* ---- Once, or line by line ------------------------------------------------------------------ */

static void print_frame(const tm__source *source, const tm__look *before, const tm__look *now)
{
  tm__screen_clear(&screen, tm__terminal_size().columns, tm__terminal_coloured(),
                   tm__terminal_unicode());
  tm__frame_draw(&screen, source, before, now);
  for (int i = 0; i < screen.count; i++)
    (void)puts(screen.rows[i].bytes);
}

static void print_json(const tm__look *now)
{
  json_t *all = json_pack("{s:I, s:O, s:O, s:O}", "time_ns", (json_int_t)now->clock_ns, "stats",
                          now->stats, "doctor", now->doctor, "log", now->log);
  tm__output_json(all);
  json_decref(all);
}

/* Not on a terminal: a frame, or an object, after the other. */
static int print_frames(const tm__source *source, const tm__view_options *options,
                        tm__complaint *complaint)
{
  tm__look before = {0}, now;
  int result = 0;
  for (bool first = true; !result; first = false) {
    if (!first && !tm__output_pause(options->interval_ms))
      break;
    result = tm__look_take(source, &now, complaint);
    if (result) {
      result = first ? result : tm__output_ended(complaint);
      break;
    }
    if (options->json)
      print_json(&now);
    else
      print_frame(source, &before, &now);
    result = tm__output_flush(TM_EXIT_OUTPUT, complaint);
    tm__look_drop(&before);
    before = now;
    if (options->once)
      break;
    if (!options->json)
      (void)putchar('\n');
  }
  tm__look_drop(&before);
  return result;
}

/* ---- On a terminal -------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void show(const tm__source *source, const tm__look *before, const tm__look *now, bool paused)
{
  tm__size2 size = tm__terminal_size();
  tm__screen_clear(&screen, size.columns, tm__terminal_coloured(), tm__terminal_unicode());
  tm__frame_draw(&screen, source, before, now);
  tm__terminal_show(&screen, size.rows > 1 ? size.rows : 24,
                    paused ? "PAUSED  space go on  q quit" : "q quit  space pause");
}

/* Until it is time for the next look, or never while paused. false iff the person quits. */
static bool obey_keys(const tm__source *source, const tm__look *before, const tm__look *now,
                      uint64_t interval_ms)
{
  int64_t end = now_ms() + (int64_t)interval_ms;
  for (bool paused = false;;) {
    int64_t left = end - now_ms();
    if (!paused && left <= 0)
      return true;
    int key = tm__terminal_key(paused ? 60000 : (int)left);
    if (key == -1 || key == 'q' || key == 'Q')
      return false;
    if (key == ' ')
      paused = !paused;
    if (key)
      show(source, before, now, paused);
  }
}

static int live(const tm__source *source, const tm__view_options *options, tm__complaint *complaint)
{
  tm__look before = {0}, now;
  int result = tm__look_take(source, &now, complaint);
  if (result)
    return result;
  tm__terminal_enter();
  for (;;) {
    show(source, &before, &now, false);
    if (!obey_keys(source, &before, &now, options->interval_ms))
      break;
    tm__look_drop(&before);
    before = now;
    if (tm__look_take(source, &now, complaint)) {
      tm__terminal_leave();
      result = tm__output_ended(complaint);
      break;
    }
  }
  tm__terminal_leave();
  tm__look_drop(&before);
  tm__look_drop(&now);
  return result;
}

int tm__view_top(char **arguments, tm__complaint *complaint)
{
  tm__view_options options;
  tm__source source;
  int result = tm__view_options_parse(
      arguments, "top", TM__TAKES_ONCE | TM__TAKES_JSON | TM__TAKES_INTERVAL, &options, complaint);
  if (!result)
    result = tm__source_find(options.target, &source, complaint);
  if (result)
    return result;
  if (options.once || options.json || !isatty(STDOUT_FILENO))
    return print_frames(&source, &options, complaint);
  return live(&source, &options, complaint);
}
