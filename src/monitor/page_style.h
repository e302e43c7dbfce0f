/* page_style.h - the page's style sheet, and its hash for the Content-Security-Policy. */
#ifndef TM_MONITOR_PAGE_STYLE_H
#define TM_MONITOR_PAGE_STYLE_H

#include "base/hints.h"

TM_HIDDEN extern const char tm__page_style[];

/* Base64 of the SHA-256 of tm__page_style: no other style is obeyed. */
#define TM__PAGE_STYLE_HASH "sha256-JE+uNsxh1WL3q8o3IJESPBwI2QtKQgfzUUiZ26tqcwg="

#endif
