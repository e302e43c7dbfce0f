/* stack.c - see stack.h. */
#define _GNU_SOURCE
#include "profile/stack.h"

#include <execinfo.h>
#include <link.h>

#include "base/atomics.h"

enum { OURS = 16 }; /* frames of this library at the inner end, at most */

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

void tm__stack_prepare(void)
{
  void *first[4];
  if (atomic_load(&ready))
    return;
  (void)dl_iterate_phdr(find_ours, NULL);
  (void)backtrace(first, (int)TM_ARRAY_LEN(first)); /* loads what it needs, now */
  atomic_store(&ready, true);
}

/* ---- Taking --------------------------------------------------------------------------------- */

void tm__stack_push(tm__stack *stack, tm__frame frame)
{
  if (stack->depth < TM__STACK_FRAMES)
    stack->frames[stack->depth++] = frame;
  else
    stack->cut = true;
}

void tm__stack_take(tm__stack *stack)
{
  void *found[TM__STACK_FRAMES + OURS + 1];
  bool usable = atomic_load_explicit(&ready, memory_order_acquire);
  int count = usable ? backtrace(found, (int)TM_ARRAY_LEN(found)) : 0, first = 0;
  /* From our caller on. Before it stands this function, and a sanitizer's between it and the C
   * library's. */
  for (int i = 0; i < count && !first; i++)
    first = found[i] == __builtin_return_address(0) ? i : 0;
  while (first < count && (uintptr_t)found[first] - ours_begin < ours_end - ours_begin)
    first++;
  stack->depth = 0;
  stack->cut = false;
  for (int i = first; i < count && found[i]; i++)
    tm__stack_push(stack, (uintptr_t)found[i]);
  tm__stack_host_fn extend = atomic_load_explicit(&host, memory_order_acquire);
  if (extend)
    extend(stack);
}

void tm__stack_host_set(tm__stack_host_fn fn)
{
  atomic_store_explicit(&host, fn, memory_order_release);
}
