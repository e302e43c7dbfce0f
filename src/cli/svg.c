/* svg.c - see svg.h. */
#include "cli/svg.h"

#include <string.h>

void tm__svg_px(tm__emit *e, const char *name, double value)
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

void tm__svg_line(tm__emit *e, const char *class, double x1, double y1, double x2, double y2)
{
  tm__emit_text(e, "<line class=\"");
  tm__emit_text(e, class);
  tm__emit_char(e, '"');
  tm__svg_px(e, "x1", x1);
  tm__svg_px(e, "y1", y1);
  tm__svg_px(e, "x2", x2);
  tm__svg_px(e, "y2", y2);
  tm__emit_text(e, "/>\n");
}

void tm__svg_words(tm__emit *e, const char *class, double x, double y, const char *text)
{
  tm__emit_text(e, "<text class=\"");
  tm__emit_text(e, class);
  tm__emit_char(e, '"');
  tm__svg_px(e, "x", x);
  tm__svg_px(e, "y", y);
  tm__emit_char(e, '>');
  tm__emit_html(e, text);
  tm__emit_text(e, "</text>\n");
}

void tm__svg_drop_zeros(char *text)
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
