/* heap.h - making, finding and ending heaps; what the other rooms may ask of one. */
#ifndef TM_HEAP_HEAP_H
#define TM_HEAP_HEAP_H

#include "heap/types.h"

/* The default heap, made on first use; the struct is static, so this never fails. */
TM_HIDDEN extern tm_heap tm__default_heap;
/* Start-up: arena, default heap, thread key, fork handlers. Once; any thread; also re-entered by
 * a libc that allocates meanwhile. false iff the OS has no address space. */
TM_HIDDEN bool tm__heap_startup(void);

/* meta_bytes that other heaps than this one book as theirs. */
TM_HIDDEN uint64_t tm__heap_meta_elsewhere(const tm_heap *heap);

/* Runs the arena's decay; cheap, any thread. For hosts with a thread that waits anyway. Returns
 * the bytes that are still dirty. */
TM_HIDDEN uint64_t tm__heap_tick(tm_heap *heap);

/* Counts a failure and sets errno to ENOMEM; returns NULL. */
TM_HIDDEN void *tm__heap_fail(tm_heap *heap, tm_fail reason);

/* Every thread of every heap asks for credit at its next request. */
TM_HIDDEN void tm__heap_rearm_all(void);

/* The table of heaps, for fork and monitors: heap `slot`, or NULL. */
TM_HIDDEN tm_heap *tm__heap_slot(unsigned slot);

#endif
