/* stack.c - see stack.h. */
#define _GNU_SOURCE
#include "profile/stack.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <unwind.h>

#include "base/atomics.h"
#include "profile/steps.h"

enum {
  OURS = 16, /* frames of this library at the inner end, at most */
  MOST = TM__STACK_FRAMES + OURS + 1,
  TO_THE_END = 1024,        /* frames that are seen once in a thread to know where its stack ends */
  TOP_OF_THREAD = 16 << 10, /* what the C library keeps at the top of a thread's stack, at most */
  TOP_OF_FIRST = 256 << 10  /* likewise the kernel for the first thread: the environment */
};

/* The compiler's unwinder, which the C library loads for its own needs as well. */
static struct {
  _Unwind_Reason_Code (*backtrace)(_Unwind_Trace_Fn, void *);
  _Unwind_Ptr (*ip)(struct _Unwind_Context *, int *interrupted);
  _Unwind_Word (*sp)(struct _Unwind_Context *);
} unwinder;
static _Atomic(bool) ready;
static _Atomic(tm__stack_host_fn) host;
static uintptr_t ours_begin, ours_end; /* code of the shared library that this is; else empty */

/* ---- Whose code is ours? --------------------------------------------------------------------- */

/* The code segments of the object that holds this function, unless it is the program itself: then
 * our frames cannot be told from the program's by their addresses. */
static int find_ours(struct dl_phdr_info *object, size_t bytes, void *unused)
{
  uintptr_t here = (uintptr_t)&find_ours, begin = UINTPTR_MAX, end = 0;
  bool inside = false;
  (void)bytes, (void)unused;
  for (unsigned i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    uintptr_t at = object->dlpi_addr + part->p_vaddr;
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
      continue;
    inside |= here >= at && here < at + part->p_memsz;
    begin = at < begin ? at : begin;
    end = at + part->p_memsz > end ? at + part->p_memsz : end;
  }
  if (!inside)
    return 0;
  if (object->dlpi_name && *object->dlpi_name) {
    ours_begin = begin;
    ours_end = end;
  }
  return 1;
}

static bool load_unwinder(void)
{
  void *library = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return false;
  *(void **)&unwinder.backtrace = dlsym(library, "_Unwind_Backtrace");
  *(void **)&unwinder.ip = dlsym(library, "_Unwind_GetIPInfo");
  *(void **)&unwinder.sp = dlsym(library, "_Unwind_GetCFA");
  return unwinder.backtrace && unwinder.ip && unwinder.sp;
}

void tm__stack_prepare(void)
{
  tm__stack first;
  if (atomic_load(&ready) || !load_unwinder())
    return;
  (void)dl_iterate_phdr(find_ours, NULL);
  atomic_store(&ready, true);
  tm__stack_take(&first); /* what the unwinder does once, it does now */
}

/* ---- Taking --------------------------------------------------------------------------------- */

void tm__stack_push(tm__stack *stack, tm__frame frame)
{
  if (stack->depth < TM__STACK_FRAMES)
    stack->frames[stack->depth++] = frame;
  else
    stack->cut = true;
}

typedef struct unwinding {
  uintptr_t found[MOST];
  size_t count; /* of frames from `from` on; found has the first of them */
  uintptr_t from;
  tm__steps steps;
  bool to_the_end;
} unwinding;

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *state)
{
  unwinding *u = state;
  int interrupted = 0;
  tm__step_frame frame = {.ip = unwinder.ip(context, &interrupted), .sp = unwinder.sp(context)};
  if (!frame.ip)
    return _URC_NO_REASON; /* the end: nobody called the frame before */
  tm__steps_note(&u->steps, frame, interrupted);
  /* Before our caller stands tm__stack_take, and a sanitizer's between it and the unwinder. */
  if (u->count > 0 || frame.ip == u->from) {
    if (u->count < MOST)
      u->found[u->count] = frame.ip;
    u->count++;
  }
  size_t enough = u->to_the_end ? TO_THE_END : MOST;
  return u->count < enough ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

/* Is it the calling thread's first frame? The C library has the thread's record above it, the
 * kernel its random bytes. A coroutine's first frame is elsewhere. */
static bool is_outermost(uintptr_t sp)
{
  return (uintptr_t)pthread_self() - sp < TOP_OF_THREAD || getauxval(AT_RANDOM) - sp < TOP_OF_FIRST;
}

/* The addresses from our caller on, and their number. */
static size_t addresses(unwinding *u, tm__step_frame caller)
{
  size_t count = tm__steps_walk(caller, u->found, MOST);
  if (count > 0)
    return count;
  u->count = 0;
  u->from = caller.ip;
  u->steps = (tm__steps){0};
  u->to_the_end = !tm__steps_rooted();
  if (unwinder.backtrace(on_frame, u) == _URC_END_OF_STACK)
    tm__steps_end(&u->steps, caller.sp, is_outermost(u->steps.last.sp));
  return u->count;
}

TM_NOINLINE void tm__stack_take(tm__stack *stack)
{
  unwinding u;
  tm__step_frame caller = {.ip = (uintptr_t)__builtin_return_address(0),
                           .sp = (uintptr_t)__builtin_dwarf_cfa()};
  bool usable = atomic_load_explicit(&ready, memory_order_acquire);
  size_t count = usable ? addresses(&u, caller) : 0, first = 0;
  size_t kept = count < MOST ? count : MOST;
  while (first < kept && u.found[first] - ours_begin < ours_end - ours_begin)
    first++;
  stack->depth = 0;
  stack->cut = false;
  for (size_t i = first; i < kept; i++)
    tm__stack_push(stack, u.found[i]);
  tm__stack_host_fn extend = atomic_load_explicit(&host, memory_order_acquire);
  if (extend)
    extend(stack);
}

void tm__stack_host_set(tm__stack_host_fn fn)
{
  atomic_store_explicit(&host, fn, memory_order_release);
}
