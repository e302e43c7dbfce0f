/*
 * replay_plot.c - collector time against peak as one SVG: no script, no font of its own, no
 * reference to anything outside. Light, and dark where the reader's system is. Narrow and tall, so
 * that it can still be read where a phone shows it at two thirds of its size.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/axis.h"
#include "cli/replay.h"
#include "cli/svg.h"
#include "gc/policy.h"
#include "stats/emit.h"
#include "stats/units.h"

enum {
  WIDTH = 480, /* of the paper, which is 600 high */
  LEFT = 88,   /* of the axes */
  RIGHT = 452,
  TOP = 158,
  BOTTOM = 540,
  MARGIN = 16,     /* of the words above them */
  TICK_WIDTH = 50, /* pixels between two ticks beside each other, at least, */
  TICK_LINE = 20,  /* and above each other */
  LETTER = 8,      /* pixels that a letter of a label takes, one more in bold, */
  LINE = 16,       /* and a line */
  NAMES = 4,       /* in one label; if there are more, the last line counts them */
  NEAR = 3,        /* of points that are no more than so many pixels apart */
  FILE_LETTERS = 54,
  POINTS = TM__REPLAY_ROWS + 1,
  STRIDE = 12, /* pixels between two boxes on the front */
  BOXES = 2048
};

/* ---- What is drawn --------------------------------------------------------------------------- */

typedef struct box {
  double left, top, right, bottom;
} box;

typedef struct drawing {
  tm__emit *e;
  const tm__replay *replay;
  tm__axis x, y;
  const tm__replay_row *points[POINTS]; /* the recorded one first */
  size_t count;
  box taken[BOXES]; /* where no label may stand any more */
  size_t taken_count;
  uint64_t soft_bytes; /* of the replays; 0 = none, or outside of the drawing */
} drawing;

static double time_of(const tm__replay_row *row)
{
  return (double)tm__tally_busy_ns(&row->tally);
}

static double peak_of(const tm__replay_row *row)
{
  return (double)row->tally.peak_bytes;
}

static double x_of(const drawing *d, const tm__replay_row *row)
{
  return tm__axis_at(&d->x, time_of(row));
}

static double y_of(const drawing *d, const tm__replay_row *row)
{
  return tm__axis_at(&d->y, peak_of(row));
}

static double unit_of_bytes(double most)
{
  double unit = 1024;
  while (most / unit >= 2048)
    unit *= 1024;
  return unit;
}

static void choose_scales(drawing *d)
{
  double least_x = time_of(d->points[0]), most_x = least_x;
  double least_y = peak_of(d->points[0]), most_y = least_y;
  for (size_t i = 1; i < d->count; i++) {
    least_x = fmin(least_x, time_of(d->points[i]));
    most_x = fmax(most_x, time_of(d->points[i]));
    least_y = fmin(least_y, peak_of(d->points[i]));
    most_y = fmax(most_y, peak_of(d->points[i]));
  }
  d->x = (tm__axis){.from = LEFT, .to = RIGHT, .gap = TICK_WIDTH};
  d->y = (tm__axis){.from = BOTTOM, .to = TOP, .gap = TICK_LINE};
  if (least_x > 0 && most_x / least_x > 20)
    tm__axis_log(&d->x, least_x, most_x);
  else
    tm__axis_straight(&d->x, least_x, most_x, 1);
  if (least_y > 0 && most_y / least_y > 20)
    tm__axis_log(&d->y, least_y, most_y);
  else
    tm__axis_straight(&d->y, least_y, most_y, unit_of_bytes(most_y));
  uint64_t soft = d->count > 1 ? d->points[1]->soft_bytes : 0;
  bool shown = (double)soft > d->y.low && (double)soft < d->y.high;
  d->soft_bytes = shown ? soft : 0;
}

/* ---- Elements -------------------------------------------------------------------------------- */

static void emit_dot(tm__emit *e, const char *class, double x, double y, double radius)
{
  tm__emit_text(e, "<circle class=\"");
  tm__emit_text(e, class);
  tm__emit_char(e, '"');
  tm__svg_px(e, "cx", x);
  tm__svg_px(e, "cy", y);
  tm__svg_px(e, "r", radius);
  tm__emit_char(e, '>');
}

