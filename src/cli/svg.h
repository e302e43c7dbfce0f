/* svg.h - the few elements of which drawings are made. */
#ifndef TM_CLI_SVG_H
#define TM_CLI_SVG_H

#include "stats/emit.h"

/* ` name="12.5"`: pixels, to a tenth. */
TM_HIDDEN void tm__svg_px(tm__emit *e, const char *name, double value);
TM_HIDDEN void tm__svg_line(tm__emit *e, const char *class, double x1, double y1, double x2,
                            double y2);
TM_HIDDEN void tm__svg_words(tm__emit *e, const char *class, double x, double y, const char *text);
/* "20.0 ms" becomes "20 ms". */
TM_HIDDEN void tm__svg_drop_zeros(char *text);

#endif
