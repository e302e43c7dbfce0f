/*
 * replay_plot.c - collector time against peak as one SVG: no script, no font of its own, no
 * reference to anything outside. Light, and dark where the reader's system is.
 */
#include <math.h>
#include <string.h>

#include "cli/replay.h"
#include "gc/policy.h"
#include "stats/emit.h"
#include "stats/units.h"

enum {
  LEFT = 96, /* of the paper's 880 by 560 */
  RIGHT = 840,
  TOP = 112,
  BOTTOM = 484,
  TICKS = 16, /* at most, on one axis */
  DECADES = 24,
  LETTER = 8, /* pixels that a letter of a label takes, one more in bold, */
  LINE = 15,  /* and a line */
  POINTS = TM__REPLAY_ROWS + 1,
  STRIDE = 12, /* pixels between two boxes on the front */
  BOXES = 2048
};

/* ---- Scales ---------------------------------------------------------------------------------- */

typedef struct axis {
  double low, high; /* of the values */
  bool log;
  double from, to; /* of the pixels */
  double ticks[TICKS];
  size_t count;
} axis;

static double position(const axis *a, double value)
{
  double share =
      a->log ? log(value / a->low) / log(a->high / a->low) : (value - a->low) / (a->high - a->low);
  return a->from + (a->to - a->from) * share;
}

/* The next of 1, 2, 5, 10 ... times the unit that is not below `least`. */
static double nice_step(double least, double unit)
{
  static const double factors[] = {1, 2, 5, 10};
  double power = unit * pow(10, floor(log10(least / unit)));
  for (size_t i = 0; i < TM_ARRAY_LEN(factors); i++)
    if (factors[i] * power >= least * 0.999)
      return factors[i] * power;
  return 10 * power;
}

static void add_tick(axis *a, double value)
{
  if (a->count < TICKS && value >= a->low * 0.999999 && value <= a->high * 1.000001)
    a->ticks[a->count++] = value;
}

/* A straight scale with some five ticks: from zero, unless the values lie close together; then what
 * is small is not shown as large. */
static void scale_straight(axis *a, double least, double most, double unit)
{
  double span = most - least;
  bool from_zero = span > most / 2 || most <= 0;
  double wanted = from_zero ? most : fmax(1.4 * span, most / 5);
  double step = nice_step((wanted > 0 ? wanted : unit) / 5, unit);
  double middle = (least + most) / 2;
  a->low = from_zero ? 0 : floor((middle - wanted / 2) / step) * step;
  a->low = a->low < 0 ? 0 : a->low;
  a->high = ceil((fmax(most, middle + (from_zero ? 0 : wanted / 2)) + step / 4) / step) * step;
  for (int i = 0; i < TICKS; i++)
    add_tick(a, a->low + i * step);
}

/* For values that span a factor of twenty or more: 1, 2, 5, 10 ... */
static void scale_log(axis *a, double least, double most)
{
  static const double factors[] = {1, 2, 5};
  bool wide = most / least > 2000;
  a->log = true;
  a->low = least / 1.3;
  a->high = most * 1.3;
  double power = pow(10, floor(log10(a->low)));
  for (int decade = 0; decade < DECADES && power <= a->high; decade++, power *= 10)
    for (size_t i = 0; i < (wide ? 1 : TM_ARRAY_LEN(factors)); i++)
      add_tick(a, power * factors[i]);
}

/* ---- What is drawn --------------------------------------------------------------------------- */

typedef struct box {
  double left, top, right, bottom;
} box;

typedef struct drawing {
  tm__emit *e;
  const tm__replay *replay;
  axis x, y;
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
  return position(&d->x, time_of(row));
}

static double y_of(const drawing *d, const tm__replay_row *row)
{
  return position(&d->y, peak_of(row));
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
  d->x = (axis){.from = LEFT, .to = RIGHT};
  d->y = (axis){.from = BOTTOM, .to = TOP};
  if (least_x > 0 && most_x / least_x > 20)
    scale_log(&d->x, least_x, most_x);
  else
    scale_straight(&d->x, least_x, most_x, 1);
  if (least_y > 0 && most_y / least_y > 20)
    scale_log(&d->y, least_y, most_y);
  else
    scale_straight(&d->y, least_y, most_y, unit_of_bytes(most_y));
  uint64_t soft = d->count > 1 ? d->points[1]->soft_bytes : 0;
  bool shown = (double)soft > d->y.low && (double)soft < d->y.high;
  d->soft_bytes = shown ? soft : 0;
}

