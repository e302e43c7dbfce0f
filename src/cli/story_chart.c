/* story_chart.c - drawings over time. Narrow, so that a phone does not shrink their words away. */
#include "cli/story_chart.h"

#include <math.h>

#include "cli/axis.h"
#include "cli/svg.h"
#include "stats/units.h"

enum {
  WIDTH = 480,
  LEFT = 76,
  RIGHT = 470,
  TOP = 10,
  FOOT = 24,
  MARKS = 18,
  TICK = 60,
  TICK_LINE = 26
};

typedef struct chart {
  tm__emit *e;
  const tm__story *story;
  int bottom; /* of the axes */
  tm__axis x, y;
} chart;

typedef double (*value_fn)(const tm__story *story, size_t step);

static double footprint_of(const tm__story *story, size_t step)
{
  return (double)story->steps[step].footprint_bytes;
}

static double committed_of(const tm__story *story, size_t step)
{
  return (double)story->steps[step].committed_bytes;
}

static double busy_of(const tm__story *story, size_t step)
{
  return fmin(100, (double)story->steps[step].busy_ns * 100 / (double)story->step_ns);
}

static double rate_of(const tm__story *story, size_t step)
{
  return (double)story->steps[step].allocated_bytes * 1e9 / (double)story->step_ns;
}

/* ---- The paper ------------------------------------------------------------------------------ */

static double unit_of_bytes(double most)
{
  double unit = 1024;
  while (most / unit >= 2048)
    unit *= 1024;
  return unit;
}

static void begin(chart *c, int foot, int height, double most, double unit, const char *title)
{
  c->bottom = height - foot;
  c->x = (tm__axis){.from = LEFT, .to = RIGHT, .gap = TICK};
  c->y = (tm__axis){.from = c->bottom, .to = TOP, .gap = TICK_LINE};
  tm__axis_straight(&c->x, 0, (double)c->story->step_ns * TM__STORY_STEPS, 1);
  tm__axis_straight(&c->y, 0, most > 0 ? most : unit, unit);
  c->x.high = (double)c->story->step_ns * TM__STORY_STEPS; /* no empty end */
  tm__emit_text(c->e, "<svg role=\"img\" viewBox=\"0 0 480 ");
  tm__emit_u64(c->e, (uint64_t)height);
  tm__emit_text(c->e, "\"><title>");
  tm__emit_html(c->e, title);
  tm__emit_text(c->e, "</title>\n");
}

static void tick_text(char text[32], double value, const char *unit)
{
  if (*unit == '%') {
    tm__emit e;
    tm__emit_init(&e, text, 32);
    tm__emit_seconds(&e, (uint64_t)(value * 1000 + 0.5) * 1000000u);
    tm__emit_text(&e, " %");
    (void)tm__emit_end(&e);
    return;
  }
  (void)tm__size_format((uint64_t)(value + 0.5), text, 32);
  tm__svg_drop_zeros(text);
}

static void end(const chart *c, const char *unit)
{
  char text[32];
  for (size_t i = 0; i < c->y.count; i++) {
    double y = tm__axis_at(&c->y, c->y.ticks[i]);
    tm__svg_line(c->e, "grid", LEFT, y, RIGHT, y);
    tick_text(text, c->y.ticks[i], unit);
    tm__svg_words(c->e, "tick end", LEFT - 6, y + 4.5, text);
  }
  for (size_t i = 0; i < c->x.count; i++) {
    double x = tm__axis_at(&c->x, c->x.ticks[i]);
    if (x > RIGHT)
      continue;
    tm__svg_line(c->e, "axis", x, c->bottom, x, c->bottom + 4);
    (void)tm__time_format((uint64_t)(c->x.ticks[i] + 0.5), text, sizeof text);
    tm__svg_drop_zeros(text);
    tm__svg_words(c->e, "tick middle", x, c->bottom + 18, text);
  }
  tm__svg_line(c->e, "axis", LEFT, c->bottom, RIGHT, c->bottom);
  tm__emit_text(c->e, "</svg>\n");
}

