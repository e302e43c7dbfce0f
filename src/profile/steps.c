/* steps.c - see steps.h. */
#include "profile/steps.h"

#include "base/atomics.h"

enum {
  WORD = sizeof(uintptr_t),
  STEP_BITS = 16, /* a step in words; above it the address, which has 47 bits */
  VARIES = (1 << STEP_BITS) - 1,
  OUTERMOST = VARIES - 1,
  STEP_MOST = OUTERMOST - 1,
  WAYS = 4,
  SETS = 1024,
  FRAMES_MOST = 1024 /* of a walk: a recursion that is deeper is the unwinder's, and cut */
};

/* Notes: an address and its step in one word, so that no reader sees half of one. */
static _Atomic(uint64_t) notes[SETS][WAYS];

/* Of this thread's stack: the outermost frame, and the lowest from which it was reached. */
static TM_TLS uintptr_t root_sp, low_sp;

/* ---- Notes ---------------------------------------------------------------------------------- */

static _Atomic(uint64_t) *set_of(uintptr_t ip)
{
  return notes[(ip * 0x9e3779b97f4a7c15u) >> 54];
}

/* The words of ip's step; 0 if there is no note. */
static unsigned step_of(uintptr_t ip)
{
  _Atomic(uint64_t) *set = set_of(ip);
  for (size_t i = 0; i < WAYS; i++) {
    uint64_t note = atomic_load_explicit(&set[i], memory_order_relaxed);
    if (note >> STEP_BITS == ip)
      return (unsigned)note & VARIES;
  }
  return 0;
}

static void write_note(uintptr_t ip, unsigned step)
{
  _Atomic(uint64_t) *set = set_of(ip);
  size_t at = (ip >> 2) % WAYS; /* whoever is there makes room, unless a place is free or ours */
  for (size_t i = 0; i < WAYS; i++) {
    uint64_t note = atomic_load_explicit(&set[i], memory_order_relaxed);
    if (note == 0 || note >> STEP_BITS == ip) {
      at = i;
      break;
    }
  }
  atomic_store_explicit(&set[at], (uint64_t)ip << STEP_BITS | step, memory_order_relaxed);
}

static void learn(uintptr_t ip, unsigned step)
{
  unsigned known = step_of(ip);
  if (known != step && known != VARIES)
    write_note(ip, known ? VARIES : step);
}

/* A word of the calling thread's stack that may be another function's: a wrong note can lead to
 * the guard between a sanitizer's variables. */
__attribute__((no_sanitize_address)) static uintptr_t word_at(uintptr_t address)
{
  return *(const volatile uintptr_t *)address;
}

/* ---- Learning ------------------------------------------------------------------------------- */

void tm__steps_note(tm__steps *steps, tm__step_frame frame, bool interrupted)
{
  uintptr_t words = (frame.sp - steps->last.sp) / WORD; /* wraps if the stack was left downwards */
  if (steps->any) {
    bool steady = !interrupted && !steps->interrupted && words > 0 && words <= STEP_MOST &&
                  word_at(frame.sp - WORD) == frame.ip;
    learn(steps->last.ip, steady ? (unsigned)words : VARIES);
    steps->jumped |= !steady;
  }
  steps->last = frame;
  steps->any = true;
  steps->interrupted = interrupted;
}

void tm__steps_end(tm__steps *steps, uintptr_t inner_sp, bool threads_own)
{
  if (!steps->any || steps->jumped || !threads_own)
    return;
  learn(steps->last.ip, OUTERMOST);
  if (root_sp != steps->last.sp || inner_sp < low_sp)
    low_sp = inner_sp;
  root_sp = steps->last.sp;
}

bool tm__steps_rooted(void)
{
  return root_sp != 0;
}

/* ---- Walking -------------------------------------------------------------------------------- */

size_t tm__steps_walk(tm__step_frame frame, uintptr_t *found, size_t capacity)
{
#if defined(__x86_64__)
  if (frame.sp < low_sp)
    return 0;
  for (size_t count = 0; count < FRAMES_MOST && frame.sp <= root_sp; count++) {
    unsigned step = step_of(frame.ip);
    if (count < capacity)
      found[count] = frame.ip;
    if (step == OUTERMOST)
      return frame.sp == root_sp ? count + 1 : 0;
    if (step == 0 || step == VARIES)
      return 0;
    frame.sp += (uintptr_t)step * WORD;
    frame.ip = frame.sp <= root_sp ? word_at(frame.sp - WORD) : 0;
  }
#else
  (void)frame, (void)found, (void)capacity;
#endif
  return 0;
}
