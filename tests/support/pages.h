/* pages.h - for tests that count resident pages: none of them huge. */
#ifndef TM_TESTS_SUPPORT_PAGES_H
#define TM_TESTS_SUPPORT_PAGES_H

#include <sys/prctl.h>

/* Where the kernel makes huge pages on its own, one touch can back 2 MiB. For the whole process. */
static inline void pages_stay_small(void)
{
  (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

#endif