/* ---- Elements -------------------------------------------------------------------------------- */

/* Pixels, to a tenth. */
static void emit_px(tm__emit *e, const char *name, double value)
{
  uint64_t tenths = value > 0 ? (uint64_t)(value * 10 + 0.5) : 0;
  tm__emit_char(e, ' ');
  tm__emit_text(e, name);
  tm__emit_text(e, "=\"");
  tm__emit_u64(e, tenths / 10);
  tm__emit_char(e, '.');
  tm__emit_u64(e, tenths % 10);
  tm__emit_char(e, '"');
}

static void emit_line(tm__emit *e, const char *class, double x1, double y1, double x2, double y2)
{
  tm__emit_text(e, "<line class=\"");
  tm__emit_text(e, class);
  tm__emit_char(e, '"');
  emit_px(e, "x1", x1);
  emit_px(e, "y1", y1);
  emit_px(e, "x2", x2);
  emit_px(e, "y2", y2);
  tm__emit_text(e, "/>\n");
}

static void emit_words(tm__emit *e, const char *class, double x, double y, const char *text)
{
  tm__emit_text(e, "<text class=\"");
  tm__emit_text(e, class);
  tm__emit_char(e, '"');
  emit_px(e, "x", x);
  emit_px(e, "y", y);
  tm__emit_char(e, '>');
  tm__emit_html(e, text);
  tm__emit_text(e, "</text>\n");
}

static void emit_dot(tm__emit *e, const char *class, double x, double y, double radius)
{
  tm__emit_text(e, "<circle class=\"");
  tm__emit_text(e, class);
  tm__emit_char(e, '"');
  emit_px(e, "cx", x);
  emit_px(e, "cy", y);
  emit_px(e, "r", radius);
  tm__emit_char(e, '>');
}

/* "20.0 ms" as "20 ms". */
static void drop_zeros(char *text)
{
  char *dot = strchr(text, '.'), *blank = strchr(text, ' ');
  if (!dot || !blank)
    return;
  char *end = blank;
  while (end[-1] == '0')
    end--;
  end -= end[-1] == '.';
  memmove(end, blank, strlen(blank) + 1);
}

