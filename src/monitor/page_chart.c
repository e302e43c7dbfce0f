/*
 * page_chart.c - a heap's last hour as a drawing: the footprint as an area, limits and trip as
 * lines. No script: the points are written here, at most one for each column of the drawing.
 */
#define _GNU_SOURCE
#include "monitor/page.h"
#include "monitor/sampler.h"

enum { WIDTH = 600, HEIGHT = 120, COLUMNS = 300 };

typedef struct column {
  uint64_t footprint_bytes; /* the highest of its samples */
  bool used;
} column;

typedef struct chart {
  uint64_t first_ns, last_ns;
  uint64_t least_bytes, most_bytes; /* of the footprint */
  uint64_t top_bytes;               /* of the drawing */
  tm_monitor_sample latest;
  column columns[COLUMNS];
} chart;

static size_t column_of(const chart *c, uint64_t time_ns)
{
  uint64_t span = c->last_ns - c->first_ns;
  return span ? (size_t)((time_ns - c->first_ns) / (span / COLUMNS + 1)) : 0;
}

/* Two passes over the samples: how long they reach, then what they say. false: nothing to draw. */
static bool read_chart(chart *c, const tm__ring *ring)
{
  uint64_t cursor = 0, count = 0;
  tm_monitor_sample sample;
  c->least_bytes = UINT64_MAX;
  for (; tm__sample_read(ring, &cursor, &sample); count++) {
    if (count == 0)
      c->first_ns = sample.time_ns;
    c->latest = sample;
  }
  c->last_ns = c->latest.time_ns;
  for (cursor = 0; count > 1 && tm__sample_read(ring, &cursor, &sample);) {
    column *at = &c->columns[column_of(c, sample.time_ns)];
    uint64_t bytes = sample.footprint_bytes;
    at->footprint_bytes = at->used && at->footprint_bytes > bytes ? at->footprint_bytes : bytes;
    at->used = true;
    c->least_bytes = bytes < c->least_bytes ? bytes : c->least_bytes;
    c->most_bytes = bytes > c->most_bytes ? bytes : c->most_bytes;
  }
  return count > 1 && c->most_bytes > 0;
}

/* A limit belongs into the drawing unless it would press the footprint flat. */
static bool is_shown(const chart *c, uint64_t bytes)
{
  return bytes && bytes <= 4 * c->most_bytes;
}

static void choose_top(chart *c)
{
  uint64_t top = c->most_bytes;
  const uint64_t limits[] = {c->latest.soft_limit_bytes, c->latest.hard_limit_bytes,
                             c->latest.trip_bytes};
  for (size_t i = 0; i < TM_ARRAY_LEN(limits); i++)
    if (is_shown(c, limits[i]) && limits[i] > top)
      top = limits[i];
  c->top_bytes = top + top / 20 + 1;
}

static uint64_t y_of(const chart *c, uint64_t bytes)
{
  double share = (double)bytes / (double)c->top_bytes;
  return (uint64_t)(HEIGHT * (share < 1 ? 1 - share : 0));
}

static void emit_point(tm__emit *e, uint64_t x, uint64_t y)
{
  tm__emit_u64(e, x);
  tm__emit_char(e, ',');
  tm__emit_u64(e, y);
  tm__emit_char(e, ' ');
}

static void emit_area(tm__emit *e, const chart *c)
{
  uint64_t x = 0, step = WIDTH / COLUMNS;
  size_t last = column_of(c, c->last_ns);
  tm__emit_text(e, "<polygon class=\"area\" points=\"0,120 ");
  for (size_t i = 0; i <= last; i++)
    if (c->columns[i].used) {
      x = last ? i * WIDTH / last : step;
      emit_point(e, x, y_of(c, c->columns[i].footprint_bytes));
    }
  emit_point(e, x, HEIGHT);
  tm__emit_text(e, "\"/>");
}

static void emit_line(tm__emit *e, const chart *c, const char *class, uint64_t bytes)
{
  if (!is_shown(c, bytes))
    return;
  tm__emit_text(e, "<line class=\"");
  tm__emit_text(e, class);
  tm__emit_text(e, "\" x1=\"0\" x2=\"600\" y1=\"");
  tm__emit_u64(e, y_of(c, bytes));
  tm__emit_text(e, "\" y2=\"");
  tm__emit_u64(e, y_of(c, bytes));
  tm__emit_text(e, "\" vector-effect=\"non-scaling-stroke\"/>");
}

static void emit_caption(tm__emit *e, const chart *c)
{
  tm__emit_text(e, "Footprint of the last ");
  tm__page_time(e, c->last_ns - c->first_ns);
  tm__emit_text(e, ": from ");
  tm__page_size(e, c->least_bytes);
  tm__emit_text(e, " to ");
  tm__page_size(e, c->most_bytes);
}

/* The names of the lines that are drawn, each in its line's colour. */
static void emit_legend(tm__emit *e, const chart *c)
{
  const struct {
    const char *class, *name;
    uint64_t bytes;
  } lines[] = {{"trip", "trip", c->latest.trip_bytes},
               {"soft", "soft limit", c->latest.soft_limit_bytes},
               {"hard", "hard limit", c->latest.hard_limit_bytes}};
  for (size_t i = 0; i < TM_ARRAY_LEN(lines); i++)
    if (is_shown(c, lines[i].bytes)) {
      tm__emit_text(e, " <span class=\"key ");
      tm__emit_text(e, lines[i].class);
      tm__emit_text(e, "\">");
      tm__emit_text(e, lines[i].name);
      tm__emit_text(e, "</span>");
    }
}

void tm__page_chart(tm__emit *e, const tm__ring *ring)
{
  chart c = {0};
  if (!read_chart(&c, ring))
    return;
  choose_top(&c);
  tm__emit_text(e, "<figure><svg viewBox=\"0 0 600 120\" preserveAspectRatio=\"none\" role=\"img\" "
                   "aria-label=\"");
  emit_caption(e, &c);
  tm__emit_text(e, "\">");
  emit_area(e, &c);
  emit_line(e, &c, "trip", c.latest.trip_bytes);
  emit_line(e, &c, "soft", c.latest.soft_limit_bytes);
  emit_line(e, &c, "hard", c.latest.hard_limit_bytes);
  tm__emit_text(e, "</svg><figcaption>");
  emit_caption(e, &c);
  emit_legend(e, &c);
  tm__emit_text(e, "</figcaption></figure>\n");
}