static void emit_axes(const drawing *d)
{
  char text[32];
  for (size_t i = 0; i < d->y.count; i++) {
    double y = tm__axis_at(&d->y, d->y.ticks[i]);
    tm__svg_line(d->e, "grid", LEFT, y, RIGHT, y);
    (void)tm__size_format((uint64_t)(d->y.ticks[i] + 0.5), text, sizeof text);
    tm__svg_drop_zeros(text);
    tm__svg_words(d->e, "tick end", LEFT - 8, y + 4.5, text);
  }
  for (size_t i = 0; i < d->x.count; i++) {
    double x = tm__axis_at(&d->x, d->x.ticks[i]);
    tm__svg_line(d->e, "grid", x, TOP, x, BOTTOM);
    (void)tm__time_format((uint64_t)(d->x.ticks[i] + 0.5), text, sizeof text);
    tm__svg_drop_zeros(text);
    tm__svg_words(d->e, "tick middle", x, BOTTOM + 20, text);
  }
  tm__svg_line(d->e, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
  tm__svg_line(d->e, "axis", LEFT, TOP, LEFT, BOTTOM);
  tm__svg_words(d->e, "name middle", (LEFT + RIGHT) / 2.0, BOTTOM + 44,
                d->x.log ? "time spent in actions, whole run (logarithmic)"
                         : "time spent in actions, whole run");
  tm__emit_text(d->e, "<g transform=\"rotate(-90 16 349)\">");
  tm__svg_words(d->e, "name middle", 16, (TOP + BOTTOM) / 2.0,
                d->y.log ? "peak footprint (logarithmic)" : "peak footprint");
  tm__emit_text(d->e, "</g>\n");
}

/* ---- Points and labels ----------------------------------------------------------------------- */

static bool overlap(const box *a, const box *b)
{
  return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

static bool is_free(const drawing *d, const box *b)
{
  if (b->left < LEFT + 2 || b->right > WIDTH - 4 || b->top < TOP || b->bottom > BOTTOM)
    return false;
  for (size_t i = 0; i < d->taken_count; i++)
    if (overlap(b, &d->taken[i]))
      return false;
  return true;
}

static void take_box(drawing *d, box b)
{
  if (d->taken_count < BOXES)
    d->taken[d->taken_count++] = b;
}

/* The names of points that cannot be told apart are one label, a line each. */
typedef struct label {
  const char *lines[NAMES];
  size_t count;
  double width;
  char more[32]; /* how many names are left out */
} label;

static label names_at(const drawing *d, size_t first, bool *named)
{
  const tm__replay_row *at = d->points[first];
  label l = {.width = 0};
  size_t left_out = 0;
  for (size_t i = first; i < d->count; i++) {
    const tm__replay_row *row = d->points[i];
    if (named[i] || row->front != at->front ||
        hypot(x_of(d, row) - x_of(d, at), y_of(d, row) - y_of(d, at)) > NEAR)
      continue;
    named[i] = true;
    if (l.count == NAMES) {
      left_out++;
      continue;
    }
    l.lines[l.count++] = row->name;
    l.width = fmax(l.width, (at->front ? LETTER + 1 : LETTER) * (double)strlen(row->name));
  }
  if (left_out)
    (void)snprintf(l.more, sizeof l.more, "and %zu more", left_out + 1);
  return l;
}

static void emit_label_at(drawing *d, const label *l, const tm__replay_row *row, const box *b)
{
  double x = x_of(d, row), y = y_of(d, row), middle = (b->left + b->right) / 2;
  double edge_x = fmin(fmax(x, b->left + 4), b->right - 4),
         edge_y = fmin(fmax(y, b->top), b->bottom);
  if (hypot(edge_x - x, edge_y - y) > LINE)
    tm__svg_line(d->e, "leader", x, y, edge_x, edge_y);
  for (size_t i = 0; i < l->count; i++)
    tm__svg_words(d->e, row->front ? "label middle best" : "label middle", middle,
                  b->top + LINE * ((double)i + 0.75), l->lines[i]);
}

/* Beside its point, above or below, near or farther, then with a line to it: the first place that
 * is free. A label that finds none is left out; the point still has it as a tooltip. */
static void emit_label(drawing *d, size_t first, bool *named)
{
  static const struct {
    double side;  /* 1: to the right, -1: to the left, 0: in the middle */
    double lines; /* below the point */
  } places[] = {{1, -0.8},    {1, 0},      {-1, 0.8},   {1, 0.8},  {-1, -0.8},  {-1, 0},
                {0, -1.2},    {0, 1.2},    {1, -1.8},   {-1, 1.8}, {1, 1.8},    {-1, -1.8},
                {0, -2.2},    {0, 2.2},    {1, -2.8},   {-1, 2.8}, {1, 2.8},    {-1, -2.8},
                {0, -3.2},    {0, 3.2},    {1, -3.8},   {-1, 3.8}, {1, 3.8},    {-1, -3.8},
                {0, -4.8},    {0, 4.8},    {0, -6.2},   {0, 6.2},  {1.5, -0.8}, {1.5, 0.8},
                {-1.5, -0.8}, {-1.5, 0.8}, {1.5, -2.8}, {1.5, 2.8}};
  const tm__replay_row *row = d->points[first];
  label l = names_at(d, first, named);
  if (l.more[0])
    l.lines[NAMES - 1] = l.more;
  double height = LINE * (double)l.count;
  for (size_t i = 0; i < TM_ARRAY_LEN(places); i++) {
    double way = places[i].lines < 0 ? -1 : places[i].lines > 0 ? 1 : 0;
    double x = x_of(d, row) + places[i].side * (9 + l.width / 2);
    double y = y_of(d, row) + places[i].lines * LINE + way * (height - LINE) / 2;
    box b = {x - l.width / 2, y - height / 2, x + l.width / 2, y + height / 2};
    if (!is_free(d, &b))
      continue;
    take_box(d, b);
    emit_label_at(d, &l, row, &b);
    return;
  }
}

static void emit_point(const drawing *d, const tm__replay_row *row, const char *class,
                       double radius)
{
  char text[32];
  emit_dot(d->e, class, x_of(d, row), y_of(d, row), radius);
  tm__emit_text(d->e, "<title>");
  tm__emit_html(d->e, row->name);
  tm__emit_text(d->e, ": ");
  tm__emit_u64(d->e, tm__tally_collections(&row->tally));
  tm__emit_text(d->e, " collections, ");
  (void)tm__time_format(tm__tally_busy_ns(&row->tally), text, sizeof text);
  tm__emit_text(d->e, text);
  tm__emit_text(d->e, ", peak ");
  (void)tm__size_format(row->tally.peak_bytes, text, sizeof text);
  tm__emit_text(d->e, text);
  tm__emit_text(d->e, "</title></circle>\n");
}

/* The next row of the front after that time, by time; NULL: none. */
static const tm__replay_row *next_of_front(const drawing *d, double after, bool first)
{
  const tm__replay_row *best = NULL;
  for (size_t i = 1; i < d->count; i++) {
    const tm__replay_row *row = d->points[i];
    bool later = first || time_of(row) > after;
    if (row->front && later && (!best || time_of(row) < time_of(best)))
      best = row;
  }
  return best;
}

/* The line, on which no label may stand. */
static void emit_front(drawing *d)
{
  const tm__replay_row *from = next_of_front(d, 0, true), *to;
  for (; from && (to = next_of_front(d, time_of(from), false)); from = to) {
    double x = x_of(d, from), y = y_of(d, from), x2 = x_of(d, to), y2 = y_of(d, to);
    tm__svg_line(d->e, "front", x, y, x2, y2);
    int steps = (int)ceil(hypot(x2 - x, y2 - y) / STRIDE);
    for (int i = 0; i < steps; i++) {
      double at_x = x + (x2 - x) * i / steps, at_y = y + (y2 - y) * i / steps;
      take_box(d, (box){at_x - 1, at_y - 2, at_x + 1, at_y + 2});
    }
  }
}

static void emit_points(drawing *d)
{
  for (size_t i = 0; i < d->count; i++) {
    double x = x_of(d, d->points[i]), y = y_of(d, d->points[i]), r = i ? 5 : 9;
    take_box(d, (box){x - r, y - r, x + r, y + r});
  }
  emit_front(d);
  for (size_t i = 1; i < d->count; i++)
    emit_point(d, d->points[i], d->points[i]->front ? "dot best" : "dot", 5);
  emit_point(d, d->points[0], "ring", 9);
  bool named[POINTS] = {false};
  for (int front = 1; front >= 0; front--) /* those first that matter most */
    for (size_t i = 1; i < d->count; i++)
      if (d->points[i]->front == (front == 1) && !named[i])
        emit_label(d, i, named);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static const char style[] =
    "<style>\n"
    "svg{color-scheme:light dark}\n"
    "text{font:14px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1b2733}\n"
    ".paper{fill:#ffffff}.title{font-size:17px;font-weight:600}.tick,.sub{fill:#4d5a66}\n"
    ".label,.tick{font-size:13px}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}\n"
    ".grid{stroke:#e3e8ec}.axis{stroke:#5a6875}.soft{stroke:#a65a00;stroke-dasharray:6 4}\n"
    ".softname{fill:#a65a00}\n"
    ".dot{fill:#8fa3b3}.dot.best{fill:#1b6f8f}.best{font-weight:600}\n"
    ".ring{fill:none;stroke:#a8203a;stroke-width:2}\n"
    ".front{stroke:#1b6f8f;stroke-width:1.5}.leader{stroke:#8fa3b3}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e4eaef}.paper{fill:#12181e}\n"
    ".tick,.sub{fill:#9fadb9}.grid{stroke:#2a343e}.axis{stroke:#9fadb9}\n"
    ".soft{stroke:#eaa34c}.softname{fill:#eaa34c}.dot{fill:#6b7d8c}.dot.best{fill:#6cc3e0}\n"
    ".ring{stroke:#f2788c}.front{stroke:#6cc3e0}\n.leader{stroke:#6b7d8c}}\n"
    "</style>\n";

/* The file's name, the end of it where all of it is too long; then what the drawing is. */
static void emit_head(const drawing *d)
{
  const char *file = d->replay->file;
  size_t length = strlen(file), left_out = 0;
  if (length > FILE_LETTERS)
    left_out = length - FILE_LETTERS;
  while (((unsigned char)file[left_out] & 0xc0) == 0x80) /* not within a letter */
    left_out++;
  tm__svg_words(d->e, "title", MARGIN, 28, "What each policy costs, in time and in memory");
  tm__emit_text(d->e, "<text class=\"sub\" x=\"16\" y=\"50\">");
  tm__emit_text(d->e, left_out ? "…" : "");
  tm__emit_html(d->e, file + left_out);
  tm__emit_text(d->e, "</text>\n");
  tm__svg_words(d->e, "sub", MARGIN, 69, "replayed; left and low is better");
}

static void emit_legend(const drawing *d)
{
  tm__emit *e = d->e;
  char recorded[80] = "the recorded run: ";
  memcpy(recorded + strlen(recorded), d->replay->recorded.name, sizeof d->replay->recorded.name);
  emit_dot(e, "dot best", MARGIN + 14, 92, 5);
  tm__emit_text(e, "</circle>\n");
  tm__svg_line(e, "front", MARGIN, 92, MARGIN + 28, 92);
  tm__svg_words(e, "sub", MARGIN + 38, 96.5, "no other policy is better in both");
  emit_dot(e, "dot", MARGIN + 14, 113, 5);
  tm__emit_text(e, "</circle>\n");
  tm__svg_words(e, "sub", MARGIN + 38, 117.5, "other replayed policies");
  emit_dot(e, "ring", MARGIN + 14, 134, 8);
  tm__emit_text(e, "</circle>\n");
  tm__svg_words(e, "sub", MARGIN + 38, 138.5, recorded);
}

static void emit_soft(drawing *d)
{
  static const char name[] = "soft limit ";
  char text[48];
  if (!d->soft_bytes)
    return;
  double y = tm__axis_at(&d->y, (double)d->soft_bytes);
  tm__svg_line(d->e, "soft", LEFT, y, RIGHT, y);
  memcpy(text, name, sizeof name);
  char *size = text + sizeof name - 1;
  (void)tm__size_format(d->soft_bytes, size, sizeof text - sizeof name);
  tm__svg_drop_zeros(size);
  tm__svg_words(d->e, "softname end", RIGHT, y - 5, text);
  take_box(d, (box){RIGHT - (LETTER + 1) * (double)strlen(text), y - LINE - 2, RIGHT, y});
}

size_t tm__replay_plot(const tm__replay *replay, char *buffer, size_t capacity)
{
  tm__emit e;
  drawing d = {.e = &e, .replay = replay};
  tm__emit_init(&e, buffer, capacity);
  d.points[d.count++] = &replay->recorded;
  for (size_t i = 0; i < replay->count; i++)
    d.points[d.count++] = &replay->rows[i];
  choose_scales(&d);
  tm__emit_text(&e, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 480 600\" "
                    "width=\"480\" height=\"600\" role=\"img\">\n<title>Collector time against "
                    "peak footprint</title>\n");
  tm__emit_text(&e, style);
  tm__emit_text(&e, "<rect class=\"paper\" width=\"480\" height=\"600\"/>\n");
  emit_head(&d);
  emit_legend(&d);
  emit_axes(&d);
  emit_soft(&d);
  emit_points(&d);
  tm__emit_text(&e, "</svg>\n");
  return tm__emit_end(&e);
}
