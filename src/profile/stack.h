/*
 * stack.h - who asked for the block: the return addresses of the calling thread, and what a host
 * knows of them.
 *
 * Taken inside malloc, so nothing here allocates, or can wait for a lock that a caller of malloc
 * may hold: the compiler's unwinder, once it is loaded, takes no lock and no descriptor, and
 * steps.h remembers what it said. Frame pointers would end at the first function of a distribution
 * that is built without them, which Debian's are.
 */
#ifndef TM_PROFILE_STACK_H
#define TM_PROFILE_STACK_H

#include "base/hints.h"

enum { TM__STACK_FRAMES = 64 };

/* A frame: the return address, or a line of a host's function: bit 63, then the function's number
 * in tables.h, then 24 bits of line. */
typedef uint64_t tm__frame;

typedef struct tm__stack {
  uint32_t depth;
  bool cut;                           /* there were more */
  tm__frame frames[TM__STACK_FRAMES]; /* the innermost one first */
} tm__stack;

TM_INLINE tm__frame tm__frame_of(uint32_t function, uint32_t line)
{
  return (uint64_t)1 << 63 | (uint64_t)function << 24 | (line & 0xffffff);
}
TM_INLINE bool tm__frame_is_hosted(tm__frame frame)
{
  return frame >> 63;
}
TM_INLINE uint32_t tm__frame_function(tm__frame frame)
{
  return (uint32_t)(frame >> 24);
}
TM_INLINE uint32_t tm__frame_line(tm__frame frame)
{
  return (uint32_t)frame & 0xffffff;
}

/* Before the first take, and outside of any lock: loads the unwinder, which allocates. */
TM_HIDDEN void tm__stack_prepare(void);

/* The calling thread's stack, from the first frame outside of this library on. */
TM_HIDDEN void tm__stack_take(tm__stack *stack);
/* One frame more at the outer end, if there is room. */
TM_HIDDEN void tm__stack_push(tm__stack *stack, tm__frame frame);

/* What a host adds to each stack, or NULL. Called as take is, so under the same rule. */
typedef void (*tm__stack_host_fn)(tm__stack *stack);
TM_HIDDEN void tm__stack_host_set(tm__stack_host_fn fn);

#endif
