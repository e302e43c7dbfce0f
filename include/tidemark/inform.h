/* inform.h - telling the heap about memory that it cannot see: mmap, a GPU, a C library. */
#ifndef TIDEMARK_INFORM_H
#define TIDEMARK_INFORM_H

#include <tidemark/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Adds delta_bytes (positive or negative) to the informed bytes of heap, under tag, e.g.
 * tm_inform(heap, "gpu", 64 << 20). Informed bytes are part of the footprint and weigh in every
 * policy like live bytes; a positive delta can cross a trip (it latches and notifies, it never
 * runs hooks). Never refused: it may put the footprint above the hard limit, then requests fail
 * until it fits again.
 *
 * The tag is copied, cut to 63 bytes; NULL is "other". A heap keeps 64 tags, later ones are booked
 * under "other": nothing is lost. A tag whose level falls below zero is the host's error: it is
 * reported once per tag as "tag underflow" on stderr and the level stays signed.
 * Any thread; one short lock; O(tags). Allocates nothing.
 */
TM_API void tm_inform(tm_heap *heap, const char *tag, int64_t delta_bytes);

#ifdef __cplusplus
}
#endif
#endif
