/*
 * steps.h - a stack by what the unwinder said before.
 *
 * Where a frame finds its caller's does not change with the call: it is a fixed number of bytes
 * from one stack pointer to the next, for all functions but those that move the stack pointer
 * as they like (alloca). Looking that number up in the unwind tables costs thousands of
 * instructions a frame; so it is noted for each return address, and the next walk over the same
 * frames only adds.
 *
 * A walk that was done with notes counts only if it ends where the unwinder once ended on this
 * thread: at the same word and the same outermost function. A note that is wrong, for alloca or
 * for code that was unloaded, leads elsewhere; the unwinder is asked again and the note crossed
 * out. All that is read lies between the lowest and the highest frame that the unwinder has
 * seen of this thread's stack, so that a wrong note reads no memory that may not be there: a
 * coroutine's stack is outside, and left to the unwinder.
 *
 * x86-64 only: elsewhere the return address is not always the word below the caller's frame,
 * and tm__steps_walk is always false. All functions may be called by any thread at any time,
 * and take no lock.
 */
#ifndef TM_PROFILE_STEPS_H
#define TM_PROFILE_STEPS_H

#include "base/hints.h"

/* A frame: where it goes on, and its stack pointer there. */
typedef struct tm__step_frame {
  uintptr_t ip, sp;
} tm__step_frame;

/* What an unwinding learns as it goes from one frame to the next. */
typedef struct tm__steps {
  tm__step_frame last;
  bool any;         /* last is a frame */
  bool interrupted; /* last was interrupted by a signal: its ip follows no call */
  bool jumped;      /* the frames are not on one stack */
} tm__steps;

/* The next frame outwards. */
TM_HIDDEN void tm__steps_note(tm__steps *steps, tm__step_frame frame, bool interrupted);
/* There is no other frame. `inner_sp`: of the frame from which walks of this thread begin.
 * `threads_own`: the last frame is on the stack with which the thread was started. */
TM_HIDDEN void tm__steps_end(tm__steps *steps, uintptr_t inner_sp, bool threads_own);
/* Does the calling thread's stack have an end that is known? If not, an unwinding that goes on to
 * the end helps the next. */
TM_HIDDEN bool tm__steps_rooted(void);

/* The return addresses from `frame` on, at most `capacity`, innermost first; the number of frames,
 * which may be more. 0 if what was noted does not suffice. O(frames). */
TM_HIDDEN size_t tm__steps_walk(tm__step_frame frame, uintptr_t *found, size_t capacity);

#endif