static void emit_axes(const drawing *d)
{
  char text[32];
  for (size_t i = 0; i < d->y.count; i++) {
    double y = position(&d->y, d->y.ticks[i]);
    emit_line(d->e, "grid", LEFT, y, RIGHT, y);
    (void)tm__size_format((uint64_t)(d->y.ticks[i] + 0.5), text, sizeof text);
    drop_zeros(text);
    emit_words(d->e, "tick end", LEFT - 10, y + 4, text);
  }
  for (size_t i = 0; i < d->x.count; i++) {
    double x = position(&d->x, d->x.ticks[i]);
    emit_line(d->e, "grid", x, TOP, x, BOTTOM);
    (void)tm__time_format((uint64_t)(d->x.ticks[i] + 0.5), text, sizeof text);
    drop_zeros(text);
    emit_words(d->e, "tick middle", x, BOTTOM + 20, text);
  }
  emit_line(d->e, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
  emit_line(d->e, "axis", LEFT, TOP, LEFT, BOTTOM);
  emit_words(d->e, "name middle", (LEFT + RIGHT) / 2.0, BOTTOM + 46,
             d->x.log ? "time spent in actions, whole run (logarithmic)"
                      : "time spent in actions, whole run");
  tm__emit_text(d->e, "<g transform=\"rotate(-90 22 298)\">");
  emit_words(d->e, "name middle", 22, 298,
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
  if (b->left < LEFT + 2 || b->right > RIGHT + 38 || b->top < TOP || b->bottom > BOTTOM)
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

/* Beside its point, above or below, near or farther: the first place that is free. A label that
 * finds none is left out; the point still has it as a tooltip. */
static void emit_label(drawing *d, const tm__replay_row *row)
{
  static const struct {
    double side;  /* 1: to the right, -1: to the left, 0: in the middle */
    double lines; /* below the point */
  } places[] = {{1, -0.8}, {1, 0},   {-1, 0.8}, {1, 0.8},  {-1, -0.8}, {-1, 0},
                {0, -1.2}, {0, 1.2}, {1, -1.8}, {-1, 1.8}, {1, 1.8},   {-1, -1.8},
                {0, -2.2}, {0, 2.2}, {1, -2.8}, {-1, 2.8}, {1, 2.8},   {-1, -2.8}};
  double letter = row->front ? LETTER + 1 : LETTER, width = letter * (double)strlen(row->name);
  for (size_t i = 0; i < TM_ARRAY_LEN(places); i++) {
    double x = x_of(d, row) + places[i].side * (9 + width / 2);
    double y = y_of(d, row) + places[i].lines * LINE;
    box b = {x - width / 2, y - LINE / 2.0, x + width / 2, y + LINE / 2.0};
    if (!is_free(d, &b))
      continue;
    take_box(d, b);
    emit_words(d->e, row->front ? "label middle best" : "label middle", x, y + 4, row->name);
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
    emit_line(d->e, "front", x, y, x2, y2);
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
  for (int front = 1; front >= 0; front--) /* those first that matter most */
    for (size_t i = 1; i < d->count; i++)
      if (d->points[i]->front == (front == 1))
        emit_label(d, d->points[i]);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static const char style[] =
    "<style>\n"
    "svg{color-scheme:light dark}\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1b2733}\n"
    ".paper{fill:#ffffff}.title{font-size:18px;font-weight:600}.tick,.sub{fill:#5a6875}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}\n"
    ".grid{stroke:#e3e8ec}.axis{stroke:#5a6875}.soft{stroke:#a65a00;stroke-dasharray:6 4}\n"
    ".softname{fill:#a65a00}\n"
    ".dot{fill:#8fa3b3}.dot.best{fill:#1b6f8f}.best{font-weight:600}\n"
    ".ring{fill:none;stroke:#a8203a;stroke-width:2}\n"
    ".front{stroke:#1b6f8f;stroke-width:1.5}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e4eaef}.paper{fill:#12181e}\n"
    ".tick,.sub{fill:#9fadb9}.grid{stroke:#2a343e}.axis{stroke:#9fadb9}\n"
    ".soft{stroke:#eaa34c}.softname{fill:#eaa34c}.dot{fill:#6b7d8c}.dot.best{fill:#6cc3e0}\n"
    ".ring{stroke:#f2788c}.front{stroke:#6cc3e0}}\n"
    "</style>\n";

static void emit_legend(const drawing *d)
{
  tm__emit *e = d->e;
  double y = 88;
  char recorded[80] = "the recorded run: ";
  memcpy(recorded + strlen(recorded), d->replay->recorded.name, sizeof d->replay->recorded.name);
  emit_dot(e, "dot best", LEFT + 6, y, 5);
  tm__emit_text(e, "</circle>\n");
  emit_line(e, "front", LEFT - 8, y, LEFT + 20, y);
  emit_words(e, "sub", LEFT + 28, y + 4, "no other policy is better in both");
  emit_dot(e, "dot", LEFT + 266, y, 5);
  tm__emit_text(e, "</circle>\n");
  emit_words(e, "sub", LEFT + 280, y + 4, "other replayed policies");
  emit_dot(e, "ring", LEFT + 450, y, 8);
  tm__emit_text(e, "</circle>\n");
  emit_words(e, "sub", LEFT + 466, y + 4, recorded);
}

static void emit_soft(const drawing *d)
{
  char text[48] = "soft limit ";
  if (!d->soft_bytes)
    return;
  double y = position(&d->y, (double)d->soft_bytes);
  emit_line(d->e, "soft", LEFT, y, RIGHT, y);
  (void)tm__size_format(d->soft_bytes, text + strlen(text), sizeof text - strlen(text));
  drop_zeros(strchr(text, 't') + 6);
  emit_words(d->e, "softname end", RIGHT, y - 5, text);
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
  tm__emit_text(&e, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 880 560\" "
                    "width=\"880\" height=\"560\" role=\"img\">\n<title>Collector time against "
                    "peak footprint</title>\n");
  tm__emit_text(&e, style);
  tm__emit_text(&e, "<rect class=\"paper\" width=\"880\" height=\"560\"/>\n");
  emit_words(&e, "title", LEFT, 36, "What each policy costs, in time and in memory");
  tm__emit_text(&e, "<text class=\"sub\" x=\"96\" y=\"58\">");
  tm__emit_html(&e, replay->file);
  tm__emit_text(&e, ", replayed; left and low is better</text>\n");
  emit_legend(&d);
  emit_axes(&d);
  emit_soft(&d);
  emit_points(&d);
  tm__emit_text(&e, "</svg>\n");
  return tm__emit_end(&e);
}
