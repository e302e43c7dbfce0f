/* page.h - the parts of the page for people. */
#ifndef TM_MONITOR_PAGE_H
#define TM_MONITOR_PAGE_H

#include "monitor/inner.h"
#include "stats/emit.h"

/* What a person reads of numbers. */
TM_HIDDEN void tm__page_size(tm__emit *e, uint64_t bytes);
TM_HIDDEN void tm__page_signed(tm__emit *e, int64_t bytes);
TM_HIDDEN void tm__page_time(tm__emit *e, uint64_t ns);
/* 1234567 as "1,234,567". */
TM_HIDDEN void tm__page_count(tm__emit *e, uint64_t count);

/* Sections of one heap. */
TM_HIDDEN void tm__page_chart(tm__emit *e, const tm__ring *ring);
TM_HIDDEN void tm__page_pools(tm__emit *e, const tm_heap *heap);
TM_HIDDEN void tm__page_tags(tm__emit *e, const tm_heap *heap);
TM_HIDDEN void tm__page_actions(tm__emit *e, const tm_heap *heap);
/* The latest decisions of all heaps. */
TM_HIDDEN void tm__page_log(tm__emit *e);

#endif