/* ---- Lines and areas ------------------------------------------------------------------------ */

static void emit_tenths(tm__emit *e, double value)
{
  uint64_t tenths = value > 0 ? (uint64_t)(value * 10 + 0.5) : 0;
  tm__emit_u64(e, tenths / 10);
  tm__emit_char(e, '.');
  tm__emit_u64(e, tenths % 10);
}

/* Each step is level: it has its own width. `filled`: closed along the axis. */
static void trace(const chart *c, const char *class, value_fn value, bool filled)
{
  tm__emit_text(c->e, "<path class=\"");
  tm__emit_text(c->e, class);
  tm__emit_text(c->e, "\" d=\"M");
  emit_tenths(c->e, LEFT);
  tm__emit_char(c->e, ' ');
  emit_tenths(c->e, filled ? c->bottom : tm__axis_at(&c->y, value(c->story, 0)));
  for (size_t i = 0; i < TM__STORY_STEPS; i++) {
    tm__emit_char(c->e, 'V');
    emit_tenths(c->e, tm__axis_at(&c->y, value(c->story, i)));
    tm__emit_char(c->e, 'H');
    emit_tenths(c->e, tm__axis_at(&c->x, (double)(i + 1) * (double)c->story->step_ns));
  }
  if (filled) {
    tm__emit_char(c->e, 'V');
    emit_tenths(c->e, c->bottom);
    tm__emit_char(c->e, 'Z');
  }
  tm__emit_text(c->e, "\"/>\n");
}

static double highest(const tm__story *story, value_fn value)
{
  double most = 0;
  for (size_t i = 0; i < TM__STORY_STEPS; i++)
    most = fmax(most, value(story, i));
  return most;
}

static void limit(const chart *c, const char *class, uint64_t bytes)
{
  double y = tm__axis_at(&c->y, (double)bytes);
  if (bytes && y >= TOP)
    tm__svg_line(c->e, class, LEFT, y, RIGHT, y);
}

/* Below the axis and its words: when full collections ran. */
static void marks(const chart *c)
{
  for (size_t i = 0; i < TM__STORY_STEPS; i++) {
    double x = tm__axis_at(&c->x, ((double)i + 0.5) * (double)c->story->step_ns);
    if (c->story->steps[i].runs[TM_COLLECT])
      tm__svg_line(c->e, "mark", x, c->bottom + 26, x, c->bottom + 36);
  }
}

/* ---- The drawings --------------------------------------------------------------------------- */

void tm__story_chart_memory(tm__emit *e, const tm__story *story)
{
  chart c = {.e = e, .story = story};
  double most = fmax(highest(story, committed_of), highest(story, footprint_of));
  uint64_t limits[] = {story->soft_bytes, story->hard_bytes};
  for (size_t i = 0; i < TM_ARRAY_LEN(limits); i++)
    if ((double)limits[i] < most * 2) /* one that is far away would make the rest small */
      most = fmax(most, (double)limits[i]);
  begin(&c, FOOT + MARKS, 300, most, unit_of_bytes(most),
        "footprint and committed memory over time");
  trace(&c, "area", committed_of, true);
  trace(&c, "line", footprint_of, false);
  limit(&c, "soft", story->soft_bytes);
  limit(&c, "hard", story->hard_bytes);
  marks(&c);
  end(&c, "B");
}

void tm__story_chart_time(tm__emit *e, const tm__story *story)
{
  chart c = {.e = e, .story = story};
  /* the axis leaves room above its highest value, and there is none above 100 */
  begin(&c, FOOT, 160, fmin(85, fmax(1, highest(story, busy_of))), 1,
        "share of the time spent in actions");
  trace(&c, "busy", busy_of, true);
  end(&c, "%");
}

void tm__story_chart_allocation(tm__emit *e, const tm__story *story)
{
  chart c = {.e = e, .story = story};
  double most = highest(story, rate_of);
  begin(&c, FOOT, 160, most, unit_of_bytes(most), "bytes allocated per second");
  trace(&c, "area", rate_of, true);
  end(&c, "B");
}
