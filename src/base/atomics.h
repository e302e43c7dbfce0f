/*
 * atomics.h - the three shapes of shared word that the library has.
 *
 * counter: one writer, any readers. A relaxed load and store is what C11 has for it, but compilers
 *   turn that into three instructions; on x86-64 one add to memory is as untearable, so we ask for
 *   it. Under ThreadSanitizer, and elsewhere, the portable form is used.
 * flag and pointer: plain C11 atomics, spelled at the place of use with their order.
 */
#ifndef TM_BASE_ATOMICS_H
#define TM_BASE_ATOMICS_H

#include <stdatomic.h>

#include "base/hints.h"

typedef _Atomic(uint64_t) tm__counter;

#if defined(__x86_64__) && !TM_TSAN
#define TM_ADD_IN_MEMORY 1
#else
#define TM_ADD_IN_MEMORY 0
#endif

/* counter += n by its only writer. Release: who reads the new value sees what led to it. */
TM_INLINE void tm__counter_add(tm__counter *counter, uint64_t n)
{
#if TM_ADD_IN_MEMORY
  __asm__ volatile("addq %1, %0" : "+m"(*counter) : "er"(n) : "memory", "cc");
#else
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                        memory_order_release);
#endif
}

TM_INLINE uint64_t tm__counter_read(const tm__counter *counter)
{
  return atomic_load_explicit(counter, memory_order_acquire);
}

/* By its only writer: no ordering needed to read back one's own word. A plain load can be folded
 * into the instruction that uses it; gcc keeps a relaxed one apart. */
TM_INLINE uint64_t tm__counter_own(const tm__counter *counter)
{
#if TM_ADD_IN_MEMORY
  return *(const uint64_t *)(const void *)counter;
#else
  return atomic_load_explicit(counter, memory_order_relaxed);
#endif
}

TM_INLINE void tm__counter_set(tm__counter *counter, uint64_t value)
{
  atomic_store_explicit(counter, value, memory_order_release);
}

/* A word that several threads add to. */
TM_INLINE void tm__shared_add(tm__counter *counter, uint64_t n)
{
  atomic_fetch_add_explicit(counter, n, memory_order_acq_rel);
}

#endif
